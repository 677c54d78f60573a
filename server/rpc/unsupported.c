/* What other models than bertd's could do, in the words of text-embeddings-inference. */
#include "server/rpc/services.h"

static enum serve_progress start_splade(struct serve_call *call, const ProtobufCMessage *request)
{
    (void)request;
    serve_call_fail(call, STATUS_OTHER_MODEL, "Model is not an embedding model with SPLADE pooling");
    return SERVE_DONE;
}

static enum serve_progress start_classifier(struct serve_call *call, const ProtobufCMessage *request)
{
    (void)request;
    serve_call_fail(call, STATUS_OTHER_MODEL, "model is not a classifier model");
    return SERVE_DONE;
}

static enum serve_progress start_reranker(struct serve_call *call, const ProtobufCMessage *request)
{
    (void)request;
    serve_call_fail(call, STATUS_OTHER_MODEL, "model is not a re-ranker model");
    return SERVE_DONE;
}

const struct rpc_action rpc_no_splade = {.start = start_splade, .immediate = true};
const struct rpc_action rpc_no_classifier = {.start = start_classifier, .immediate = true};
const struct rpc_action rpc_no_reranker = {.start = start_reranker, .immediate = true};
