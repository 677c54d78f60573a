/* Time as the server measures it. */
#ifndef BERTD_BASE_CLOCK_H
#define BERTD_BASE_CLOCK_H

#include <stdint.h>

/** Nanoseconds of a clock that never goes back; its zero is arbitrary. Thread: any. */
uint64_t clock_now_ns(void);
/** Nanoseconds that the calling thread has computed; those in which it slept, or others had its core, are not among
 *  them. Thread: any. */
uint64_t clock_thread_ns(void);

#endif
