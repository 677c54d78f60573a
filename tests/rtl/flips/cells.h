/* The memories and registers of a simulated engine whose bits can be flipped: those that public.vlt names. */
#ifndef BERTD_TESTS_RTL_FLIPS_CELLS_H
#define BERTD_TESTS_RTL_FLIPS_CELLS_H

#include "accel/sim/sim_model.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cells {
    char name[128];    /* its place in the engine, as u_rows.gen_bank[0].u_ram.words */
    unsigned char *at; /* the simulation's own memory */
    size_t words, stride;
    unsigned bits; /* of a word */
};

/** Whoever flips bits breaks what assertions say. Until the next reset. */
void cells_without_assertions(struct sim_model *model);
/** Fill `cells` with up to `most` of them, in the order of their names; how many there are. */
size_t cells_find(struct sim_model *model, struct cells *cells, size_t most);

#ifdef __cplusplus
}
#endif

#endif
