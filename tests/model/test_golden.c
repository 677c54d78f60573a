/* The real model's embeddings against what others computed: tests/golden (always), and the larger golden data at
 * $BERTD_GOLDEN_DIR (default ../shared/golden beside the repository) where there are any.
 *
 * Bounds: binary32 within 1e-4 a value; int8 by the cosine of embeddings, mean >= 0.9995 and min >= 0.998, and of
 * tokens, mean >= 0.9993 (docs/numerics.md). */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "server/model/model.h"
#include "server/token/token.h"
#include "tests/model/board_run.h"
#include "tests/model/real.h"

enum { WIDTH = 384, MAX_TOKENS = 512 };

/* A board with the real model on it. */
struct bench {
    struct image *image;
    struct board *board;
};

static struct bench bench_open(const char *kind, enum image_precision precision)
{
    const char *dir = real_model();
    struct bench bench;
    struct model_info info;
    struct error err;
    cr_assert_eq(model_read_info(&info, dir, false, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(model_load_image(&bench.image, dir, &info, precision, board_sections("emu"), &err), STATUS_OK, "%s",
                 err.message);
    cr_assert_eq(bench.image->shape.hidden, WIDTH);
    bench.board = board_run_open(kind, bench.image);
    return bench;
}

static void bench_close(struct bench *bench)
{
    board_close(&bench->board);
    image_release(&bench->image);
}

static void encode_rows(const struct bench *bench, const uint32_t *ids, uint32_t n, float *hidden)
{
    board_run(bench->board, bench->image, ids, (const uint32_t[]){0, n}, 1, hidden);
}

static void embed(const struct bench *bench, const uint32_t *ids, uint32_t n, float *ret)
{
    float *hidden = malloc((size_t)n * WIDTH * sizeof *hidden);
    double mean[WIDTH] = {0}, length = 0;
    encode_rows(bench, ids, n, hidden);
    for (uint32_t row = 0; row < n; row++)
        for (int i = 0; i < WIDTH; i++)
            mean[i] += (double)hidden[(size_t)row * WIDTH + i] / n;
    for (int i = 0; i < WIDTH; i++)
        length += mean[i] * mean[i];
    for (int i = 0; i < WIDTH; i++)
        ret[i] = (float)(mean[i] / sqrt(length));
    free(hidden);
}

static uint32_t read_ids(const json_t *array, uint32_t *ids)
{
    uint32_t n = (uint32_t)json_array_size(array);
    cr_assert(n >= 1 && n <= MAX_TOKENS);
    for (uint32_t i = 0; i < n; i++)
        ids[i] = (uint32_t)json_integer_value(json_array_get(array, i));
    return n;
}

static void read_floats(const json_t *array, float *ret, size_t n)
{
    cr_assert_eq(json_array_size(array), n);
    for (size_t i = 0; i < n; i++)
        ret[i] = (float)json_number_value(json_array_get(array, i));
}

static json_t *load_json(const char *dir, const char *name)
{
    char path[1200];
    json_error_t why;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &why);
    cr_assert(root, "%s: %s", path, why.text);
    return root;
}

static const char *shared_golden(void)
{
    const char *dir = getenv("BERTD_GOLDEN_DIR");
    if (!dir)
        dir = SOURCE_DIR "/../shared/golden";
    if (access(dir, R_OK) != 0) {
        fprintf(stderr, "skipped: no golden data at %s\n", dir);
        cr_skip("no golden data at %s", dir);
    }
    return dir;
}

/* Our own set. ---------------------------------------------------------------------------------------------------- */

static void compare_own(const char *kind, enum image_precision precision, double max_abs, double mean_cosine,
                        double min_cosine)
{
    struct bench bench = bench_open(kind, precision);
    json_t *cases = load_json(SOURCE_DIR "/tests/golden", "minilm.json");
    uint32_t n = (uint32_t)json_array_size(cases), ids[MAX_TOKENS];
    float *got = calloc(n, sizeof(float[WIDTH])), *expected = calloc(n, sizeof(float[WIDTH]));
    cr_assert_geq(n, 12);
    for (uint32_t i = 0; i < n; i++) {
        json_t *golden = json_array_get(cases, i);
        uint32_t n_ids = read_ids(json_object_get(golden, "ids"), ids);
        embed(&bench, ids, n_ids, got + (size_t)i * WIDTH);
        read_floats(json_object_get(golden, "embedding"), expected + (size_t)i * WIDTH, WIDTH);
    }
    struct board_difference difference = board_compare(got, expected, n, WIDTH);
    printf("tests/golden, %s: %u embeddings, largest difference %.2g, cosine mean %.6f min %.6f\n", kind, n,
           difference.max_abs, difference.mean_cosine, difference.min_cosine);
    cr_expect_leq(difference.max_abs, max_abs);
    cr_expect_geq(difference.mean_cosine, mean_cosine);
    cr_expect_geq(difference.min_cosine, min_cosine);
    json_decref(cases);
    free(got);
    free(expected);
    bench_close(&bench);
}

Test(golden, own_fp32)
{
    compare_own("fp32", IMAGE_FP32, 1e-4, 0.9999999, 0.999999);
}

Test(golden, own_int8)
{
    compare_own("emu", IMAGE_INT8, 0.02, 0.9995, 0.998);
}

static struct token_vocab *load_vocab(void)
{
    struct token_vocab *vocab;
    struct error err;
    cr_assert_eq(token_vocab_load(&vocab, real_model(), &err), STATUS_OK, "%s", err.message);
    return vocab;
}

/* ret  [MAX_TOKENS]; returns how many, and in ret_full how many without truncation to `max_tokens`. */
static uint32_t tokenize(const struct token_vocab *vocab, const json_t *text, uint32_t max_tokens, uint32_t *ret,
                         uint32_t *ret_full)
{
    struct arena *arena = arena_create(64 << 20);
    struct token_options options = {.add_special_tokens = true, .max_tokens = max_tokens};
    struct token_encoding encoding;
    struct error err;
    enum status status =
        token_encode(vocab, json_string_value(text), json_string_length(text), &options, arena, &encoding, &err);
    cr_assert_eq(status, STATUS_OK, "%s", err.message);
    cr_assert_leq(encoding.n, MAX_TOKENS);
    uint32_t n = encoding.n;
    memcpy(ret, encoding.ids, n * sizeof *ret);
    *ret_full = encoding.n_full;
    arena_destroy(&arena);
    return n;
}

Test(golden, own_ids)
{
    struct token_vocab *vocab = load_vocab();
    json_t *cases = load_json(SOURCE_DIR "/tests/golden", "minilm.json"), *golden;
    uint32_t expected[MAX_TOKENS], ids[MAX_TOKENS], full;
    size_t i;
    json_array_foreach(cases, i, golden)
    {
        uint32_t n = read_ids(json_object_get(golden, "ids"), expected);
        cr_assert_eq(tokenize(vocab, json_object_get(golden, "text"), 0, ids, &full), n);
        cr_assert(memcmp(ids, expected, n * sizeof *ids) == 0, "%s",
                  json_string_value(json_object_get(golden, "text")));
    }
    json_decref(cases);
    token_vocab_destroy(&vocab);
}

/* The larger set. ------------------------------------------------------------------------------------------------- */

Test(golden, hidden_fp32)
{
    json_t *cases = load_json(shared_golden(), "hidden.json"), *golden;
    struct bench bench = bench_open("fp32", IMAGE_FP32);
    uint32_t ids[MAX_TOKENS];
    double worst = 0, worst_norm = 0;
    size_t i;
    json_array_foreach(cases, i, golden)
    {
        uint32_t n = read_ids(json_object_get(golden, "ids"), ids);
        float *hidden = malloc((size_t)n * WIDTH * sizeof *hidden), expected[8], norms[MAX_TOKENS];
        const json_t *rows = json_object_get(golden, "rows4x8");
        encode_rows(&bench, ids, n, hidden);
        for (size_t row = 0; row < json_array_size(rows); row++) {
            read_floats(json_array_get(rows, row), expected, 8);
            for (size_t c = 0; c < 8; c++)
                worst = fmax(worst, fabs((double)hidden[row * WIDTH + c] - (double)expected[c]));
        }
        read_floats(json_object_get(golden, "row_norms"), norms, n);
        for (uint32_t row = 0; row < n; row++) {
            double sum = 0;
            for (int c = 0; c < WIDTH; c++)
                sum += pow((double)hidden[(size_t)row * WIDTH + c], 2);
            worst_norm = fmax(worst_norm, fabs(sqrt(sum) - (double)norms[row]));
        }
        free(hidden);
    }
    printf("hidden.json, fp32: largest difference %.2g, of row norms %.2g\n", worst, worst_norm);
    cr_expect_leq(worst, 1e-4);
    cr_expect_leq(worst_norm, 1e-3);
    json_decref(cases);
    bench_close(&bench);
}

/* Tokens: int8 against our own binary32 board, on the texts of hidden.json. */
Test(golden, hidden_int8)
{
    json_t *cases = load_json(shared_golden(), "hidden.json"), *golden;
    struct bench fp32 = bench_open("fp32", IMAGE_FP32), int8 = bench_open("emu", IMAGE_INT8);
    uint32_t ids[MAX_TOKENS], rows = 0;
    double sum = 0, least = 1;
    size_t i;
    json_array_foreach(cases, i, golden)
    {
        uint32_t n = read_ids(json_object_get(golden, "ids"), ids);
        size_t size = (size_t)n * WIDTH * sizeof(float);
        float *got = malloc(size), *expected = malloc(size);
        encode_rows(&int8, ids, n, got);
        encode_rows(&fp32, ids, n, expected);
        struct board_difference difference = board_compare(got, expected, n, WIDTH);
        sum += difference.mean_cosine * n;
        rows += n;
        least = fmin(least, difference.min_cosine);
        free(got);
        free(expected);
    }
    printf("hidden.json, int8: %u tokens, cosine mean %.6f min %.6f\n", rows, sum / rows, least);
    cr_expect_geq(sum / rows, 0.9993);
    json_decref(cases);
    bench_close(&fp32);
    bench_close(&int8);
}

/* One line of embed.jsonl: `field` is the embedding of the text cut to `max_tokens`. */
struct embed_totals {
    uint32_t n;
    double max_abs, sum_cosine, min_cosine;
};

static void compare_embedding(const struct bench *bench, const struct token_vocab *vocab, const json_t *golden,
                              const char *field, uint32_t max_tokens, struct embed_totals *totals)
{
    float got[WIDTH], expected[WIDTH];
    uint32_t ids[MAX_TOKENS], full;
    const json_t *values = json_object_get(golden, field);
    if (!values)
        return;
    uint32_t n = tokenize(vocab, json_object_get(golden, "text"), max_tokens, ids, &full);
    cr_assert_eq(full, json_integer_value(json_object_get(golden, "n_tokens_full")));
    embed(bench, ids, n, got);
    read_floats(values, expected, WIDTH);
    struct board_difference difference = board_compare(got, expected, 1, WIDTH);
    totals->n++;
    totals->max_abs = fmax(totals->max_abs, difference.max_abs);
    totals->sum_cosine += difference.mean_cosine;
    totals->min_cosine = fmin(totals->min_cosine, difference.min_cosine);
}

static struct embed_totals compare_all(const char *kind, enum image_precision precision)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/embed.jsonl", shared_golden());
    struct embed_totals totals = {.min_cosine = 1};
    struct bench bench = bench_open(kind, precision);
    struct token_vocab *vocab = load_vocab();
    FILE *file = fopen(path, "rb");
    cr_assert(file, "%s", path);
    for (json_t *golden; (golden = json_loadf(file, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL));) {
        compare_embedding(&bench, vocab, golden, "embedding", 512, &totals);
        compare_embedding(&bench, vocab, golden, "embedding_256", 256, &totals);
        json_decref(golden);
    }
    fclose(file);
    printf("embed.jsonl, %s: %u embeddings, largest difference %.2g, cosine mean %.6f min %.6f\n", kind, totals.n,
           totals.max_abs, totals.sum_cosine / totals.n, totals.min_cosine);
    cr_assert_geq(totals.n, 64);
    token_vocab_destroy(&vocab);
    bench_close(&bench);
    return totals;
}

Test(golden, embed_fp32)
{
    struct embed_totals totals = compare_all("fp32", IMAGE_FP32);
    cr_expect_leq(totals.max_abs, 1e-4);
}

Test(golden, embed_int8)
{
    struct embed_totals totals = compare_all("emu", IMAGE_INT8);
    cr_expect_geq(totals.sum_cosine / totals.n, 0.9995);
    cr_expect_geq(totals.min_cosine, 0.998);
}
