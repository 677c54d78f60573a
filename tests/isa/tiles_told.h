/* What programs with tiles_in_c.h see of the model of tiles. Every machine with AVX-512 VNNI offers such tiles. */
#ifndef TESTS_ISA_TILES_TOLD_H
#define TESTS_ISA_TILES_TOLD_H

#include <stdatomic.h>

extern struct tiles_told {
    int refusal; /* set it before the first look at cpu_flags(): the errno with which the system refuses; 0: it permits
                  */
    atomic_uint asked, configured, released, multiplied; /* how often */
} tiles_told;

#endif
