/* The original work's check, on a real bert-base-uncased: the last_hidden_state of a text of 512 tokens, computed by a
 * binary32 board, begins -0.3746 -0.6989 -0.0004.
 *
 * The model (440 MB) is not fetched by anything here, and the original text is not known to us, so both are given:
 *
 *   BERTD_BERT_BASE_DIR   a directory with bert-base-uncased's config.json, model.safetensors and tokenizer
 *   BERTD_BERT_BASE_TEXT  the text; it is cut to 512 tokens. Without it, the text is "Hello, my dog is cute", whose
 *                         beginning every user of transformers has seen: -0.1144 0.1937 0.1250
 *   BERTD_BERT_BASE_PAD   1: where the text is shorter, [PAD] tokens fill it up to 512 and take part in attention, as
 *                         in a run without an attention mask. Otherwise there is no padding, which gives the text's
 *                         tokens what a run padded to 512 with its attention mask gives.
 *   BERTD_BERT_BASE_EXPECT  three other numbers to expect, "-0.3746 -0.6989 -0.0004"
 *
 * Without a directory the program says that it was skipped and returns 77, which ctest shows as skipped. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "server/model/model.h"
#include "server/token/token.h"
#include "tests/model/board_run.h"

enum { SKIPPED = 77, TOKENS = 512 };

static const char default_text[] = "Hello, my dog is cute";
static const double default_values[3] = {-0.1144, 0.1937, 0.1250};
static const double original_values[3] = {-0.3746, -0.6989, -0.0004};

static uint32_t tokenize(const char *dir, const char *text, uint32_t *ids)
{
    struct token_vocab *vocab;
    struct token_encoding encoding;
    struct token_options options = {.add_special_tokens = true, .max_tokens = TOKENS};
    struct arena *arena = arena_create(64 << 20);
    struct error err;
    cr_assert_eq(token_vocab_load(&vocab, dir, &err), STATUS_OK, "%s", err.message);
    enum status status = token_encode(vocab, text, strlen(text), &options, arena, &encoding, &err);
    cr_assert_eq(status, STATUS_OK, "%s", err.message);
    uint32_t n = encoding.n;
    memcpy(ids, encoding.ids, n * sizeof *ids);
    arena_destroy(&arena);
    token_vocab_destroy(&vocab);
    return n;
}

static void expected_values(double *ret)
{
    const char *given = getenv("BERTD_BERT_BASE_EXPECT");
    memcpy(ret, getenv("BERTD_BERT_BASE_TEXT") ? original_values : default_values, sizeof original_values);
    if (given)
        cr_assert_eq(sscanf(given, "%lf %lf %lf", &ret[0], &ret[1], &ret[2]), 3, "BERTD_BERT_BASE_EXPECT: %s", given);
}

Test(bert_base, last_hidden_state_begins_as_in_the_original_work)
{
    const char *dir = getenv("BERTD_BERT_BASE_DIR"), *text = getenv("BERTD_BERT_BASE_TEXT");
    const char *pad = getenv("BERTD_BERT_BASE_PAD");
    uint32_t ids[TOKENS] = {0}; /* [PAD] is 0 in bert-base-uncased */
    uint32_t n = tokenize(dir, text ? text : default_text, ids);
    if (pad && strcmp(pad, "1") == 0)
        n = TOKENS;
    struct model_info info;
    struct image *image;
    struct error err;
    cr_assert_eq(model_read_info(&info, dir, false, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(model_load_image(&image, dir, &info, IMAGE_FP32, NULL, &err), STATUS_OK, "%s", err.message);
    float *hidden = calloc((size_t)n * info.shape.hidden, sizeof *hidden);
    struct board *board = board_run_open("fp32", image);
    board_run(board, image, ids, (const uint32_t[]){0, n}, 1, hidden);
    double expected[3];
    expected_values(expected);
    printf("%u tokens: last_hidden_state begins %.4f %.4f %.4f, expected %.4f %.4f %.4f\n", n, (double)hidden[0],
           (double)hidden[1], (double)hidden[2], expected[0], expected[1], expected[2]);
    for (int i = 0; i < 3; i++)
        cr_expect_lt(fabs((double)hidden[i] - expected[i]), 1e-4, "value %d", i);
    board_close(&board);
    image_release(&image);
    free(hidden);
}

/* Visible: Criterion looks it up by name when it starts a test in a process of its own. */
__attribute__((visibility("default"))) int main(int argc, char **argv)
{
    if (!getenv("BERTD_BERT_BASE_DIR")) {
        puts("skipped: BERTD_BERT_BASE_DIR names no bert-base-uncased directory (see the head of "
             "tests/model/test_bert_base.c)");
        return SKIPPED;
    }
    struct criterion_test_set *tests = criterion_initialize();
    int result = criterion_handle_args(argc, argv, true) ? !criterion_run_all_tests(tests) : 0;
    criterion_finalize(tests);
    return result;
}
