/* What a board costs, found by measuring it. */
#ifndef BERTD_BATCH_CALIBRATE_H
#define BERTD_BATCH_CALIBRATE_H

#include "accel/board.h"
#include "server/batch/planner.h"

/** Run the first layer it holds over a short, a medium and a long sequence, alone, and fit `model`; and the short one
 *  over two layers, where it holds the next too: what a second costs less than the first is the launch's. Takes about
 *  the time of 600 rows of one layer. Errors: NO_MEMORY, and what the board said. */
enum status calibrate_cost(struct cost_model *model, const struct image *image, struct board *board,
                           struct planner_board loaded, struct error *err);

#endif
