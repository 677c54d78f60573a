/* The checks of linear layers once more, in the form that vpdpbusd multiplies: an image section that cpu_engine asks
 * for where its `quantise` reads it.
 *
 * A check is the sum of four signed bytes, times 1, 2^8, 2^16 and 2^24 modulo 2^32: a byte of each of four planes.
 */
#ifndef BERTD_ACCEL_CPU_PLANES_H
#define BERTD_ACCEL_CPU_PLANES_H

#include "accel/image.h"

enum {
    CPU_PLANES = 4,
    CPU_PLANE_INPUTS = 64, /* whose planes lie next to each other */
};

/** The planes of a linear's checks. All NULL where the image has none, or where the inputs are no multiple of
 *  CPU_PLANE_INPUTS. */
struct cpu_planes {
    const int8_t *bytes;     /* [projections][in / CPU_PLANE_INPUTS][CPU_PLANES][CPU_PLANE_INPUTS] */
    const uint32_t *offsets; /* [projections] 128 * the sum of the checks: what operands q + 128 give too much */
};

/** The section, for image_build: the planes of each linear. */
extern const struct image_section cpu_planes_section;

/** The planes of a linear of an image, borrowed from it. Thread: any. */
struct cpu_planes cpu_planes_of(const struct image *image, const struct image_linear *linear);
/** Write the planes of checks [projections][in]. Thread: any. */
void cpu_planes_split(const struct cpu_planes *to, const int32_t *checks, size_t projections, size_t in);

#endif
