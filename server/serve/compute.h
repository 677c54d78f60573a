/* From items to their results: out of the cache, by an equal item of another request, or by the boards. Private to the
 * room. */
#ifndef BERTD_SERVE_COMPUTE_H
#define BERTD_SERVE_COMPUTE_H

#include "server/serve/infer.h"

/** Let the items share results with others. Before serve_compute_start. Errors: VALIDATION, OVERLOADED (memory);
 *  NO_MEMORY */
enum status serve_compute_share(struct serve_infer *infer, struct error *err);
/** Fill in the items' results, then serve_call_complete, perhaps before this returns. */
void serve_compute_start(struct serve_infer *infer);

#endif
