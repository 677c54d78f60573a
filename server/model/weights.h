/* A BERT checkpoint's tensors, found by name, checked by shape and handed to the image builder as binary32.
 * Room-private. */
#ifndef BERTD_MODEL_WEIGHTS_H
#define BERTD_MODEL_WEIGHTS_H

#include "accel/image.h"
#include "server/model/checkpoint.h"

enum { MODEL_EMBEDDING_TENSORS = 5, MODEL_LAYER_TENSORS = 16 };

/** Tensors that lie in the file as aligned binary32 are used where they are; the others are converted into memory of
 *  our own, which every layer uses again. */
struct model_weights {
    const struct model_checkpoint *checkpoint;
    struct image_shape shape;
    float *embedding_copies[MODEL_EMBEDDING_TENSORS];
    float *layer_copies[MODEL_LAYER_TENSORS];
    const struct model_tensor *used[MODEL_LAYER_TENSORS]; /* handed out last; NULL: none */
};

/** Every tensor the shape asks for is there, with its shape and a dtype that can be converted.
 *  ret_dtype  the dtype of most of them
 *  Errors: as model_checkpoint_find. Thread: any */
enum status model_weights_check(const struct model_checkpoint *checkpoint, const struct image_shape *shape,
                                enum model_dtype *ret_dtype, struct error *err);

/** `checkpoint` is borrowed until model_weights_finish. */
void model_weights_init(struct model_weights *weights, const struct model_checkpoint *checkpoint,
                        const struct image_shape *shape);
/** Free the copies. */
void model_weights_finish(struct model_weights *weights);

/** Fill the embedding members of `ret`; they stay valid until model_weights_finish. Errors: as model_checkpoint_find,
 *  NO_MEMORY */
enum status model_weights_embeddings(struct model_weights *weights, struct image_source *ret, struct error *err);
/** The `layer` of an image_source, with the model_weights as its cookie. Errors: as model_checkpoint_find, NO_MEMORY */
enum status model_weights_layer(void *weights, uint32_t index, struct image_source_layer *ret, struct error *err);

#endif
