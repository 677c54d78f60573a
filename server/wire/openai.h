/* The JSON of OpenAI's embeddings API, as text-embeddings-inference has it. The reader is as those of request.h. */
#ifndef BERTD_WIRE_OPENAI_H
#define BERTD_WIRE_OPENAI_H

#include "base/buf.h"
#include "server/wire/request.h"

struct wire_openai {
    struct wire_embed embed;
    bool base64; /* vectors as the bytes of their values */
};

/** {input, model?, user?, encoding_format?, dimensions?}. `model` and `user` may be any text. */
enum status wire_openai_read(struct wire_openai *ret, const char *body, size_t len, const struct wire_limits *limits,
                             const struct wire_embed_defaults *defaults, struct arena *arena, struct error *err);

/** {"object":"list","data":[{"object":"embedding",..},..],..} of `rows` [n][width], of each the first `keep`; numbers
 * or, with `base64`, little-endian binary32. `tokens` are those of all inputs. */
void wire_write_openai(struct buf *out, const char *model, const float *rows, size_t n, size_t width, size_t keep,
                       bool base64, unsigned long long tokens);
/** {"id":..,"object":"model",..}, as lists of models have it. */
void wire_write_openai_model(struct buf *out, const char *model);

#endif
