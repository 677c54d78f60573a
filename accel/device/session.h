/* A card from its first call to its last: what the host's shim asks, and what is answered. Knows the messages, not the
 * socket that they come by.
 *
 * Thread: one at a time.
 */
#ifndef BERTD_ACCEL_DEVICE_SESSION_H
#define BERTD_ACCEL_DEVICE_SESSION_H

#include <stdbool.h>

#include "accel/device/control.h"
#include "base/buf.h"

struct device_session;

/** Numbers of the calls that are more than acknowledged, as XRT has them (XRT 2.13: xcl_macros.h). */
enum device_call {
    DEVICE_CLOSE = 1,
    DEVICE_LOAD = 3,
    DEVICE_ALLOC = 4,
    DEVICE_FREE = 5,
    DEVICE_WRITE_MEMORY = 6,
    DEVICE_READ_MEMORY = 7,
    DEVICE_WRITE_UNIT = 9,
    DEVICE_READ_UNIT = 11,
    DEVICE_SETUP = 28,
    DEVICE_WRITE_REGISTER = 51,
    DEVICE_READ_REGISTER = 52,
    DEVICE_VERSION = 53, /* from XRT 2.14 on */
};

/** Where the first compute unit's registers lie, and how far apart they are. */
#define DEVICE_UNIT_BASE 0x1800000u
#define DEVICE_UNIT_SIZE 0x10000u
/** Bytes of a transfer at most, of registers in one call, and of a card's memory. */
#define DEVICE_MAX_TRANSFER  ((uint64_t)1 << 30)
#define DEVICE_MAX_REGISTERS 4096u
#define DEVICE_MAX_MEMORY    ((uint64_t)1 << 40)

/** A card without an xclbin. `control` is borrowed and may be NULL. `ret`: new; free with device_session_destroy.
 *  Errors: NO_MEMORY. */
enum status device_session_create(struct device_session **ret, struct device_control *control, struct error *err);
/** End what its units do, count the buffers that are left, free, set the pointer to NULL; NULL is fine. */
void device_session_destroy(struct device_session **session);
/** Answer a call with a body of `size` bytes, borrowed, by appending the answer's body to `answer`. What the host asks
 *  for in vain (memory that is not there, an image that is none) is answered with a refusal.
 *  ret_over  the host has closed the card: nothing comes any more
 *  Errors: FORMAT (a body that is no message of this call), NO_MEMORY; the connection is then worth nothing. */
enum status device_session_answer(struct device_session *session, uint32_t call, const void *body, size_t size,
                                  struct buf *answer, bool *ret_over, struct error *err);
/** What was refused last, in words; "": nothing was. Borrowed until the next call. */
const char *device_session_refusal(const struct device_session *session);

#endif
