/* An image of zeros, for boards that look at its shape only. */
#ifndef BERTD_TESTS_BATCH_ZERO_IMAGE_H
#define BERTD_TESTS_BATCH_ZERO_IMAGE_H

#include <criterion/criterion.h>

#include "accel/image.h"

enum { WIDTH = 4, ZERO_IMAGE_POSITIONS = 512 }; /* at most */

static inline enum status zero_layer(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err)
{
    static const float zeros[WIDTH * WIDTH];
    const struct image_source_linear linear = {zeros, zeros};
    const struct image_source_norm norm = {zeros, zeros};
    (void)cookie;
    (void)index;
    (void)err;
    *ret = (struct image_source_layer){linear, linear, linear, linear, linear, linear, norm, norm};
    return STATUS_OK;
}

static inline struct image *zero_image(uint32_t layers, uint32_t positions)
{
    static const float zeros[WIDTH * ZERO_IMAGE_POSITIONS];
    const struct image_source source = {.shape = {.hidden = WIDTH,
                                                  .layers = layers,
                                                  .heads = 1,
                                                  .intermediate = WIDTH,
                                                  .vocab = 1,
                                                  .positions = positions,
                                                  .types = 1,
                                                  .layer_norm_eps = 1e-12f},
                                        .word_embeddings = zeros,
                                        .position_embeddings = zeros,
                                        .type_embeddings = zeros,
                                        .embedding_norm = {zeros, zeros},
                                        .layer = zero_layer};
    struct image *image = NULL;
    cr_assert_leq(positions, ZERO_IMAGE_POSITIONS);
    cr_assert_eq(image_build(&image, &source, IMAGE_INT8, NULL, NULL), STATUS_OK);
    return image;
}

#endif
