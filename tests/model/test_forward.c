/* Boards against an independent forward pass (forward.py: NumPy, binary64) on random models of many shapes.
 *
 * The int8 bounds are measured ones that leave twice the measured distance to 1. Random weights have no structure: an
 * error in one layer is noise in the next and adds up with the depth, to a mean of 0.9994 a token after twelve layers.
 * So these bounds say that nothing is wrong with a shape, not how good int8 is; that is test_golden.c. A missing bias
 * costs ten times as much, a swapped head a hundred times. What is smaller than int8's own noise shows in the
 * comparison of the binary32 board, which has the same loader. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "server/model/model.h"
#include "tests/model/board_run.h"
#include "tests/model/writer.h"

struct forward_case {
    const char *name;
    const char *make;               /* arguments of forward.py make */
    const char *lengths;            /* of the sequences, in one batch */
    double mean_cosine, min_cosine; /* int8 */
    enum model_pooling pooling;
    bool normalize;
};

static const struct forward_case forward_cases[] = {
    {"BERT-base at 512 tokens", "--hidden 768 --heads 12 --layers 12 --intermediate 3072", "512", 0.9988, 0.9986,
     MODEL_POOL_CLS, false},
    {"TinyBERT", "--hidden 312 --heads 12 --layers 5 --intermediate 1200 --act relu --pooling cls", "1,7,100", 0.9992,
     0.9985, MODEL_POOL_CLS, false},
    {"BERT-tiny", "--hidden 128 --heads 2 --layers 2 --act gelu_new --eps 1e-5 --pooling max --normalize", "3,64,200",
     0.9994, 0.9956, MODEL_POOL_MAX, true},
    {"odd widths in BF16",
     "--hidden 36 --heads 3 --layers 3 --intermediate 100 --act gelu_pytorch_tanh --eps 1e-3 --dtype BF16 --vocab 61 "
     "--types 1 --positions 40 --pooling mean --normalize",
     "40,1,2,17", 0.9996, 0.9986, MODEL_POOL_MEAN, true},
    {"wide heads in F16", "--hidden 192 --heads 1 --layers 4 --intermediate 64 --dtype F16 --pooling mean", "33,16,15",
     0.9989, 0.9969, MODEL_POOL_MEAN, false},
};

static void run_python(const char *command, const char *dir, const char *arguments)
{
    char line[1024];
    snprintf(line, sizeof line, "/usr/bin/python3 '%s/tests/model/forward.py' %s '%s' %s", SOURCE_DIR, command, dir,
             arguments);
    cr_assert_eq(system(line), 0, "%s", line);
}

static bool have_numpy(void)
{
    if (system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") == 0)
        return true;
    fprintf(stderr, "skipped: /usr/bin/python3 has no numpy (apt-get install python3-numpy)\n");
    return false;
}

static struct file_map map_output(const char *dir, const char *suffix)
{
    char path[600];
    struct file_map map;
    struct error err;
    snprintf(path, sizeof path, "%s/out.%s", dir, suffix);
    cr_assert_eq(file_map(&map, path, &err), STATUS_OK, "%s", err.message);
    return map;
}

/* "3,64,200" -> {0, 3, 67, 267} */
static uint32_t parse_lengths(const char *text, uint32_t *cu_seqlens)
{
    uint32_t n = 0;
    cu_seqlens[0] = 0;
    for (char *end = (char *)text; *end; n++)
        cu_seqlens[n + 1] = cu_seqlens[n] + (uint32_t)strtoul(end + (*end == ','), &end, 10);
    return n;
}

static struct board_difference run(const char *kind, const char *dir, const struct forward_case *forward,
                                   enum image_precision precision)
{
    uint32_t cu_seqlens[8], n = parse_lengths(forward->lengths, cu_seqlens), rows = cu_seqlens[n];
    struct model_info info;
    struct image *image;
    struct error err;
    cr_assert_eq(model_read_info(&info, dir, false, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(info.pooling, forward->pooling);
    cr_assert_eq(info.normalize, forward->normalize);
    cr_assert_eq(model_load_image(&image, dir, &info, precision, board_sections("emu"), &err), STATUS_OK, "%s",
                 err.message);
    struct file_map ids = map_output(dir, "ids"), expected = map_output(dir, "f32");
    cr_assert_eq(ids.size, rows * sizeof(uint32_t));
    cr_assert_eq(expected.size, (size_t)rows * info.shape.hidden * sizeof(float));
    float *hidden = calloc((size_t)rows * info.shape.hidden, sizeof *hidden);
    struct board *board = board_run_open(kind, image);
    board_run(board, image, (const uint32_t *)(const void *)ids.data, cu_seqlens, n, hidden);
    struct board_difference difference =
        board_compare(hidden, (const float *)(const void *)expected.data, rows, info.shape.hidden);
    printf("%s, %s: largest difference %.2g, token cosine mean %.6f min %.6f\n", forward->name, kind,
           difference.max_abs, difference.mean_cosine, difference.min_cosine);
    board_close(&board);
    image_release(&image);
    free(hidden);
    file_unmap(&ids);
    file_unmap(&expected);
    return difference;
}

static void check(const struct forward_case *forward)
{
    if (!have_numpy())
        cr_skip("/usr/bin/python3 has no numpy");
    char *dir = writer_directory(), arguments[256];
    run_python("make", dir, forward->make);
    snprintf(arguments, sizeof arguments, "--lengths %s --out '%s/out'", forward->lengths, dir);
    run_python("hidden", dir, arguments);
    struct board_difference fp32 = run("fp32", dir, forward, IMAGE_FP32);
    struct board_difference int8 = run("emu", dir, forward, IMAGE_INT8);
    cr_expect_lt(fp32.max_abs, 1e-4);
    cr_expect_gt(fp32.min_cosine, 0.999999);
    cr_expect_geq(int8.mean_cosine, forward->mean_cosine);
    cr_expect_geq(int8.min_cosine, forward->min_cosine);
    writer_remove(dir);
}

Test(forward, bert_base)
{
    check(&forward_cases[0]);
}

Test(forward, other_shapes)
{
    for (size_t i = 1; i < sizeof forward_cases / sizeof *forward_cases; i++)
        check(&forward_cases[i]);
}
