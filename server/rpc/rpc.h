/* Remote procedure calls over net: Connect, gRPC-Web, gRPC. A handler for net_options.handlers, before server/http's.
 */
#ifndef BERTD_RPC_RPC_H
#define BERTD_RPC_RPC_H

#include "base/status.h"
#include "server/net/net.h"
#include "server/rpc/stream.h"
#include "server/serve/serve.h"

struct rpc_server;

struct rpc_options {
    uint64_t payload_limit;             /* bytes of a message, decompressed */
    bool has_admin;                     /* there is an admin listener: its methods are there alone */
    const struct rpc_service *services; /* [n_services]; borrowed */
    uint32_t n_services;
};

/** The services of bertd: tei.v1.*, bertd.v1.*, grpc.health.v1.Health, grpc.reflection.*. Static. */
const struct rpc_service *rpc_services(uint32_t *ret_n);

/** `ret`: new; rpc_server_destroy, after net_server_destroy. `serve` must outlive it; NULL where no service uses it
 *  (then nobody needs a key). Errors: NO_MEMORY */
enum status rpc_server_create(struct rpc_server **ret, struct serve_server *serve, const struct rpc_options *options,
                              struct error *err);
/** How net asks for it: takes every request for a path /package.Service/Method where the service is known, and every
 *  request whose content type is of gRPC or Connect's streams. */
void rpc_server_handler(struct rpc_server *server, struct net_handler *ret);
void rpc_server_destroy(struct rpc_server **server);

#endif
