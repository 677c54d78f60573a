/* What a thread does between two looks at something that it waits for awake. */
#ifndef BERTD_BASE_RELAX_H
#define BERTD_BASE_RELAX_H

/** Leave the core's units to others for a moment. Thread: any. */
static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
