/* One batch through one board, start to end: what the tests of whole models compare. */
#ifndef BERTD_TESTS_MODEL_BOARD_RUN_H
#define BERTD_TESTS_MODEL_BOARD_RUN_H

#include <stdint.h>

#include "accel/board.h"

/** Open a board of a kind and load the whole image; board_close. A failure ends the test. */
struct board *board_run_open(const char *kind, struct image *image);
/** Encode sequences: ids[cu_seqlens[n_seqs]] -> hidden[rows][hidden]. A failure ends the test. */
void board_run(struct board *board, const struct image *image, const uint32_t *ids, const uint32_t *cu_seqlens,
               uint32_t n_seqs, float *hidden);

/** How two sets of rows differ. */
struct board_difference {
    double max_abs;     /* largest difference of two values */
    double mean_cosine; /* over the rows */
    double min_cosine;
};
struct board_difference board_compare(const float *rows, const float *expected, uint32_t n_rows, uint32_t width);
double board_cosine(const float *a, const float *b, uint32_t width);

#endif
