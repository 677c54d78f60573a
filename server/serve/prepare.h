/* From the inputs of a request to items for the scheduler. Private to the room. */
#ifndef BERTD_SERVE_PREPARE_H
#define BERTD_SERVE_PREPARE_H

#include "server/serve/infer.h"

/** Tokenise: one item an input, or one a window where it is chunked. Fills in all of `infer` that comes before the
 *  boards, but for the items' `out`.
 *  Errors: VALIDATION, TOKENIZER, OVERLOADED (memory), NO_MEMORY */
enum status serve_prepare_items(struct serve_infer *infer, const struct serve_infer_spec *spec, struct error *err);

#endif
