/* How many connections there are, in all and of each address. Private to the room. */
#ifndef BERTD_NET_VISITORS_H
#define BERTD_NET_VISITORS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { NET_VISITORS_BUCKETS = 256 };

struct net_visitors {
    pthread_mutex_t lock;
    uint32_t n;
    uint32_t per_address; /* most of one; 0: not limited, and not counted */
    struct net_visitor *buckets[NET_VISITORS_BUCKETS];
};

void net_visitors_init(struct net_visitors *visitors, uint32_t per_address);
void net_visitors_finish(struct net_visitors *visitors);
/** Count one more, of at most `most` in all. False: a limit is reached, or memory is short. Sockets in the file system
 *  have no address to count by. Thread: any. */
bool net_visitors_enter(struct net_visitors *visitors, const struct sockaddr *address, uint32_t most);
/** Whether there are `most` in all. Thread: any. */
bool net_visitors_are(struct net_visitors *visitors, uint32_t most);
/** One that entered has gone. Thread: any. */
void net_visitors_leave(struct net_visitors *visitors, const struct sockaddr *address);

#endif
