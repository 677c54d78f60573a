/* Base64, of which servers with OpenAI's routes make vectors. */
#ifndef BERTD_CLIENT_BASE64_H
#define BERTD_CLIENT_BASE64_H

#include "clients/c/memory.h"

/** Bytes that `text` stands for; SIZE_MAX: it is no base64 by its length. */
size_t bertd_base64_size(struct bertd_slice text);
/** Decode into `out`, which has room for bertd_base64_size(text) bytes. False: it is no base64. */
bool bertd_base64_read(struct bertd_slice text, void *out);

#endif
