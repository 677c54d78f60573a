/* Cross-origin requests (the Fetch standard, section 3.2). Private to the room. */
#ifndef BERTD_NET_CORS_H
#define BERTD_NET_CORS_H

#include "server/net/carrier.h"

/** Note whether the request's origin is an allowed one. */
void net_cors_check(struct net_exchange *exchange);
/** Add what the browser has to know to the answer. */
void net_cors_add(struct net_exchange *exchange);
/** The origin to name where `list` ("*", or origins with commas between) allows this one; NULL: it does not. */
const char *net_cors_origin(const char *list, const char *origin);

#endif
