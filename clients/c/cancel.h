/* Switches that end calls: a flag for who looks, and a descriptor for who sleeps. */
#ifndef BERTD_CLIENT_CANCEL_H
#define BERTD_CLIENT_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "clients/c/memory.h"

struct bertd_cancel {
    struct bertd_memory memory;
    int fd; /**< an eventfd, readable for ever once the switch is thrown */
    atomic_bool thrown;
};

#endif
