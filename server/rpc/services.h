/* What the services' methods do, a file each; services.c has the table. Private to the room. */
#ifndef BERTD_RPC_SERVICES_H
#define BERTD_RPC_SERVICES_H

#include "server/rpc/calls.h"
#include "server/rpc/watching.h"

extern const struct rpc_action rpc_info;
extern const struct rpc_action rpc_embed;
extern const struct rpc_action rpc_embed_all;
extern const struct rpc_action rpc_embed_batch;
extern const struct rpc_action rpc_tokenize;
extern const struct rpc_action rpc_detokenize;
extern const struct rpc_action rpc_no_splade;
extern const struct rpc_action rpc_no_classifier;
extern const struct rpc_action rpc_no_reranker;
extern const struct rpc_action rpc_boards_list;
extern const struct rpc_watch_action rpc_boards_watch;
extern const struct rpc_action rpc_health_check;
extern const struct rpc_action rpc_health_list;
extern const struct rpc_watch_action rpc_health_watch;
extern const struct rpc_action rpc_reflection;

#endif
