/* Powers of ten for wire_float_write. Private to the room. */
#ifndef BERTD_WIRE_FLOAT_TABLE_H
#define BERTD_WIRE_FLOAT_TABLE_H

#include <stdint.h>

enum { WIRE_FLOAT_MIN_POWER = -31, WIRE_FLOAT_MAX_POWER = 45 };

/** [k - WIRE_FLOAT_MIN_POWER]: the smallest g with g * 2^(floor(log2 10^k) - 63) >= 10^k. */
extern const uint64_t wire_float_powers[WIRE_FLOAT_MAX_POWER - WIRE_FLOAT_MIN_POWER + 1];

#endif
