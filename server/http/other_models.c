/* POST /predict, /rerank and /embed_sparse: routes for models of other kinds, refused as text-embeddings-inference
 * refuses them where it serves embeddings. */
#include "server/http/endpoints.h"

static enum serve_progress refuse(struct serve_call *call, const char *words)
{
    serve_call_fail(call, STATUS_OTHER_MODEL, "%s", words);
    return SERVE_DONE;
}

static enum serve_progress predict(struct serve_call *call)
{
    return refuse(call, "model is not a classifier model");
}

static enum serve_progress rerank(struct serve_call *call)
{
    return refuse(call, "model is not a re-ranker model");
}

static enum serve_progress embed_sparse(struct serve_call *call)
{
    return refuse(call, "`embed_sparse` is not available for this model");
}

const struct http_endpoint http_predict = {.method = {.start = predict}};
const struct http_endpoint http_rerank = {.method = {.start = rerank}};
const struct http_endpoint http_embed_sparse = {.method = {.start = embed_sparse}};
