/* A server with a handler of the tests' own, which stands in for server/http and server/rpc. What a request gets is
 * told by its path:
 *
 *   /echo     its body, whole, after its end
 *   /bytes    as many bytes as the query says, whole
 *   /later    "later", from another thread
 *   /woken    "woken", on the event thread, woken by another
 *   /late     nothing, until the client has gone: answered when that has woken it
 *   /early    413, before the body
 *   /order    "ab": a piece by another thread, then one on the event thread
 *   /stream   as many bytes as the query says, in pieces, with a trailer
 *   /talk     each piece of the body back at once, and a trailer; the body is held and consumed
 *   /held     "held" after its end; the body is held, and consumed by place_consume
 *   /wait     nothing until place_release, or until the client has gone
 *   /abort    a reset, with the error that the query says
 *   others    404; a malformed head: its status
 */
#ifndef TESTS_NET_PLACE_H
#define TESTS_NET_PLACE_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/net/net.h"

struct place {
    struct net_server *server;
    struct net_handler handler;
    struct net_options options;
    uint16_t port;
    uint16_t admin_port;
    atomic_uint heads, ends, gone, over;
    atomic_uint freed_inside; /* exchanges of /late that were over before on_wake had returned */
    atomic_size_t received;   /* bytes of bodies */
    pthread_mutex_t lock;
    struct net_exchange *held; /* that of /held */
    struct net_exchange *waiting[256];
    unsigned n_waiting;
    bool released;
};

/** The options that the tests change some of. */
struct net_options place_options(void);
/** Start; fails the test where it cannot. */
void place_open(struct place *place, const struct net_options *options);
/** Start with the options that the rest sets: PLACE_OPEN(&place, options.max_streams = 10). */
#define PLACE_OPEN(place_, ...)                                                                                        \
    do {                                                                                                               \
        struct net_options options = place_options();                                                                  \
        __VA_ARGS__;                                                                                                   \
        place_open((place_), &options);                                                                                \
    } while (0)
/** Its counts now. */
struct net_stats place_stats(const struct place *place);
/** Answer all that wait, now and later. */
void place_release(struct place *place);
/** So many bytes of the body of /held are done with. */
void place_consume(struct place *place, size_t bytes);
/** Release, end, and check that all exchanges are over. */
void place_close(struct place *place);

#endif
