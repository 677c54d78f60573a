/* The header x-truncated. Private to the room. */
#ifndef BERTD_HTTP_TRUNCATED_H
#define BERTD_HTTP_TRUNCATED_H

#include "server/serve/infer.h"

/** Write the places of truncated inputs [n] as "0,5,7-9" to text[size], ending in "..." where that is too little for
 *  all. */
void http_write_truncated(const struct serve_infer_input *inputs, uint32_t n, char *text, size_t size);

#endif
