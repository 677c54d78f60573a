/* From inputs to items, without boards: what each item computes, which input it belongs to, and what memory costs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/serve/prepare.h"
#include "server/serve/server.h"
#include "tests/serve/vocab.h"

enum { LIMIT = 6, WIDTH = 8 };

static struct serve_server server;
static struct token_vocab *vocab;
static struct serve_call call;
static struct serve_infer infer;
static enum token_direction direction;
static struct error err;

static void begin(void)
{
    vocab = letters_vocab();
    server.options = (struct serve_options){
        .vocab = vocab, .max_input_length = LIMIT, .max_chunks = 3, .max_memory = 1 << 20, .width = WIDTH};
    server.prompts = (struct serve_prompts){0};
}

static void end(void)
{
    serve_call_finish(&call);
    token_vocab_destroy(&vocab);
}

TestSuite(prepare, .init = begin, .fini = end);

static enum status prepare(const struct serve_input *items, uint32_t n, bool truncate, enum batch_pooling pooling)
{
    serve_call_finish(&call);
    serve_call_init(&call, &server);
    call.arena = arena_create(1 << 20);
    struct serve_infer_spec spec = {.inputs = {.items = items, .n = n, .single = n == 1},
                                    .truncate = truncate,
                                    .chunk = true,
                                    .chunk_overlap = 1,
                                    .direction = direction,
                                    .pooling = pooling};
    infer = (struct serve_infer){.call = &call, .width = WIDTH};
    return call.arena ? serve_prepare_items(&infer, &spec, &err) : STATUS_NO_MEMORY;
}

static struct serve_input text_of(const char *text)
{
    return (struct serve_input){.text = {text, strlen(text)}};
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
    const struct serve_infer_input *input = &infer.inputs[index];
    cr_expect_eq(input->first_item, first_item, "%u", index);
    cr_expect_eq(input->n_items, n_items, "%u", index);
    cr_expect_eq(input->n_tokens, n_tokens, "%u", index);
    cr_expect_eq(input->truncated, truncated, "%u", index);
}

/* Four tokens fit between [CLS] and [SEP]; windows share one. */
Test(prepare, windows_know_their_input)
{
    const struct serve_input inputs[] = {text_of("a"), text_of("a b c d e f g"), text_of("b")};
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
    const struct serve_input inputs[] = {{.ids = framed, .n_ids = 7}, {.ids = bare, .n_ids = 7}};
    cr_assert_eq(prepare(inputs, 2, false, BATCH_POOL_MEAN), STATUS_OK, "%s", err.message);
    cr_assert_eq(infer.n_items, 4u);
    expect_item(0, 0, "2 4 5 6 3", 0, 3);
    expect_item(1, 0, "2 6 7 8 3", 1, 4);
    expect_item(2, 1, "4 5 6 7", 0, 3);
    expect_item(3, 1, "7 8 9 10", 0, 4);
}

Test(prepare, what_three_windows_do_not_reach)
{
    const struct serve_input inputs[] = {text_of("a"), text_of("a b c d e f g h i j a b")};
    cr_assert_eq(prepare(inputs, 2, false, BATCH_POOL_MEAN), STATUS_VALIDATION);
    cr_expect(strstr(err.message,
                     "`inputs[1]` must have at most 12 tokens to fit into 3 chunks. Given: 14 (see --max-chunks)"),
              "%s", err.message);
    cr_assert_eq(prepare(inputs, 2, true, BATCH_POOL_MEAN), STATUS_OK, "%s", err.message);
    cr_assert_eq(infer.n_items, 4u);
    expect_item(3, 1, "2 10 11 12 13 3", 1, 5);
    expect_input(1, 1, 3, 12, true);
}

/* With a prompt and [CLS] before each window and [SEP] behind it. */
static enum status prepare_after(const char *prompt, const char *text, bool truncate)
{
    const struct serve_input input = text_of(text);
    server.prompts.standard = (struct serve_string){prompt, strlen(prompt)};
    return prepare(&input, 1, truncate, BATCH_POOL_MEAN);
}

/* Its last token ends exactly where the text begins, or before. */
Test(prepare, a_prompt_ends_where_the_text_begins)
{
    static const char *const prompts[] = {"a b", "a b "};
    static const char *const texts[] = {" c d e f", "c d e f"};
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(prepare_after(prompts[i], texts[i], false), STATUS_OK, "%s", err.message);
        cr_assert_eq(infer.n_items, 3u);
        expect_item(0, 0, "2 4 5 6 7 3", 0, 4);
        expect_item(1, 0, "2 4 5 7 8 3", 3, 1);
        expect_item(2, 0, "2 4 5 8 9 3", 3, 3);
    }
    cr_assert_eq(prepare_after("a b", " ", false), STATUS_OK, "%s", err.message);
    expect_item(0, 0, "2 4 5 3", 0, 4);
    cr_assert_eq(prepare_after("", "c d e f g", false), STATUS_OK, "%s", err.message);
    expect_item(1, 0, "2 8 9 10 3", 1, 4);
}

