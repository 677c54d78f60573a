/* Parts of calls: which endpoint, which texts, which request next, and whether to try again. */
#ifndef BERTD_CLIENT_PART_H
#define BERTD_CLIENT_PART_H

#include "clients/c/transfer.h"

/** A new part that waits, first in its call's list; begin = end: it takes the first texts that are in no part. NULL: no
 *  memory. */
struct bertd_part *bertd_part_create(struct bertd_call *call, size_t begin, size_t end);
/** End its request where one runs, and free it. */
void bertd_part_destroy(struct bertd_part *part);
/** Send its request, or set when to try again.
 *  Errors: those that end its call */
enum bertd_status bertd_part_try(struct bertd_part *part, uint64_t now_ms, struct bertd_error *err);
/** Its transfer ended: the part is gone when its texts are done.
 *  Errors: those that end its call */
enum bertd_status bertd_part_on_transfer(struct bertd_transfer *transfer, CURLcode code, uint64_t now_ms,
                                         struct bertd_error *err);

#endif
