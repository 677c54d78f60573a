/* REST over the request core, in text-embeddings-inference's conventions. A handler of server/net's exchanges.
 *
 * Life: http_server_create, then net_server_create with http_server_handler; http_server_destroy after
 * net_server_destroy.
 */
#ifndef BERTD_HTTP_HTTP_H
#define BERTD_HTTP_HTTP_H

#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"
#include "server/net/net.h"
#include "server/serve/serve.h"

struct http_server;

/** Everything pointed to is borrowed until http_server_destroy. */
struct http_options {
    uint64_t payload_limit; /* bytes of a body */
    bool has_admin;         /* there is an admin listener: what is for operators answers there alone */
    /* To be told in the metrics; server/net keeps them: */
    uint32_t max_connections;
    uint32_t idle_timeout_s;
};

/** `ret`: new; http_server_destroy. `serve` must outlive it. Errors: NO_MEMORY */
enum status http_server_create(struct http_server **ret, struct serve_server *serve, const struct http_options *options,
                               struct error *err);
/** How server/net asks for it; it takes every request. */
void http_server_handler(struct http_server *server, struct net_handler *ret);
/** Sets the pointer to NULL; NULL is fine. */
void http_server_destroy(struct http_server **server);

/** For net_options: an error in JSON for what could not be parsed, and a line in the log. */
void http_write_refusal(struct buf *out, char ret_id[NET_ID_SIZE], const char *words);
extern const char http_spare_body[];

/** Ask the server at this address for /health, within 5 seconds. OK where it answers 200; UNHEALTHY else, saying what
 *  came instead. 0.0.0.0 and :: are asked at the loopback address. In TLS any certificate will do. */
enum status http_check(const char *hostname, uint16_t port, bool in_tls, struct error *err);

#endif
