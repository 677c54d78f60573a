/* What XRT tells of a card's sensors, out of its JSON. */
#ifndef BERTD_ACCEL_XRT_HOST_SENSORS_H
#define BERTD_ACCEL_XRT_HOST_SENSORS_H

#include "accel/xrt/protocol.h"

/** Fill in temperature, power and ecc_errors from XRT's reports, as xrt-smi prints them; NaN for what is not there or
 * is not understood. */
void host_sensors_read(struct xrt_sensors *ret, const char *thermal, const char *electrical, const char *memory);

#endif
