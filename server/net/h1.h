/* The carrier of HTTP/1.1, as the server and the doorman see it. Private to the room. */
#ifndef BERTD_NET_H1_H
#define BERTD_NET_H1_H

#include <sys/socket.h>

#include "server/net/server.h"

/** Start its threads; sets server->h1. Errors: NO_MEMORY, INTERNAL; then there is nothing to stop. */
enum status h1_start(struct net_server *server, struct error *err);
/** Take a connection, of which nothing was read yet; `fd` is taken whatever is returned. When the connection ends, and
 *  before that where false is returned, doorman_left is called. Thread: the doorman's. */
bool h1_take(struct net_server *server, int fd, const struct sockaddr *address, socklen_t len, enum net_side side,
             bool tls);
/** Wait until every exchange has been given its answer, cut what is being sent, and free. NULL at server->h1 is fine. */
void h1_stop(struct net_server *server);
uint32_t h1_connections(const struct net_server *server);

#endif
