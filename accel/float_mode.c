#include "accel/float_mode.h"

#if defined(__x86_64__)
#include <xmmintrin.h>

enum { MODE_FLUSH = 0x8040, MODE_ROUNDING = 0x6000 }; /* FTZ and DAZ; rounding control, 0: to nearest even */

static uint32_t mode_get(void)
{
    return _mm_getcsr() & ~(uint32_t)_MM_EXCEPT_MASK; /* the flags of past operations are no mode */
}

static void mode_set(uint32_t mode)
{
    _mm_setcsr(mode);
}
#elif defined(__aarch64__)
enum { MODE_FLUSH = 1 << 24, MODE_ROUNDING = 3 << 22 }; /* FPCR.FZ; FPCR.RMode */

static uint32_t mode_get(void)
{
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return (uint32_t)mode;
}

static void mode_set(uint32_t mode)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)mode) : "memory");
}
#else
#error "bertd knows how to flush subnormals on x86-64 and AArch64 only"
#endif

uint32_t float_mode_set(void)
{
    uint32_t before = mode_get();
    mode_set((before | MODE_FLUSH) & ~(uint32_t)MODE_ROUNDING);
    return before;
}

void float_mode_restore(uint32_t mode)
{
    mode_set(mode);
}
