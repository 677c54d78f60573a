/* Transfers: libcurl's easy handles, set up once for a queue and used again. */
#ifndef BERTD_CLIENT_TRANSFER_H
#define BERTD_CLIENT_TRANSFER_H

#include "clients/c/queue.h"

/** What to do about how a request ended. */
enum bertd_verdict {
    BERTD_ANSWERED,  /**< 200: the body is to be read */
    BERTD_ABSENT,    /**< there is no such path here */
    BERTD_TOO_LARGE, /**< fewer texts might do */
    BERTD_AGAIN,     /**< the same may succeed later, or elsewhere at once */
    BERTD_ELSEWHERE, /**< the same may succeed elsewhere */
    BERTD_FINAL      /**< it would fail again */
};

/** One that is not in use, new or the queue's. NULL: no memory. */
struct bertd_transfer *bertd_transfer_take(struct bertd_queue *queue);
/** Begin it: its URL and body are written.
 *  post  the body is sent; else it is a GET. False: no memory */
bool bertd_transfer_start(struct bertd_queue *queue, struct bertd_transfer *transfer, bool post, uint64_t left_ms);
/** End it where it runs, and keep it for the next request. */
void bertd_transfer_give_back(struct bertd_queue *queue, struct bertd_transfer *transfer);
/** Its answer ended, but was not what it should be: whatever is left on the connection is no answer to the next
 * request, so libcurl is to find it closed. */
void bertd_transfer_distrust(const struct bertd_transfer *transfer);
/** Free it; it is not in use. */
void bertd_transfer_destroy(struct bertd_transfer *transfer);
/** Append a header. False: no memory. */
bool bertd_transfer_header(struct bertd_transfer *transfer, const char *name, const char *value);
/** A header of the answer; NULL: it has none. */
const char *bertd_transfer_answer_header(const struct bertd_transfer *transfer, const char *name);
/** How it ended.
 *  err  filled where it is not BERTD_ANSWERED */
enum bertd_verdict bertd_transfer_judge(const struct bertd_transfer *transfer, CURLcode code, struct bertd_error *err);

#endif
