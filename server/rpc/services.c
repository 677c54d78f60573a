/* All services and their methods. */
#include "server/rpc/services.h"

#include "bertd.pb-c.h"
#include "health.pb-c.h"
#include "reflection.pb-c.h"
#include "server/rpc/rpc.h"
#include "tei.pb-c.h"

#define CALLS(action)                                                                                                  \
    .on_start = rpc_calls_on_start, .on_message = rpc_calls_on_message, .on_half_close = rpc_calls_on_half_close,      \
    .on_wake = rpc_calls_on_wake, .on_writable = rpc_calls_on_writable, .on_cancel = rpc_calls_on_cancel,              \
    .on_over = rpc_calls_on_over, .state_size = RPC_CALLS_STATE, .detail = &(action)
#define WATCH(action)                                                                                                  \
    .on_message = rpc_watching_on_message, .on_half_close = rpc_watching_on_half_close,                                \
    .on_time = rpc_watching_on_time, .on_writable = rpc_watching_on_writable, .on_cancel = rpc_watching_on_cancel,     \
    .state_size = sizeof(struct rpc_watching), .detail = &(action)
#define UNARY(request, response)  .kind = RPC_UNARY, TYPES(request, response)
#define SERVER(request, response) .kind = RPC_SERVER_STREAM, TYPES(request, response)
#define CLIENT(request, response) .kind = RPC_CLIENT_STREAM, TYPES(request, response)
#define BIDI(request, response)   .kind = RPC_BIDI_STREAM, TYPES(request, response)
#define TYPES(in, out)            .request = &in##__descriptor, .response = &out##__descriptor

static const struct rpc_method info[] = {
    {"Info", UNARY(tei__v1__info_request, tei__v1__info_response), .no_side_effects = true, CALLS(rpc_info)},
};
static const struct rpc_method embed[] = {
    {"Embed", UNARY(tei__v1__embed_request, tei__v1__embed_response), .no_side_effects = true, CALLS(rpc_embed)},
    {"EmbedStream", BIDI(tei__v1__embed_request, tei__v1__embed_response), CALLS(rpc_embed)},
    {"EmbedSparse", UNARY(tei__v1__embed_sparse_request, tei__v1__embed_sparse_response), CALLS(rpc_no_splade)},
    {"EmbedSparseStream", BIDI(tei__v1__embed_sparse_request, tei__v1__embed_sparse_response), CALLS(rpc_no_splade)},
    {"EmbedAll", UNARY(tei__v1__embed_all_request, tei__v1__embed_all_response), .no_side_effects = true,
     CALLS(rpc_embed_all)},
    {"EmbedAllStream", BIDI(tei__v1__embed_all_request, tei__v1__embed_all_response), CALLS(rpc_embed_all)},
};
static const struct rpc_method predict[] = {
    {"Predict", UNARY(tei__v1__predict_request, tei__v1__predict_response), CALLS(rpc_no_classifier)},
    {"PredictPair", UNARY(tei__v1__predict_pair_request, tei__v1__predict_response), CALLS(rpc_no_classifier)},
    {"PredictStream", BIDI(tei__v1__predict_request, tei__v1__predict_response), CALLS(rpc_no_classifier)},
    {"PredictPairStream", BIDI(tei__v1__predict_pair_request, tei__v1__predict_response), CALLS(rpc_no_classifier)},
};
static const struct rpc_method rerank[] = {
    {"Rerank", UNARY(tei__v1__rerank_request, tei__v1__rerank_response), CALLS(rpc_no_reranker)},
    {"RerankStream", CLIENT(tei__v1__rerank_stream_request, tei__v1__rerank_response), CALLS(rpc_no_reranker)},
};
static const struct rpc_method tokenize[] = {
    {"Tokenize", UNARY(tei__v1__encode_request, tei__v1__encode_response), .no_side_effects = true,
     CALLS(rpc_tokenize)},
    {"TokenizeStream", BIDI(tei__v1__encode_request, tei__v1__encode_response), CALLS(rpc_tokenize)},
    {"Decode", UNARY(tei__v1__decode_request, tei__v1__decode_response), .no_side_effects = true,
     CALLS(rpc_detokenize)},
    {"DecodeStream", BIDI(tei__v1__decode_request, tei__v1__decode_response), CALLS(rpc_detokenize)},
};
static const struct rpc_method embeddings[] = {
    {"EmbedBatch", UNARY(bertd__v1__embed_batch_request, bertd__v1__embed_batch_response), .no_side_effects = true,
     CALLS(rpc_embed_batch)},
};
static const struct rpc_method boards[] = {
    {"List", UNARY(bertd__v1__list_boards_request, bertd__v1__list_boards_response), .admin = true,
     .no_side_effects = true, CALLS(rpc_boards_list)},
    {"Watch", SERVER(bertd__v1__watch_boards_request, bertd__v1__list_boards_response), .admin = true,
     WATCH(rpc_boards_watch)},
};
static const struct rpc_method health[] = {
    {"Check", UNARY(grpc__health__v1__health_check_request, grpc__health__v1__health_check_response), .public = true,
     CALLS(rpc_health_check)},
    {"List", UNARY(grpc__health__v1__health_list_request, grpc__health__v1__health_list_response), .public = true,
     CALLS(rpc_health_list)},
    {"Watch", SERVER(grpc__health__v1__health_check_request, grpc__health__v1__health_check_response), .public = true,
     WATCH(rpc_health_watch)},
};
/* The messages of both versions are the same. */
static const struct rpc_method reflection[] = {
    {"ServerReflectionInfo",
     BIDI(grpc__reflection__v1__server_reflection_request, grpc__reflection__v1__server_reflection_response),
     .public = true, CALLS(rpc_reflection)},
};

#define SERVICE(name, methods)                                                                                         \
    {                                                                                                                  \
        name, methods, sizeof(methods) / sizeof *(methods)                                                             \
    }
static const struct rpc_service services[] = {
    SERVICE("tei.v1.Info", info),
    SERVICE("tei.v1.Embed", embed),
    SERVICE("tei.v1.Predict", predict),
    SERVICE("tei.v1.Rerank", rerank),
    SERVICE("tei.v1.Tokenize", tokenize),
    SERVICE("bertd.v1.Embeddings", embeddings),
    SERVICE("bertd.v1.Boards", boards),
    SERVICE("grpc.health.v1.Health", health),
    SERVICE("grpc.reflection.v1.ServerReflection", reflection),
    SERVICE("grpc.reflection.v1alpha.ServerReflection", reflection),
};

const struct rpc_service *rpc_services(uint32_t *ret_n)
{
    *ret_n = sizeof services / sizeof *services;
    return services;
}
