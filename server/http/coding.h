/* Content codings of requests and answers. Private to the room. */
#ifndef BERTD_HTTP_CODING_H
#define BERTD_HTTP_CODING_H

#include "server/http/exchange.h"

/** The head is there: a coding that is not known fails the call. */
void http_coding_check(struct http_exchange *exchange);
/** Add a piece of the body to the call, decoded. */
void http_coding_take(struct http_exchange *exchange, const char *bytes, size_t len);
/** The body has ended; in the middle of a coding that fails the call. */
void http_coding_end(struct http_exchange *exchange);
/** The call's on_encoded: code the reply where that is worth it and the client takes it. */
void http_coding_encode(struct serve_call *call);

#endif
