/* What bertd and a host process say to each other. The host process (accel/xrt/host) has one card open and makes all
 * calls of XRT: bertd has none of that library in it, and does not end with it.
 *
 * Bertd starts it as `bertd-xrt-host CARD XCLBIN` with two files open: XRT_CONTROL_FD is a socket, the control channel,
 * and XRT_SENSORS_FD is memory with a struct xrt_sensors, which the host process writes now and then. It opens the card
 * and says how that went, unasked: one xrt_hello. Then it is asked, one request at a time, on the control channel and
 * on the channel of each compute unit, which it was given by XRT_UNIT. Messages are structs on sockets of the kind
 * SOCK_SEQPACKET. Memory is shared: a file descriptor comes with XRT_PLACE. When the control channel is closed the host
 * process ends.
 */
#ifndef BERTD_ACCEL_XRT_PROTOCOL_H
#define BERTD_ACCEL_XRT_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

/** Both sides are built together; this refuses a program that an older installation left behind. */
enum { XRT_PROTOCOL = 1 };
enum { XRT_CONTROL_FD = 3, XRT_SENSORS_FD = 4 };

enum {
    XRT_MAX_UNITS = 8,
    XRT_SLOTS = 2, /* places to work of a unit: one is filled while the other is computed */
    XRT_MAX_PLACES = 32,
    XRT_MAX_RANGES = 5,
};

enum xrt_request_kind {
    XRT_UNIT,    /* control: here is the channel of unit `unit` */
    XRT_PLACE,   /* control: make buffers over this memory: the weights, and the slots of all units */
    XRT_SEND,    /* control: the weights of place `place` go to the card, and are read back and compared */
    XRT_VERIFY,  /* control: the weights on the card are still those */
    XRT_DROP,    /* control: free the buffers of `place` */
    XRT_END,     /* control: free everything, close the card, end; no answer */
    XRT_RUN,     /* unit: carry out the list in `slot` of `place` */
    XRT_NO_MORE, /* unit: nothing follows after all; no answer */
};

/** Bytes of a slot, counted from its begin. */
struct xrt_range {
    uint64_t begin, size;
};

struct xrt_run {
    uint32_t slot;
    bool more;   /* another XRT_RUN (or XRT_NO_MORE) follows at once: it is waited for, and goes to the card while this
                    one is computed */
    bool verify; /* what goes over is read back and compared, what comes is read twice */
    uint32_t n_to, n_from;
    struct xrt_range to[XRT_MAX_RANGES], from[XRT_MAX_RANGES];
};

/** Where the buffers lie in the memory. */
struct xrt_place {
    uint64_t memory; /* bytes in all */
    uint64_t weights_begin, weights_size;
    uint64_t slots_begin, slots_stride, slot_size; /* of unit u, slot s: the (u * XRT_SLOTS + s)th */
    uint64_t list, record;                         /* of a slot, from its begin on */
};

struct xrt_request {
    enum xrt_request_kind kind;
    uint32_t place; /* below XRT_MAX_PLACES */
    uint32_t unit;
    struct xrt_place layout; /* PLACE; SEND and VERIFY: the same, for whoever waits */
    struct xrt_run run;      /* RUN */
};

/** NaN where the card does not tell. */
struct xrt_sensors {
    double temperature; /* degrees Celsius: the hottest of the FPGA */
    double power;       /* watts */
    double clock_mhz;   /* of the kernel */
    double ecc_errors;  /* in the card's memories, corrected or not */
};

struct xrt_answer {
    uint32_t status; /* enum status; IO: a call of XRT failed, and so will others */
    char message[512];
    uint64_t weights;                          /* PLACE: address on the card's bus */
    uint64_t slots[XRT_MAX_UNITS * XRT_SLOTS]; /* PLACE: likewise */
    /* RUN, in nanoseconds: calls of XRT with their checksums to the card and from it, from the start to when XRT said
     * that it was done; and all from when the request came. */
    uint64_t to_ns, compute_ns, from_ns, all_ns;
};

struct xrt_hello {
    uint32_t protocol;
    uint32_t status; /* enum status; where it is not OK the host process ends */
    char message[512];
    uint32_t n_units;
    char name[64];   /* of the card's platform */
    char bdf[32];    /* where it is on the PCIe bus */
    char xclbin[40]; /* its UUID */
    char xrt[32];    /* version of the library */
};

#endif
