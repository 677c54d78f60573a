/* The server as the room's files see it. Private to the room. */
#ifndef BERTD_NET_SERVER_H
#define BERTD_NET_SERVER_H

#include "server/net/carrier.h"
#include "server/net/h1.h"
#include "server/net/visitors.h"

struct doorman;
struct h2;

struct net_server {
    struct net_options options;   /* read-only */
    struct net_visitors visitors; /* connections, which leave when they end */
    struct doorman *doorman;
    struct h1 h1;
    struct h2 *h2;
    atomic_bool draining;
    atomic_uint active; /* exchanges that have begun and are not over */
    atomic_uint asking; /* connections that a carrier has, and whose first exchange has not begun */
};

#endif
