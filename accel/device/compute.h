/* What carries out lists behind a compute unit's registers: the kernels of this machine, or the simulated engine. */
#ifndef BERTD_ACCEL_DEVICE_COMPUTE_H
#define BERTD_ACCEL_DEVICE_COMPUTE_H

#include <stdatomic.h>

#include "accel/card/card.h"
#include "accel/device/config.h"
#include "accel/device/memory.h"

struct device_compute;

/** A list as the arguments say it: addresses on the card's bus. */
struct device_list {
    uint64_t address;
    uint32_t count;
    uint64_t record;
};

struct device_compute_ops {
    /** `config` and the memory are borrowed. `ret`: new; free with `destroy`. Errors: NO_MEMORY. */
    enum status (*create)(struct device_compute **ret, const struct device_config *config, struct device_memory *memory,
                          struct error *err);
    void (*destroy)(struct device_compute *compute);
    /** Carry out a list and write its record, where the record's address is one of the memory. It gives up, without a
     *  record, where `*stop` becomes true. `ret`: what the record says. False: it was given up.
     *  Thread: one at a time. */
    bool (*run)(struct device_compute *compute, const struct device_list *list, const atomic_bool *stop,
                struct card_record *ret);
};

/** First member of every way's own struct. */
struct device_compute {
    const struct device_compute_ops *ops;
};

extern const struct device_compute_ops device_compute_cpu; /* accel/cpu: milliseconds a text */
#ifdef BERTD_RTL
extern const struct device_compute_ops device_compute_rtl; /* accel/rtl, simulated: seconds a token */
#endif

#endif
