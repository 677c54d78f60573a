/* The Open Inference Protocol (KServe's and Triton's version 2) over HTTP, with its extension for binary tensors: a
 * body is JSON, behind which may stand the bytes of tensors. The reader is as those of request.h. */
#ifndef BERTD_WIRE_V2_H
#define BERTD_WIRE_V2_H

#include "base/buf.h"
#include "server/wire/request.h"

/* What the model's tensors are called. */
#define WIRE_V2_TEXT      "text"           /* BYTES [n] or [n,1] */
#define WIRE_V2_IDS       "input_ids"      /* INT64 or INT32 [n,length], in place of the texts */
#define WIRE_V2_MASK      "attention_mask" /* as input_ids: 0 leaves an id out */
#define WIRE_V2_EMBEDDING "embedding"      /* FP32 [n,width], the output */

struct wire_v2 {
    struct wire_embed embed; /* the options are the request's parameters */
    struct wire_string id;   /* bytes NULL: none */
    bool binary;             /* the output is to stand behind the JSON */
    uint32_t timeout_us;     /* 0: none */
};

/** {id?, parameters?, inputs, outputs?}, of which the first `json_len` bytes of the body [len] are the JSON. */
enum status wire_v2_read(struct wire_v2 *ret, const char *body, size_t len, size_t json_len,
                         const struct wire_limits *limits, const struct wire_embed_defaults *defaults,
                         struct arena *arena, struct error *err);

/** {model_name, model_version, id?, outputs: [embedding]} of `rows` [n][width], of each the first `keep`. Returns the
 *  bytes of JSON in front of the binary output; 0: all is JSON. `id` is as in struct wire_v2. */
size_t wire_write_v2(struct buf *out, const char *model, struct wire_string id, const float *rows, size_t n,
                     size_t width, size_t keep, bool binary);

#endif
