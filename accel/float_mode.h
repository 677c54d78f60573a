/* How the calling thread rounds: what bits that are the same on every machine rest on. */
#ifndef BERTD_ACCEL_FLOAT_MODE_H
#define BERTD_ACCEL_FLOAT_MODE_H

#include <stdint.h>

/** Round to nearest, flush subnormals to zero in and out, for the calling thread. Returns the mode there was before,
 *  for float_mode_restore. */
uint32_t float_mode_set(void);
/** Put back the calling thread's mode, as float_mode_set returned it. */
void float_mode_restore(uint32_t mode);

#endif
