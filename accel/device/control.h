/* The way into an emulated card for tests: a file, mapped by the device process and by whoever watches it. It says what
 * shall go wrong and counts what happened. It outlives device processes: counts go on, and a fault that was asked for
 * before a card is opened is there when it is.
 *
 * Written by words too: `bertd-card fault FILE KIND [COUNT [VALUE]]`, `bertd-card counts FILE`.
 *
 * Thread: any; and any process.
 */
#ifndef BERTD_ACCEL_DEVICE_CONTROL_H
#define BERTD_ACCEL_DEVICE_CONTROL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* X(NAME, word): each happens COUNT times, from the next chance on. VALUE says more. */
#define DEVICE_FAULT_MAP(X)                                                                                            \
    X(HANG, "hang")               /* a list never ends */                                                              \
    X(DIE, "die")                 /* the device process ends when a list starts */                                     \
    X(SLOW, "slow")               /* a list takes VALUE microseconds longer */                                         \
    X(CORRUPT_IN, "corrupt-in")   /* a bit of a transfer to the card flips: of one of at least VALUE bytes */          \
    X(CORRUPT_OUT, "corrupt-out") /* likewise from the card */                                                         \
    X(LOSE, "lose")               /* the card is gone until the count is 0 again: calls end the device process, */     \
                                  /* and a new one ends at once. The count is not counted down */                      \
    X(REFUSE, "refuse")           /* an image is not taken (its load fails) */

enum device_fault {
#define X(name, word) DEVICE_FAULT_##name,
    DEVICE_FAULT_MAP(X)
#undef X
        DEVICE_FAULTS
};

/* X(NAME, word): since the file is there. */
#define DEVICE_COUNT_MAP(X)                                                                                            \
    X(STARTS, "starts")                       /* of the device process */                                              \
    X(LOADS, "loads")                         /* of an xclbin */                                                       \
    X(CALLS, "calls")                         /* on the socket, of any kind */                                         \
    X(BUFFERS_ALLOCATED, "buffers_allocated") /* likewise */                                                           \
    X(BUFFERS_FREED, "buffers_freed")                                                                                  \
    X(BUFFERS_LEFT, "buffers_left")       /* there when their device process ended */                                  \
    X(BYTES_ALLOCATED, "bytes_allocated") /* of buffers that are not freed, of the device process of now */            \
    X(TRANSFERS_IN, "transfers_in")       /* to the card: a buffer's may be cut into several */                        \
    X(BYTES_IN, "bytes_in")                                                                                            \
    X(TRANSFERS_OUT, "transfers_out")                                                                                  \
    X(BYTES_OUT, "bytes_out")                                                                                          \
    X(REGISTER_WRITES, "register_writes")                                                                              \
    X(REGISTER_READS, "register_reads")                                                                                \
    X(LISTS, "lists") /* started */                                                                                    \
    X(LISTS_DONE, "lists_done")                                                                                        \
    X(LISTS_FAILED, "lists_failed") /* of those done: whose record has another status than good */                     \
    X(FAULTS, "faults")             /* that happened */                                                                \
    X(BAD_CALLS, "bad_calls")       /* messages that are none */

enum device_count {
#define X(name, word) DEVICE_COUNT_##name,
    DEVICE_COUNT_MAP(X)
#undef X
        DEVICE_COUNTS
};

enum { DEVICE_CONTROL_MAGIC = 0x64726163, DEVICE_CONTROL_VERSION = 1, DEVICE_CONTROL_MAX = 64 };

/** The file, in the machine's byte order. */
struct device_control {
    _Atomic uint32_t magic, version;
    _Atomic uint64_t process; /* its id; 0: none runs */
    struct {
        _Atomic uint64_t count, value;
    } faults[DEVICE_CONTROL_MAX];                /* by enum device_fault */
    _Atomic uint64_t counts[DEVICE_CONTROL_MAX]; /* by enum device_count */
};

/** Map the file at `path`, made where there is none. `ret`: new; give back with device_control_close. Errors: IO;
 *  FORMAT (another file). */
enum status device_control_open(struct device_control **ret, const char *path, struct error *err);
/** Unmap, and set the pointer to NULL; NULL is fine. */
void device_control_close(struct device_control **control);
/** A fault happens now: true once for each that is asked for. `control` may be NULL. `ret_value` may be NULL. */
bool device_control_take(struct device_control *control, enum device_fault fault, uint64_t *ret_value);
/** Count. `control` may be NULL. */
void device_control_add(struct device_control *control, enum device_count count, uint64_t n);
/** Ask for a fault, in place of what was asked of its kind before. */
void device_control_set(struct device_control *control, enum device_fault fault, uint64_t count, uint64_t value);
const char *device_fault_word(enum device_fault fault); /**< "corrupt-in"; static */
const char *device_count_word(enum device_count count); /**< "bytes_in"; static */

#endif
