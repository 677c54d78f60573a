/* What boards cost, found by measuring them. */
#ifndef BERTD_BATCH_CALIBRATE_H
#define BERTD_BATCH_CALIBRATE_H

#include "accel/board.h"
#include "server/batch/planner.h"

/** Run the first layer it holds over a short, a medium and a long sequence, alone, and fit `model`; and the first two
 * over the short and the long one, which tells what a launch takes besides. Takes about the time of 2600 rows of one
 * layer. Errors: NO_MEMORY, and what the board said. */
enum status calibrate_cost(struct cost_model *model, const struct image *image, struct board *board,
                           struct planner_board loaded, struct error *err);

/** Run texts of a few sizes through all layers, whole and shared in every way by boards [n] of one kind, all idle, for
 *  a twentieth of a second at most: the smallest first, since of those a cost model is least exact. Teaches `bandit`
 * what that took, and `cost` what a barrier takes. A board that fails ends it; it is the scheduler's to find out.
 * Errors: NO_MEMORY. */
enum status calibrate_sharing(struct bandit *bandit, struct cost_model *cost, struct image *image,
                              struct board *const *boards, uint32_t n, struct error *err);

#endif
