/* Every allocation of the room fails in turn: the call says so, leaves its result alone, and leaks nothing. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/token/token.h"
#include "tests/token/support.h"

/* A call to try; it must check by itself that a failure touches nothing. */
typedef enum status attempt(void *cookie, struct error *err);

/* jansson takes some of its own lack of memory for an error in the text. */
static bool is_parsers(enum status status, const struct error *err)
{
    return status == STATUS_FORMAT && strstr(err->message, "line 1, column");
}

static void fail_each(attempt *call, void *cookie, long at_least)
{
    long n = 0;
    enum status status;
    do {
        struct error err = {0};
        mem_fail_after(n);
        status = call(cookie, &err);
        mem_fail_after(-1);
        cr_assert(status == STATUS_OK || (status == STATUS_NO_MEMORY && err.message[0]) || is_parsers(status, &err),
                  "allocation %ld: %s: %s", n, status_name(status), err.message);
        n++;
    } while (status != STATUS_OK);
    cr_assert_gt(n, at_least, "%ld allocations failed in turn", n - 1);
}

static enum status try_parse(void *cookie, struct error *err)
{
    const char *json = cookie;
    struct token_vocab *vocab = NULL;
    enum status status = token_vocab_parse(&vocab, json, strlen(json), err);
    cr_assert_eq(vocab != NULL, status == STATUS_OK);
    token_vocab_destroy(&vocab);
    return status;
}

Test(memory, parsing)
{
    static const char *const names[] = {"uncased", "added", "bare"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *json = support_tokenizer_text(names[i]);
        fail_each(try_parse, json, 12); /* not the parser's own: jansson asserts where a string's buffer cannot grow */
        free(json);
    }
}

static enum status try_load(void *cookie, struct error *err)
{
    struct token_vocab *vocab = NULL;
    enum status status = token_vocab_load(&vocab, cookie, err);
    cr_assert_eq(vocab != NULL, status == STATUS_OK);
    token_vocab_destroy(&vocab);
    return status;
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0);
    fclose(file);
}

Test(memory, loading_vocab_txt)
{
    char dir[] = "/tmp/bertd-token-XXXXXX", path[256];
    cr_assert(mkdtemp(dir));
    write_file(dir, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n");
    write_file(dir, "tokenizer_config.json", "{\"do_lower_case\": false}");
    write_file(dir, "special_tokens_map.json", "{\"mask_token\": {\"content\": \"a\", \"lstrip\": true}}");
    write_file(dir, "added_tokens.json", "{\"[ENT]\": 8, \"<item>\": 7}");
    json_set_alloc_funcs(mem_alloc, mem_free);
    fail_each(try_load, dir, 40);
    json_set_alloc_funcs(malloc, free);
    snprintf(path, sizeof path, "rm -r %s", dir);
    cr_assert_eq(system(path), 0);
}

struct job {
    const struct token_vocab *vocab;
    const char *text;
    struct token_options options;
    bool pair;
};

static enum status try_encode(void *cookie, struct error *err)
{
    const struct job *job = cookie;
    struct arena *arena = arena_create(1 << 20);
    if (!arena)
        return error_set(err, STATUS_NO_MEMORY, "no arena");
    struct token_encoding e = {.n = 77};
    size_t len = strlen(job->text);
    enum status status =
        job->pair ? token_encode_pair(job->vocab, job->text, len, job->text, len, &job->options, arena, &e, err)
                  : token_encode(job->vocab, job->text, len, &job->options, arena, &e, err);
    cr_assert_eq(e.n == 77 && !e.ids, status != STATUS_OK);
    char *text = NULL;
    size_t text_len = 77;
    if (status == STATUS_OK) {
        status = token_decode(job->vocab, e.ids, e.n, false, arena, &text, &text_len, err);
        cr_assert_eq(text == NULL && text_len == 77, status != STATUS_OK);
    }
    arena_destroy(&arena);
    return status;
}

Test(memory, encoding)
{
    static const char *const names[] = {"uncased", "added", "raw"};
    char *text = calloc(1, 20000);
    for (int i = 0; i < 900; i++)
        strcat(text, i % 3 ? "the cat, tok " : "é\u302e\u0301[MASK] ");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct token_vocab *vocab = support_tokenizer(names[i]);
        struct job job = {.vocab = vocab, .text = text, .options = {.add_special_tokens = true}};
        fail_each(try_encode, &job, 6);
        job.pair = true;
        job.options = (struct token_options){true, 300, TOKEN_LEFT};
        fail_each(try_encode, &job, 6);
        token_vocab_destroy(&vocab);
    }
    free(text);
}
