/* Narrow weights: see struct image_narrow. */
#ifndef BERTD_ACCEL_IMAGE_NARROW_H
#define BERTD_ACCEL_IMAGE_NARROW_H

#include "accel/image.h"

/** Bytes of scratch for inputs of this width; no more than image_pack_int8 has. */
size_t image_narrow_scratch(uint32_t in);
/** Fill the narrow form of `rows` outputs from output `first`, a panel's first, on. */
void image_narrow_rows(const struct image_linear *linear, uint32_t first, uint32_t rows, void *scratch);

#endif
