/* int8 weights once more, for processors that add products of unsigned by signed bytes in 16 bits: an image section
 * that cpu_engine asks for where its kernels read it.
 *
 * Weights are clipped so that those of one sign within any CPU_CLIPPED_SPAN inputs that are added in 16 bits (the first
 * two of each of two neighbouring groups, the last two of each) sum up to CPU_CLIPPED_SUM at most; 255 times that fits.
 * Each panel has its groups in an order in which there is little to clip. Residuals hold what is missing.
 */
#ifndef BERTD_ACCEL_CPU_CLIPPED_H
#define BERTD_ACCEL_CPU_CLIPPED_H

#include "accel/image.h"

enum {
    CPU_CLIPPED_SPAN = 4,     /* inputs that are added in 16 bits */
    CPU_CLIPPED_SUM = 128,    /* the most that weights of one sign in a span sum up to */
    CPU_RESIDUAL_PAIRS = 4,   /* pairs of weights in a sum of residuals */
    CPU_RESIDUAL_PLACE = 4,   /* what inputs are multiplied by to be places */
    CPU_NOT_CLIPPED = 0xffff, /* the count of a panel whose residuals have no room */
};

/** What up to 16 weights of an output were clipped by: in two sums, of which each fits 16 bits as a span does. Zeros
 *  stand for weights that are fewer. */
struct cpu_residual {
    uint16_t places[2 * CPU_RESIDUAL_PAIRS][2];  /* inputs, times CPU_RESIDUAL_PLACE */
    int8_t residuals[2 * CPU_RESIDUAL_PAIRS][4]; /* each pair twice, to be read as 32 bits */
    uint32_t output;                             /* of the panel */
};

/** The clipped form of a linear's panels. All NULL where the image has none. */
struct cpu_clipped {
    const int8_t *weights;  /* as those of the linear, but for the order of a panel's groups */
    const uint16_t *orders; /* [panels][in_padded/4] the first input of each group of a panel */
    /** [panels] how many residuals each has; CPU_NOT_CLIPPED: take the linear's weights as they are. */
    const uint16_t *counts;
    /** [panels][cpu_residual_room(in_padded)]: first one of each output in order, then what did not fit those. */
    const struct cpu_residual *residuals;
};

/** The section, for image_build: the clipped form of each linear. */
extern const struct image_section cpu_clipped_section;

/** The clipped form of a linear of an image, borrowed from it. All NULL where the image was built without
 *  cpu_clipped_section. Thread: any. */
struct cpu_clipped cpu_clipped_of(const struct image *image, const struct image_linear *linear);
/** The same from `panel` on. Thread: any. */
struct cpu_clipped cpu_clipped_from(const struct cpu_clipped *clipped, const struct image_linear *linear, size_t panel);
/** Fill `to`, whose arrays have room for the whole of `linear`, from the linear's weights. Errors: NO_MEMORY. Thread:
 *  any. */
enum status cpu_clip(const struct cpu_clipped *to, const struct image_linear *linear, struct error *err);
/** Residuals that a panel has room for. Of trained weights one in twenty is clipped, for which half of this would do.
 */
size_t cpu_residual_room(uint32_t in_padded);

#endif
