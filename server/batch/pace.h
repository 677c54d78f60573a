/* How fast boards are of late beside those they split a batch with: a core may be half as fast for seconds, since its
 * sibling works for somebody else. So that all shards of a split are done together, each is as large as its board is
 * fast.
 *
 * A pace is the time that a board takes for some work over what the boards of the same split take for as much on
 * average: 1 is as fast as they are, 2 half as fast.
 *
 * Invariants: boards whose paces hardly differ count as alike. One stall does not make them differ. What is known is
 * forgotten after a second, so that all are compared with equal shards now and then, which no error of the cost model
 * can distort.
 */
#ifndef BERTD_BATCH_PACE_H
#define BERTD_BATCH_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_DIFFERS   1.25 /* boards count as alike until a pace is so many times the fastest one's, .. */
#define PACE_ALIKE     1.15 /* .. and again from here on */
#define PACE_MEMORY_NS 1000000000ull

/** What is known of one board. Zeroed: nothing. */
struct pace {
    double of_late;    /* 0: as fast as the others */
    uint64_t since_ns; /* when it was first seen since all was forgotten */
    bool differs;
};

/** How fast boards `boards` [n] of `pool` are at a time: the fastest 1, and those that count as alike the same. True
 *  where they are not all alike. */
bool pace_speeds(struct pace *pool, const uint32_t *boards, uint32_t n, uint64_t now_ns, double *ret_speeds);
/** A pace, one round later in which the board took so many times as long as the average for its work. */
double pace_after(double pace, double took);
/** It was so at the end of a launch. */
void pace_note(struct pace *pace, double of_late, uint64_t now_ns);
/** Divide `work` so that boards of these speeds are done together, where each has `fixed` more to do whatever its part
 *  is, and none gets less than `least` (at most work / n): `ret` [n] is the work before the part of each. */
void pace_divide(double work, double fixed, double least, const double *speeds, uint32_t n, double *ret);

#endif
