/* The server as the room's files see it. Private to the room. */
#ifndef BERTD_SERVE_SERVER_H
#define BERTD_SERVE_SERVER_H

#include <stdatomic.h>

#include "server/serve/accounts.h"
#include "server/serve/pool.h"
#include "server/serve/prompts.h"
#include "server/serve/serve.h"
#include "server/serve/share.h"
#include "server/serve/telemetry.h"
#include "server/serve/watch.h"

struct serve_server {
    struct serve_options options; /* read-only */
    struct serve_prompts prompts; /* read-only */
    struct serve_telemetry telemetry;
    struct serve_cache *cache; /* NULL: none */
    struct serve_share share;  /* where there is a cache */
    struct serve_pool pool;
    struct serve_watch watch;
    struct serve_access access;
    uint64_t seed;      /* of the numbers for clients: they tell nothing about a key, and nobody can aim at another's */
    atomic_uint active; /* calls admitted and not yet answered */
    atomic_uint_fast64_t memory; /* bytes reserved by calls and transports */
    atomic_bool draining;        /* serve_server_check fails */
    atomic_bool closing;         /* nothing is taken any more */
};

/** A number for who asks, to be fair between clients; never 0, another one in each process.
 *  credential  what the client identifies itself by, NUL-terminated: behind a gateway all addresses are the same.
 *              NULL: nothing, or the same as all; the address counts
 *  address     [len], of the client
 *  Thread: any */
uint64_t serve_server_client(const struct serve_server *server, const char *credential, const void *address,
                             size_t len);

#endif
