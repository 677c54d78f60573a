/* The engine as XRT sees it: a kernel with four arguments (accel/rtl/syn/vitis/kernel.xml). */
#ifndef BERTD_ACCEL_KERNEL_H
#define BERTD_ACCEL_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "accel_constants.h"

#define CARD_KERNEL_NAME "bertd_kernel"

/** Numbers of the arguments, as a run's arguments are set. */
enum { CARD_ARG_LIST, CARD_ARG_COUNT, CARD_ARG_RECORD, CARD_ARG_WEIGHTS, CARD_ARGS };

/** An argument of the kernel. */
struct card_arg {
    const char *name;
    uint32_t offset; /* of its register */
    bool pointer;    /* 8 bytes, into a memory of the card; else a number of 4 bytes */
};

static const struct card_arg card_args[CARD_ARGS] = {
    [CARD_ARG_LIST] = {"list", ACCEL_REGISTER_LIST_LOW, true},
    [CARD_ARG_COUNT] = {"count", ACCEL_REGISTER_LIST_COUNT, false},
    [CARD_ARG_RECORD] = {"record", ACCEL_REGISTER_RECORD_LOW, true},
    [CARD_ARG_WEIGHTS] = {"weights", ACCEL_REGISTER_WEIGHTS_LOW, true},
};

#endif
