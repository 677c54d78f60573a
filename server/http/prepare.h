/* From the inputs of a request to items for the batch room. Private to the room. */
#ifndef BERTD_HTTP_PREPARE_H
#define BERTD_HTTP_PREPARE_H

#include "server/http/infer.h"

/** Tokenise: one item an input, or one a window where it is chunked. Fills in all of `infer` that comes before the
 *  boards, but for the items' `out`.
 *  Errors: VALIDATION, TOKENIZER, OVERLOADED (memory), NO_MEMORY */
enum status http_prepare_items(struct http_infer *infer, const struct http_infer_spec *spec, struct error *err);

#endif
