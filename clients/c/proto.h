/* The messages of bertd.v1.Embeddings/EmbedBatch (schemas/bertd.proto), as bytes of protobuf. Written by hand rather
 * than generated: texts go in by their lengths, and vectors come out where they lie in the answer. */
#ifndef BERTD_CLIENT_PROTO_H
#define BERTD_CLIENT_PROTO_H

#include "clients/c/bertd.h"
#include "clients/c/memory.h"

/** Append one text of an EmbedBatchRequest. */
void bertd_proto_write_text(struct bertd_bytes *bytes, const char *text, size_t len);
/** Append its other fields. */
void bertd_proto_write_options(struct bertd_bytes *bytes, const struct bertd_call_options *options);

/** An EmbedBatchResponse. */
struct bertd_proto_batch {
    uint64_t rows;
    uint64_t width;
    struct bertd_slice vectors; /**< in the answer */
    uint64_t n_tokens;          /**< how many there were, also beyond `max` */
    uint64_t n_truncated;
    uint64_t sum_tokens;
    uint32_t *tokens;   /**< [max] to be filled; NULL: not wanted */
    uint8_t *truncated; /**< [max] to be filled; NULL: not wanted */
    size_t max;
};

/** Read one; fields that are not known are skipped. False: it is none. */
bool bertd_proto_read_batch(const void *data, size_t len, struct bertd_proto_batch *batch);

#endif
