/* HTTP over the request core: routes in text-embeddings-inference's conventions, by libmicrohttpd.
 *
 * Life: http_listen (early: tells whether the port is free), http_server_create (serves from then on),
 * serve_server_drain, http_server_quiesce and serve_server_close, http_server_active until 0, http_server_destroy.
 */
#ifndef BERTD_HTTP_HTTP_H
#define BERTD_HTTP_HTTP_H

#include <stdint.h>

#include "base/status.h"
#include "server/serve/serve.h"

struct http_server;

/** Everything pointed to is borrowed until http_server_destroy. */
struct http_options {
    uint64_t payload_limit; /* bytes of a body */
    uint32_t max_connections;
    uint32_t max_connections_per_ip; /* 0: no limit */
    uint32_t idle_timeout_s;
    const char *cors_allow_origin; /* NULL: none; "*", or origins with commas between */
    uint32_t cores;                /* for the number of event threads */
};

/** Bind a TCP socket without listening yet: others see the port taken, clients are refused.
 *  ret_fd    new; http_server_create takes it, else close it
 *  ret_port  the port, of use where `port` is 0
 *  Errors: USAGE (no such address), IO (taken, not allowed), naming address and port */
enum status http_listen(int *ret_fd, uint16_t *ret_port, const char *hostname, uint16_t port, struct error *err);
/** Begin to serve on `listen_fd`, which is taken on success. `ret`: new; http_server_destroy. `serve` must outlive it.
 *  Errors: NO_MEMORY, IO, INTERNAL (threads, sockets) */
enum status http_server_create(struct http_server **ret, struct serve_server *serve, const struct http_options *options,
                               int listen_fd, struct error *err);
/** Accept no more connections; those that are open go on. Thread: one, once or more. */
void http_server_quiesce(struct http_server *server);
/** Requests that have begun and whose answer is not yet sent. Thread: any. */
uint32_t http_server_active(struct http_server *server);
/** Close the request core and give up what runs in it, wait for that, cut what is being sent, free. Sets the pointer to
 *  NULL; NULL is fine. */
void http_server_destroy(struct http_server **server);

/** The version of libmicrohttpd that runs, "1.0.1"; static. Before 1.0 some malformed requests get no answer. */
const char *http_library_version(void);

/** Ask the server at this address for /health, within 5 seconds. OK where it answers 200; UNHEALTHY else, saying what
 *  came instead. 0.0.0.0 and :: are asked at the loopback address. */
enum status http_check(const char *hostname, uint16_t port, struct error *err);

#endif
