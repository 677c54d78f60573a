/* From inputs to items, without boards: what each item computes, which input it belongs to, and what memory costs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/http/prepare.h"

/* [CLS] 2, [SEP] 3; the words a to j are 4 to 13. */
static const char tokenizer[] =
    "{\"version\":\"1.0\",\"added_tokens\":["
    "{\"id\":2,\"content\":\"[CLS]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
    "\"special\":true},"
    "{\"id\":3,\"content\":\"[SEP]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
    "\"special\":true}],"
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
    "\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2]},\"decoder\":null,"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
    "\"max_input_chars_per_word\":100,\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"a\":4,\"b\":5,\"c\":"
    "6,"
    "\"d\":7,\"e\":8,\"f\":9,\"g\":10,\"h\":11,\"i\":12,\"j\":13}}}";

enum { LIMIT = 6, WIDTH = 8 };

static struct http_server server;
static struct token_vocab *vocab;
static struct http_call call;
static struct http_infer infer;
static struct error err;

static void begin(void)
{
    cr_assert_eq(token_vocab_parse(&vocab, tokenizer, sizeof tokenizer - 1, &err), STATUS_OK, "%s", err.message);
    server.options = (struct http_options){
        .vocab = vocab, .max_input_length = LIMIT, .max_chunks = 3, .max_memory = 1 << 20, .width = WIDTH};
    server.prompts = (struct http_prompts){0};
}

static void end(void)
{
    http_call_finish(&call);
    token_vocab_destroy(&vocab);
}

TestSuite(prepare, .init = begin, .fini = end);

static enum status prepare(const struct wire_input *items, uint32_t n, bool truncate, enum batch_pooling pooling)
{
    http_call_finish(&call);
    http_call_init(&call, &server);
    call.arena = arena_create(1 << 20);
    struct wire_inputs inputs = {.items = (struct wire_input *)items, .n = n, .single = n == 1};
    struct http_infer_spec spec = {
        .inputs = &inputs, .truncate = truncate, .chunk = true, .chunk_overlap = 1, .pooling = pooling};
    infer = (struct http_infer){.call = &call, .width = WIDTH};
    return call.arena ? http_prepare_items(&infer, &spec, &err) : STATUS_NO_MEMORY;
}

static struct wire_input text_of(const char *text)
{
    return (struct wire_input){.text = {text, strlen(text)}};
}

static void expect_item(uint32_t index, uint32_t input, const char *ids, uint32_t first_row, uint32_t n_rows)
{
    const struct batch_item *item = &infer.items[index];
    char text[64] = "";
    for (uint32_t i = 0; i < item->n_tokens; i++)
        sprintf(text + strlen(text), "%s%u", i ? " " : "", item->ids[i]);
    cr_expect_str_eq(text, ids);
    cr_expect_eq(item->input, input, "%u", index);
    cr_expect_eq(item->first_row, first_row, "%u", index);
    cr_expect_eq(item->n_rows, n_rows, "%u", index);
}

static void expect_input(uint32_t index, uint32_t first_item, uint32_t n_items, uint32_t n_tokens, bool truncated)
{
    const struct http_infer_input *input = &infer.inputs[index];
    cr_expect_eq(input->first_item, first_item, "%u", index);
    cr_expect_eq(input->n_items, n_items, "%u", index);
    cr_expect_eq(input->n_tokens, n_tokens, "%u", index);
    cr_expect_eq(input->truncated, truncated, "%u", index);
}

/* Four tokens fit between [CLS] and [SEP]; windows share one. */
Test(prepare, windows_know_their_input)
{
    const struct wire_input inputs[] = {text_of("a"), text_of("a b c d e f g"), text_of("b")};
    cr_assert_eq(prepare(inputs, 3, false, BATCH_POOL_MEAN), STATUS_OK, "%s", err.message);
    cr_assert_eq(infer.n_items, 4u);
    expect_item(0, 0, "2 4 3", 0, 3);
    expect_item(1, 1, "2 4 5 6 7 3", 0, 4);
    expect_item(2, 1, "2 7 8 9 10 3", 1, 5);
    expect_item(3, 2, "2 5 3", 0, 3);
    expect_input(0, 0, 1, 3, false);
    expect_input(1, 1, 2, 9, false);
    expect_input(2, 3, 1, 3, false);
    cr_expect_eq(infer.n_values, 4u * WIDTH);
    cr_expect_eq(infer.tokens, 3u + 6 + 6 + 3);
    cr_assert_eq(prepare(inputs, 3, false, BATCH_POOL_NONE), STATUS_OK);
    cr_expect_eq(infer.n_values, (3u + 9 + 3) * WIDTH, "a vector a token");
    cr_assert_eq(prepare(inputs, 3, false, BATCH_POOL_CLS), STATUS_OK);
    expect_item(2, 1, "2 7 8 9 10 3", 0, 5);
}

