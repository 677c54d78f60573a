/* A server's parts: the doorman takes connections and hands each to the carrier that speaks its protocol. Private to the
 * room.
 */
#ifndef BERTD_NET_SERVER_H
#define BERTD_NET_SERVER_H

#include <stdatomic.h>

#include "server/net/net.h"

struct doorman;
struct h1;
struct h2;

struct net_server {
    struct net_options options; /* read-only */
    struct doorman *doorman;
    struct h1 *h1; /* h1_start sets it */
    struct h2 *h2;
    atomic_uint active; /* exchanges from net_exchange_begin to net_exchange_end, which count them */
    atomic_bool draining;
};

/** How many event threads a carrier has. */
uint32_t net_event_threads(const struct net_server *server);

#endif