Test(prepare, a_prompt_leaves_room_for_one_token_or_none)
{
    cr_assert_eq(prepare_after("a b c", " d e f", false), STATUS_OK, "%s", err.message);
    cr_assert_eq(infer.n_items, 3u);
    expect_item(0, 0, "2 4 5 6 7 3", 0, 5);
    expect_item(1, 0, "2 4 5 6 8 3", 4, 1);
    expect_item(2, 0, "2 4 5 6 9 3", 4, 2);
    cr_assert_eq(prepare_after("a b c d", " e", false), STATUS_VALIDATION);
    cr_expect(
        strstr(err.message,
               "`inputs`: a prompt of 6 tokens leaves no room for a text within 6 tokens (see --max-input-length)"),
        "%s", err.message);
}

/* Four tokens beside [CLS] and [SEP] need no window, ten are what three windows reach. */
Test(prepare, as_many_tokens_as_fit)
{
    cr_assert_eq(prepare_after("", "a b c d", false), STATUS_OK, "%s", err.message);
    cr_assert_eq(infer.n_items, 1u);
    expect_item(0, 0, "2 4 5 6 7 3", 0, 6);
    expect_input(0, 0, 1, 6, false);
    cr_assert_eq(prepare_after("", "a b c d e f g h i j", false), STATUS_OK, "%s", err.message);
    cr_assert_eq(infer.n_items, 3u);
    expect_item(2, 0, "2 10 11 12 13 3", 1, 5);
    expect_input(0, 0, 3, 12, false);
    cr_assert_eq(prepare_after("", "a b c d e f g h i j a", false), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "Given: 13"), "%s", err.message);
    cr_assert_eq(prepare_after("", "a b c d e f g h i j a", true), STATUS_OK, "%s", err.message);
    expect_input(0, 0, 3, 12, true);
}

Test(prepare, the_beginning_is_left_out_where_asked)
{
    const struct serve_input input = text_of("a b c d e f g h i j a b");
    direction = TOKEN_LEFT;
    cr_assert_eq(prepare(&input, 1, true, BATCH_POOL_MEAN), STATUS_OK, "%s", err.message);
    expect_item(0, 0, "2 6 7 8 9 3", 0, 4);
    expect_item(2, 0, "2 12 13 4 5 3", 1, 5);
    expect_input(0, 0, 3, 12, true);
}

/* Of two special tokens the one counts as beginning, the other as end; of one, as beginning. */
Test(prepare, nothing_but_special_tokens)
{
    static const uint32_t one[] = {2}, two[] = {2, 3};
    const struct serve_input inputs[] = {{.ids = one, .n_ids = 1}, {.ids = two, .n_ids = 2}, text_of(" ")};
    cr_assert_eq(prepare(inputs, 3, false, BATCH_POOL_MEAN), STATUS_OK, "%s", err.message);
    cr_assert_eq(infer.n_items, 3u);
    expect_item(0, 0, "2", 0, 1);
    expect_item(1, 1, "2 3", 0, 2);
    expect_item(2, 2, "2 3", 0, 2);
    expect_input(0, 0, 1, 1, false);
    static const uint32_t unknown[] = {99};
    const struct serve_input none = {.ids = unknown, .n_ids = 1};
    cr_assert_eq(prepare(&none, 1, false, BATCH_POOL_MEAN), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "`inputs`: 99 is not the id of a token"), "%s", err.message);
}

/* Where the model says so, pooling leaves out [CLS] and the prompt, "a b " here, in front of every window. */
Test(prepare, a_prompt_that_is_not_pooled)
{
    const struct serve_input inputs[] = {text_of("c"), text_of("c d e")};
    server.prompts.standard = (struct serve_string){"a b ", 4};
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
    server.prompts.standard = (struct serve_string){"", 0};
    cr_assert_eq(prepare(inputs, 2, false, BATCH_POOL_MEAN), STATUS_OK, "%s", err.message);
    expect_item(0, 0, "2 6 3", 0, 3);
}

Test(prepare, ids_outside_the_vocabulary_are_named)
{
    static const uint32_t ids[] = {2, 4, 99, 3};
    const struct serve_input inputs[] = {text_of("a"), {.ids = ids, .n_ids = 4}};
    cr_assert_eq(prepare(inputs, 2, true, BATCH_POOL_MEAN), STATUS_VALIDATION);
    cr_expect_str_eq(err.message, "`inputs[1]`: 99 is not the id of a token (the vocabulary has 14 entries)");
}

Test(prepare, memory_is_reserved)
{
    const struct serve_input inputs[] = {text_of("a b c d e f g h i j"), text_of("a")};
    server.options.max_memory = 300;
    cr_assert_eq(prepare(inputs, 2, true, BATCH_POOL_MEAN), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "--max-request-memory"), "%s", err.message);
    serve_call_finish(&call);
    cr_expect_eq(atomic_load(&server.memory), 0u);
}

Test(prepare, memory_runs_out)
{
    const struct serve_input inputs[] = {text_of("a b c d e f g h i j"), text_of("a"), text_of("a b c d e f g")};
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