Test(prepare, ids_keep_their_own_special_tokens)
{
    static const uint32_t framed[] = {2, 4, 5, 6, 7, 8, 3}, bare[] = {4, 5, 6, 7, 8, 9, 10};
    const struct wire_input inputs[] = {{.ids = framed, .n_ids = 7}, {.ids = bare, .n_ids = 7}};
    cr_assert_eq(prepare(inputs, 2, false, BATCH_POOL_MEAN), STATUS_OK, "%s", err.message);
    cr_assert_eq(infer.n_items, 4u);
    expect_item(0, 0, "2 4 5 6 3", 0, 3);
    expect_item(1, 0, "2 6 7 8 3", 1, 4);
    expect_item(2, 1, "4 5 6 7", 0, 3);
    expect_item(3, 1, "7 8 9 10", 0, 4);
}

Test(prepare, what_three_windows_do_not_reach)
{
    const struct wire_input inputs[] = {text_of("a"), text_of("a b c d e f g h i j a b")};
    cr_assert_eq(prepare(inputs, 2, false, BATCH_POOL_MEAN), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "`inputs[1]` must have at most 12 tokens to fit into 3 chunks. Given: 14"), "%s",
              err.message);
    cr_assert_eq(prepare(inputs, 2, true, BATCH_POOL_MEAN), STATUS_OK, "%s", err.message);
    cr_assert_eq(infer.n_items, 4u);
    expect_item(3, 1, "2 10 11 12 13 3", 1, 5);
    expect_input(1, 1, 3, 12, true);
}

/* Where the model says so, pooling leaves out [CLS] and the prompt, "a b " here, in front of every window. */
Test(prepare, a_prompt_that_is_not_pooled)
{
    const struct wire_input inputs[] = {text_of("c"), text_of("c d e")};
    server.prompts.standard = (struct wire_string){"a b ", 4};
    server.options.unpooled_prompt = true;
    cr_assert_eq(prepare(inputs, 2, false, BATCH_POOL_MEAN), STATUS_OK, "%s", err.message);
    cr_assert_eq(infer.n_items, 3u);
    expect_item(0, 0, "2 4 5 6 3", 3, 2);
    expect_item(1, 1, "2 4 5 6 7 3", 3, 1);
    expect_item(2, 1, "2 4 5 7 8 3", 3, 3);
    expect_input(0, 0, 1, 5, false);
    expect_input(1, 1, 2, 7, false);
    cr_assert_eq(prepare(inputs, 2, false, BATCH_POOL_CLS), STATUS_OK, "%s", err.message);
    expect_item(0, 0, "2 4 5 6 3", 3, 2);
    expect_item(1, 1, "2 4 5 6 7 3", 3, 1);
    expect_item(2, 1, "2 4 5 7 8 3", 3, 3);
    cr_assert_eq(prepare(inputs, 2, false, BATCH_POOL_NONE), STATUS_OK, "%s", err.message);
    expect_item(0, 0, "2 4 5 6 3", 0, 5);
    expect_item(1, 1, "2 4 5 6 7 3", 0, 4);
    server.prompts.standard = (struct wire_string){"", 0};
    cr_assert_eq(prepare(inputs, 2, false, BATCH_POOL_MEAN), STATUS_OK, "%s", err.message);
    expect_item(0, 0, "2 6 3", 0, 3);
}

Test(prepare, ids_outside_the_vocabulary_are_named)
{
    static const uint32_t ids[] = {2, 4, 99, 3};
    const struct wire_input inputs[] = {text_of("a"), {.ids = ids, .n_ids = 4}};
    cr_assert_eq(prepare(inputs, 2, true, BATCH_POOL_MEAN), STATUS_VALIDATION);
    cr_expect_str_eq(err.message, "`inputs[1]`: 99 is not the id of a token (the vocabulary has 14 entries)");
}

Test(prepare, memory_is_reserved)
{
    const struct wire_input inputs[] = {text_of("a b c d e f g h i j"), text_of("a")};
    server.options.max_memory = 300;
    cr_assert_eq(prepare(inputs, 2, true, BATCH_POOL_MEAN), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "--max-request-memory"), "%s", err.message);
    http_call_finish(&call);
    cr_expect_eq(atomic_load(&server.memory), 0u);
}

Test(prepare, memory_runs_out)
{
    const struct wire_input inputs[] = {text_of("a b c d e f g h i j"), text_of("a"), text_of("a b c d e f g")};
    bool done = false;
    int failures = 0;
    for (long n = 0; n < 200 && !done; n++) {
        mem_fail_after(n);
        enum status status = prepare(inputs, 3, true, BATCH_POOL_MEAN);
        mem_fail_after(-1);
        cr_assert(status == STATUS_OK || status == STATUS_NO_MEMORY, "%s", err.message);
        done = status == STATUS_OK;
        failures += !done;
    }
    cr_expect(done && failures > 3, "%d", failures);
}
