/* The simulated engine as one that computes tasks (accel/engine.h): built where BERTD_RTL is on, for the board
 * "rtl-sim". */
#ifndef BERTD_ACCEL_SIM_ENGINE_H
#define BERTD_ACCEL_SIM_ENGINE_H

#include "accel/engine.h"

/** accel/rtl, cycle by cycle. A task's rows, keys and values go through the simulated card's memory; the embedding of
 *  layer 0 is the host's. Errors of create, beside NO_MEMORY: UNSUPPORTED (a shape the engine cannot do, named). */
extern const struct engine_ops sim_engine;

/** A small model of a shape the engine takes, against the reference engine. On the calling thread, with a simulation of
 *  its own. OK, or BACKEND with the difference. */
enum status sim_selftest(struct board *board, struct error *err);

#endif
