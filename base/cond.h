/* Condition variables whose waits end by the clock that never goes back. */
#ifndef BERTD_BASE_COND_H
#define BERTD_BASE_COND_H

#include <pthread.h>
#include <stdint.h>

/** A wait without an end. */
#define COND_FOREVER UINT64_MAX

/** Initialise `cond` to wait by clock_now_ns. Destroy with pthread_cond_destroy. */
void cond_init(pthread_cond_t *cond);
/** Wait, `lock` released meanwhile, for a signal or until clock_now_ns() is `at_ns` (COND_FOREVER: no end). May return
 *  early, as every condition variable. Thread: the one that holds `lock`. */
void cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t at_ns);

#endif
