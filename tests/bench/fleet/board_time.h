/* How long a board takes, from what was measured or counted: a table of lengths, each with the time of a whole text of
 * that length alone.
 *
 * Texts of a batch are computed one after the other, as both kinds of boards do it. A shard of a split takes its share
 * of the rows, but no less than the shortest text of the table: all weights are read.
 */
#ifndef TESTS_BENCH_FLEET_BOARD_TIME_H
#define TESTS_BENCH_FLEET_BOARD_TIME_H

#include "accel/board.h"

enum { BOARD_TIME_MAX = 16 };

struct board_time {
    uint32_t n;
    uint32_t tokens[BOARD_TIME_MAX]; /* rising */
    double ns[BOARD_TIME_MAX];
};

/** Read "8:0.5,16:0.97": milliseconds of a whole model. False where it is not that. */
bool board_time_read(const char *words, struct board_time *ret);
/** Of a text on one board, in nanoseconds: between two lengths of the table on a straight line. */
double board_time_of(const struct board_time *time, uint32_t tokens);
/** Of a task. */
double board_time_of_task(const struct board_time *time, const struct board_task *task);

#endif
