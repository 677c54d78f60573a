/* Options as programs give them, of whatever version of the header. */
#ifndef BERTD_CLIENT_OPTIONS_H
#define BERTD_CLIENT_OPTIONS_H

#include "clients/c/client.h"

/** Copy a struct that begins with its size: what an older one does not have stays as it is in `to`.
 *  Errors: INVALID where a newer one sets what this library does not know, or the size is none */
enum bertd_status bertd_options_copy(void *to, size_t to_size, const void *from, size_t from_size, const char *which,
                                     struct bertd_error *err);
/** Check a client's options and fill in defaults; texts stay the caller's.
 *  options  NULL: defaults. Errors: INVALID */
enum bertd_status bertd_options_read(struct bertd_options *ret, const struct bertd_options *options,
                                     struct bertd_error *err);
/** A header's value: visible ASCII and spaces, at most 512 bytes. NULL is fine. Errors: INVALID, naming `name` */
enum bertd_status bertd_options_check_header(const char *name, const char *value, struct bertd_error *err);

#endif
