/* Takes new connections and hands each to the carrier that speaks its protocol. Private to the room. */
#ifndef BERTD_NET_DOORMAN_H
#define BERTD_NET_DOORMAN_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/net/net.h"

enum { NET_MAX_LISTENERS = 8 };

struct net_doorman {
    struct net_listener listeners[NET_MAX_LISTENERS];
    uint32_t n_listeners;
    int wake; /* an eventfd */
    atomic_bool stop;
    bool stopped;
    pthread_t thread;
};

/** Listen, and start the thread. Errors: IO, INTERNAL; then the sockets are still the caller's. */
enum status net_doorman_start(struct net_server *server, const struct net_listener *listeners, uint32_t n_listeners,
                              struct error *err);
/** End the thread and close the listening sockets: clients are refused at once, and go elsewhere. Once or more. */
void net_doorman_stop(struct net_server *server);

#endif
