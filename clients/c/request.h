/* Requests and answers of each kind of server. */
#ifndef BERTD_CLIENT_REQUEST_H
#define BERTD_CLIENT_REQUEST_H

#include "clients/c/transfer.h"

/** Write the request of a part's step to its transfer: URL, headers, body.
 *  left_ms   until the deadline
 *  ret_post  whether there is a body
 *  Errors:   UNSUPPORTED where the server has no such call or option; NO_MEMORY */
enum bertd_status bertd_request_write(struct bertd_part *part, uint64_t left_ms, bool *ret_post,
                                      struct bertd_error *err);
/** Whether the request that a part is for is an EmbedBatch: the others are JSON, or have no body. */
bool bertd_request_is_batch(const struct bertd_part *part);
/** Read the answer 200 of a part's request into the results of its call.
 *  Errors: PROTOCOL, BUFFER, NO_MEMORY */
enum bertd_status bertd_answer_read(struct bertd_part *part, struct bertd_error *err);
/** Make the result of a call whose parts are all there.
 *  Errors: NO_MEMORY */
enum bertd_status bertd_answer_finish(struct bertd_call *call, struct bertd_error *err);
/** Free what a call has of results. */
void bertd_answer_drop(struct bertd_call *call);

#endif
