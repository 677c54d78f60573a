/* The thread that looks after time: works past their deadline fail, boards that hang are given up.
 *
 * Invariants: a work past its deadline is completed with TIMEOUT within a tick, whether it waits, runs or is suspended;
 * only while its results are being copied is it too late for that. A flight that does not come back is given up once,
 * and its slot stays taken until the board has let go of it.
 */
#ifndef BERTD_BATCH_TIMER_H
#define BERTD_BATCH_TIMER_H

void *sched_timer_main(void *batch);

#endif
