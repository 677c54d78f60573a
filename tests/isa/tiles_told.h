/* What programs with tiles_in_c.h see of the model of tiles. Every machine with AVX-512 VNNI offers such tiles. */
#ifndef TESTS_ISA_TILES_TOLD_H
#define TESTS_ISA_TILES_TOLD_H

#include <stdatomic.h>

extern struct tiles_told {
    /** The errno with which the system refuses; 0: it permits. Set it before the first look at cpu_flags(); for a
     *  program that is started, BERTD_TEST_TILES_REFUSED does. */
    int refusal;
    atomic_uint asked, configured, released, multiplied; /* how often */
} tiles_told;

#endif
