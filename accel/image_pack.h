/* From a checkpoint's matrix to the rows of an image's linear. Private to image.c. */
#ifndef BERTD_ACCEL_IMAGE_PACK_H
#define BERTD_ACCEL_IMAGE_PACK_H

#include "accel/image.h"

/** One projection of `linear`, rows [first, first + rows), already laid out, from [rows][linear->in] weights and [rows]
 *  biases, both times `factor`. `first` is a multiple of IMAGE_PANEL; rows up to the next multiple are filled with 0.
 */
struct image_pack {
    const struct image_linear *linear;
    uint32_t projection; /* 0, or of qkv: 0 is Q, 1 is K, 2 is V */
    uint32_t first;
    uint32_t rows;
    struct image_source_linear source;
    float factor;
};

/** Scratch for image_pack_int8, in floats, for inputs of this width. */
size_t image_pack_scratch(uint32_t in);
/** Fold, rotate, quantise, pack. The thread's float mode is float_mode_set's. */
void image_pack_int8(const struct image_pack *pack, float *scratch);
/** Fold and copy. */
void image_pack_f32(const struct image_pack *pack);

#endif
