/* What an emulation xclbin says of the card: the JSON in the place of its bitstream. */
#ifndef BERTD_ACCEL_DEVICE_CONFIG_H
#define BERTD_ACCEL_DEVICE_CONFIG_H

#include <stdint.h>

#include "base/status.h"

enum { DEVICE_MAX_UNITS = 16 };

enum device_way { DEVICE_CPU, DEVICE_RTL };

struct device_config {
    enum device_way compute;
    uint32_t units;        /* compute units, to DEVICE_MAX_UNITS */
    uint32_t version;      /* of the engine, as its records say it */
    uint32_t rows, slices; /* its geometry, likewise; the simulated engine has its own */
};

/** `text` [size]: {"compute": "cpu" or "rtl", "units": 1, "version": 2, "rows": 64, "slices": 4}; `compute` and `units`
 *  must be there. Errors: FORMAT, UNSUPPORTED. */
enum status device_config_parse(struct device_config *ret, const void *text, size_t size, struct error *err);

#endif
