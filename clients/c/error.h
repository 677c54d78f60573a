/* Errors: a status, and words that say what to do. */
#ifndef BERTD_CLIENT_ERROR_H
#define BERTD_CLIENT_ERROR_H

#include "clients/c/bertd.h"

/** Fill `err`, which may be NULL; all its other fields become 0, `input` -1. Returns `status`. */
enum bertd_status bertd_fail(struct bertd_error *err, enum bertd_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** The same for lack of memory. */
enum bertd_status bertd_fail_memory(struct bertd_error *err);
/** Give an error on: `err` may be NULL. Returns its status. */
enum bertd_status bertd_fail_as(struct bertd_error *err, const struct bertd_error *cause);

#endif
