/* Rows of hidden states by this machine's kernels, for who has layers computed elsewhere: drivers of cards. The bits of
 * accel/ref. Floating-point mode: float_mode_set's. Thread: any.
 */
#ifndef BERTD_ACCEL_CPU_ROWS_H
#define BERTD_ACCEL_CPU_ROWS_H

#include "accel/board.h"

/** The input of layer 0 for rows [begin, end) of a job, into its `hidden`. Errors: BACKEND (a value that is not
 * finite).
 */
enum status cpu_rows_embed(const struct board_job *job, uint32_t begin, uint32_t end, struct error *err);
/** The sum of the bits of each of `rows` rows x [rows][width], see board_job.hidden_sums -> ret [rows]. */
void cpu_rows_sum(uint32_t *ret, const float *x, uint32_t rows, uint32_t width);

#endif
