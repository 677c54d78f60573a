/* Takes the connections of all listening sockets, sees by their first bytes what they speak, and hands them on: HTTP/2
 * where its preface comes, or a TLS ClientHello that offers "h2"; else HTTP/1.1. One thread, which waits for nobody.
 * Private to the room.
 */
#ifndef BERTD_NET_DOORMAN_H
#define BERTD_NET_DOORMAN_H

#include <sys/socket.h>

#include "server/net/net.h"

/** Begin, after the carriers; sets server->doorman. The listening sockets are taken on success.
 *  Errors: NO_MEMORY, IO, INTERNAL; then there is nothing to stop. */
enum status doorman_start(struct net_server *server, const struct net_listener *listeners, uint32_t n_listeners,
                          struct error *err);
/** Listen no more: clients are refused from now on. Thread: one. */
void doorman_quiesce(struct net_server *server);
/** Connections that have not told what they speak, if `silent`; and one while some may still be accepted, though the
 *  doorman is to be quiet. Thread: any. */
uint32_t doorman_count_guests(const struct net_server *server, bool silent);
/** End the thread, close the connections that it still has and the listening sockets, and free. NULL at server->doorman
 *  is fine. */
void doorman_stop(struct net_server *server);
/** Its part of the counts. */
void doorman_get_stats(const struct net_server *server, struct net_stats *ret);

#endif
