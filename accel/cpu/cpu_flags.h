/* Which instruction sets the kernels may use: what the processor and the system offer, less what is masked.
 *
 * The environment variable BERTD_CPU_MASK narrows it: "c" (portable code only), "avx2", "avxvnni", "avx512vnni", each
 * with everything before it, or a number whose bits are enum cpu_flag.
 */
#ifndef BERTD_ACCEL_CPU_FLAGS_H
#define BERTD_ACCEL_CPU_FLAGS_H

#include <stdbool.h>

enum cpu_flag {
    CPU_AVX2 = 1,       /* AVX2 and FMA */
    CPU_AVXVNNI = 2,    /* 256-bit vpdpbusd, VEX-encoded */
    CPU_AVX512VNNI = 4, /* AVX-512 F, BW, DQ, VL and VNNI */
};

/** What kernels may use now. Thread: any. */
unsigned cpu_flags(void);
/** What the processor and the operating system offer, whatever the mask. Thread: any. */
unsigned cpu_flags_detected(void);
/** Narrow cpu_flags() to these bits for engines created from now on; takes the place of BERTD_CPU_MASK. */
void cpu_flags_set_mask(unsigned mask);
/** The mask that `text` names. False, `ret_mask` untouched: it names none. */
bool cpu_flags_parse(const char *text, unsigned *ret_mask);

#endif
