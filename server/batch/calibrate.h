/* What a board costs, found by measuring it. */
#ifndef BERTD_BATCH_CALIBRATE_H
#define BERTD_BATCH_CALIBRATE_H

#include "accel/board.h"
#include "server/batch/planner.h"

/** Run the first layer it holds over a short, a medium and a long sequence, alone, and fit `model`; and the first two
 * over the short and the long one, which tells what a launch takes besides. Takes about the time of 1500 rows of one
 * layer. Errors: NO_MEMORY, and what the board said. */
enum status calibrate_cost(struct cost_model *model, const struct image *image, struct board *board,
                           struct planner_board loaded, struct error *err);

#endif
