/* From token vectors to one vector a text. */
#ifndef BERTD_BATCH_POOLING_H
#define BERTD_BATCH_POOLING_H

#include <stdint.h>

#include "server/batch/batch.h"

/** Pool the rows of one sequence.
 *  rows    [n][width], n >= 1; borrowed
 *  out     [width]; with BATCH_POOL_NONE [n][width]
 *  The sum of a mean adds the rows in their order, so its bits depend on these rows only. Thread: any. */
void batch_pool_rows(enum batch_pooling pooling, const float *rows, uint32_t n, uint32_t width, float *out);

#endif
