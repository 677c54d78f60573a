/* The carrier of HTTP/2, as the server and the doorman see it. Private to the room. */
#ifndef BERTD_NET_H2_H
#define BERTD_NET_H2_H

#include <sys/socket.h>

#include "server/net/net.h"

/** Start its threads; sets server->h2. Errors: NO_MEMORY, INTERNAL; then there is nothing to stop. */
enum status h2_start(struct net_server *server, struct error *err);
/** A new connection, of which nothing was read yet; its socket is taken even on failure. False: refused, and closed.
 *  When it ends it leaves server->visitors, after a failure too. Thread: any. */
bool h2_take(struct net_server *server, int fd, const struct sockaddr *address, socklen_t len, enum net_side side);
/** Tell all clients to go elsewhere; server->draining is set already. Thread: any. */
void h2_drain(struct net_server *server);
/** Wait until every exchange has been given its answer, cut what is being sent, and free. NULL at server->h2 is fine.
 */
void h2_stop(struct net_server *server);
/** Its part of the counts. */
void h2_get_stats(const struct net_server *server, struct net_stats *ret);

#endif
