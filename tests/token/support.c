#include "tests/token/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *support_model(void)
{
    static char dir[1024];
    const char *given = getenv("BERTD_TEST_MODEL"), *home = getenv("HOME");
    if (given)
        snprintf(dir, sizeof dir, "%s", given);
    else
        snprintf(dir, sizeof dir, "%s/.cache/bertd/models/all-MiniLM-L6-v2", home ? home : "");
    if (access(dir, R_OK) != 0) {
        fprintf(stderr, "skipped: no model at %s, run ./deploy/run --once\n", dir);
        cr_skip("no model at %s, run ./deploy/run --once", dir);
    }
    return dir;
}

const char *support_shared(const char *name)
{
    static char path[1200];
    const char *dir = getenv("BERTD_GOLDEN_DIR");
    if (!dir)
        dir = SOURCE_DIR "/../shared/golden";
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (access(path, R_OK) != 0) {
        fprintf(stderr, "skipped: no golden data at %s\n", dir);
        cr_skip("no golden data at %s", dir);
    }
    return path;
}

char *support_tokenizer_text(const char *name)
{
    json_error_t why;
    json_t *all = json_load_file(SOURCE_DIR "/tests/token/golden/tokenizers.json", 0, &why);
    cr_assert(all, "tokenizers.json: %s", why.text);
    char *text = json_dumps(json_object_get(all, name), 0);
    cr_assert(text, "tokenizers.json has no %s", name);
    json_decref(all);
    return text;
}

struct token_vocab *support_parse(const char *json)
{
    struct token_vocab *vocab = NULL;
    struct error err = {0};
    cr_assert_eq(token_vocab_parse(&vocab, json, strlen(json), &err), STATUS_OK, "%s", err.message);
    return vocab;
}

struct token_vocab *support_tokenizer(const char *name)
{
    char *text = support_tokenizer_text(name);
    struct token_vocab *vocab = support_parse(text);
    free(text);
    return vocab;
}

int support_each_line(const char *path, support_case *call, void *cookie)
{
    FILE *file = fopen(path, "r");
    cr_assert(file, "%s", path);
    char *line = NULL;
    size_t capacity = 0;
    int n = 0;
    while (getline(&line, &capacity, file) > 0) {
        json_error_t why;
        json_t *object = json_loads(line, JSON_ALLOW_NUL, &why);
        cr_assert(object, "%s line %d: %s", path, n + 1, why.text);
        call(object, cookie);
        json_decref(object);
        n++;
    }
    free(line);
    fclose(file);
    return n;
}

struct token_encoding support_encode(const struct token_vocab *vocab, const json_t *text, const json_t *pair,
                                     const struct token_options *options, struct arena *arena)
{
    struct token_encoding e = {0};
    struct error err = {0};
    enum status status;
    if (pair)
        status = token_encode_pair(vocab, json_string_value(text), json_string_length(text), json_string_value(pair),
                                   json_string_length(pair), options, arena, &e, &err);
    else
        status = token_encode(vocab, json_string_value(text), json_string_length(text), options, arena, &e, &err);
    cr_assert_eq(status, STATUS_OK, "%s", err.message);
    return e;
}

static bool equal_span(const struct token_encoding *e, uint32_t i, const json_t *span)
{
    if (json_is_null(span))
        return e->template_token[i];
    return !e->template_token[i] && e->spans[i].start == json_integer_value(json_array_get(span, 0)) &&
           e->spans[i].stop == json_integer_value(json_array_get(span, 1));
}

bool support_equal(const struct token_encoding *e, const json_t *ids, const json_t *spans, const json_t *line)
{
    bool equal = e->n == json_array_size(ids);
    uint32_t i = 0;
    while (equal && i < e->n) {
        equal = e->ids[i] == json_integer_value(json_array_get(ids, i)) && equal_span(e, i, json_array_get(spans, i));
        i += equal;
    }
    if (!equal) {
        char *text = json_dumps(line, JSON_ENSURE_ASCII | JSON_COMPACT);
        fprintf(stderr, "differs at token %u of %u: %s\n", i, e->n, text);
        free(text);
    }
    return equal;
}

size_t support_put_utf8(uint8_t *to, uint32_t cp)
{
    int tails = cp < 0x80 ? 0 : cp < 0x800 ? 1 : cp < 0x10000 ? 2 : 3;
    size_t len = 0;
    to[len++] = (uint8_t)(tails ? (0xFF00U >> (tails + 1) & 0xFF) | cp >> 6 * tails : cp);
    for (int i = tails - 1; i >= 0; i--)
        to[len++] = (uint8_t)(0x80 | (cp >> 6 * i & 0x3F));
    return len;
}

/* A directory of files, made for a test. */
static char dir[64];

const char *support_dir(void)
{
    return dir;
}

void support_make_dir(void)
{
    strcpy(dir, "/tmp/bertd-token-XXXXXX");
    cr_assert(mkdtemp(dir));
}

void support_put_bytes(const char *name, const char *bytes, size_t len)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    cr_assert(file && fwrite(bytes, 1, len, file) == len);
    fclose(file);
}

void support_put_file(const char *name, const char *text)
{
    support_put_bytes(name, text, strlen(text));
}

void support_remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", dir);
    cr_assert_eq(system(command), 0);
}

struct token_vocab *support_load_dir(void)
{
    struct token_vocab *vocab = NULL;
    struct error err = {0};
    cr_assert_eq(token_vocab_load(&vocab, dir, &err), STATUS_OK, "%s", err.message);
    return vocab;
}

void support_expect_load_error(enum status status, const char *words)
{
    struct token_vocab *vocab = NULL;
    struct error err = {0};
    cr_assert_eq(token_vocab_load(&vocab, dir, &err), status, "%s", err.message);
    cr_assert(strstr(err.message, words), "\"%s\" does not say \"%s\"", err.message, words);
    cr_assert_null(vocab);
}

void support_expect_ids(const struct token_vocab *vocab, const char *text, const uint32_t *ids, uint32_t n)
{
    struct arena *arena = arena_create(1 << 20);
    struct token_options options = {.add_special_tokens = true};
    struct token_encoding e;
    cr_assert_eq(token_encode(vocab, text, strlen(text), &options, arena, &e, NULL), STATUS_OK);
    cr_assert_eq(e.n, n, "%s: %u tokens", text, e.n);
    for (uint32_t i = 0; i < n; i++)
        cr_assert_eq(e.ids[i], ids[i], "%s: id %u is %u", text, i, e.ids[i]);
    arena_destroy(&arena);
}
