/* Which instruction sets the kernels may use: what the processor and the system offer, less what is masked.
 *
 * The environment variable BERTD_CPU_MASK narrows it: the name of a set, which allows it and those before it, or a
 * number whose bits are enum cpu_flag.
 */
#ifndef BERTD_ACCEL_CPU_FLAGS_H
#define BERTD_ACCEL_CPU_FLAGS_H

#include <stdbool.h>

/** The instruction sets beyond plain C, the better the later: X(name, flag, its bit, options of the compiler). Files of
 *  kernels end with a name. cmake/instruction_sets.cmake, tests/isa/run and tests/lint read these lines too. */
#define CPU_EACH_SET(X)                                                                                                \
    X(avx2, CPU_AVX2, 1, "-mavx2 -mfma")                                                                               \
    X(avxvnni, CPU_AVXVNNI, 2, "-mavx2 -mfma -mavxvnni")                                                               \
    X(avx512vnni, CPU_AVX512VNNI, 4, "-mavx2 -mfma -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni")           \
    X(amx, CPU_AMX, 8, "-mavx2 -mfma -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mamx-tile -mamx-int8")

#define CPU_FLAG_OF(name, flag, bit, options)  flag = (bit),
#define CPU_COUNT_OF(name, flag, bit, options) +1
#define CPU_NAME_OF(name, flag, bit, options)  ", " #name
#define CPU_SET_NAMES                          "c" CPU_EACH_SET(CPU_NAME_OF)

/* AVX2 is with FMA; AVXVNNI is vpdpbusd of 256 bits, VEX-encoded; AVX512VNNI needs AVX-512 F, BW, DQ, VL and VNNI; AMX
 * needs tiles, their int8 products and AVX512VNNI. */
enum cpu_flag { CPU_EACH_SET(CPU_FLAG_OF) };
enum { CPU_N_SETS = 1 CPU_EACH_SET(CPU_COUNT_OF) };

struct cpu_set {
    const char *name;
    unsigned flag; /* 0: plain C */
    unsigned mask; /* its own and those of the sets before */
};

/** Plain C, then the sets as they are listed. */
extern const struct cpu_set cpu_sets[CPU_N_SETS];

/** What kernels may use now. The first time that the tiles of AMX are among it, the system is asked for them. Thread:
 *  any. */
unsigned cpu_flags(void);
/** What the processor and the operating system offer, whatever the mask. Thread: any. */
unsigned cpu_flags_detected(void);
/** 0; or, where the processor has AMX and the mask allows it, the errno with which the system refused its tiles.
 * Thread: any. */
int cpu_flags_refused(void);
/** Narrow cpu_flags() to these bits for engines created from now on; takes the place of BERTD_CPU_MASK. */
void cpu_flags_set_mask(unsigned mask);
/** The mask that `text` names. False, `ret_mask` untouched: it names none. */
bool cpu_flags_parse(const char *text, unsigned *ret_mask);

#endif
