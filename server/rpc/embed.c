/* tei.v1.Embed: a text's vector, or its tokens' vectors. */
#include "server/rpc/report.h"
#include "server/rpc/request.h"
#include "server/rpc/services.h"
#include "server/serve/serve.h"

static enum serve_progress infer(struct serve_call *call, struct serve_infer_spec *spec, const char *text)
{
    const struct serve_options *options = serve_server_options(call->server);
    spec->chunk = options->auto_chunk;
    spec->chunk_overlap = options->chunk_overlap;
    if (call->status == STATUS_OK)
        call->status = rpc_request_input(call, text, &spec->inputs, &call->err);
    return call->status == STATUS_OK ? serve_infer_start(call, spec) : SERVE_DONE;
}

/* embed -------------------------------------------------------------------------------------------------------------*/

static enum serve_progress start(struct serve_call *call, const ProtobufCMessage *message)
{
    const Tei__V1__EmbedRequest *request = (const Tei__V1__EmbedRequest *)message;
    struct serve_infer_spec spec = {.truncate = request->truncate,
                                    .normalize = request->has_normalize_case ? request->normalize : true,
                                    .pooling = serve_server_options(call->server)->pooling};
    if (request->has_prompt_name_case)
        spec.prompt_name = rpc_request_text(request->prompt_name);
    call->status = rpc_request_direction(request->truncation_direction, &spec.direction, &call->err);
    if (call->status == STATUS_OK && request->has_dimensions_case)
        call->status = rpc_request_dimensions(request->dimensions, &spec.dimensions, &call->err);
    return infer(call, &spec, request->inputs);
}

static void encode(struct serve_call *call)
{
    Tei__V1__EmbedResponse response = TEI__V1__EMBED_RESPONSE__INIT;
    Tei__V1__Metadata metadata;
    rpc_report_fill(call->infer, &metadata);
    response.embeddings = (float *)(uintptr_t)serve_infer_rows(call->infer);
    response.n_embeddings = call->infer->keep;
    response.metadata = &metadata;
    rpc_calls_reply(call, &response.base);
}

const struct rpc_action rpc_embed = {.start = start, .encode = encode};

/* embed_all ---------------------------------------------------------------------------------------------------------*/

static enum serve_progress start_all(struct serve_call *call, const ProtobufCMessage *message)
{
    const Tei__V1__EmbedAllRequest *request = (const Tei__V1__EmbedAllRequest *)message;
    struct serve_infer_spec spec = {.truncate = request->truncate, .pooling = BATCH_POOL_NONE};
    if (request->has_prompt_name_case)
        spec.prompt_name = rpc_request_text(request->prompt_name);
    call->status = rpc_request_direction(request->truncation_direction, &spec.direction, &call->err);
    return infer(call, &spec, request->inputs);
}

static void encode_all(struct serve_call *call)
{
    const struct serve_infer *infer = call->infer;
    const float *rows = serve_infer_tokens(infer, 0);
    uint32_t n = infer->inputs[0].n_tokens;
    Tei__V1__TokenEmbedding *tokens = arena_alloc_array(call->arena, n, sizeof *tokens, _Alignof(max_align_t));
    Tei__V1__TokenEmbedding **list = arena_alloc_array(call->arena, n, sizeof *list, _Alignof(max_align_t));
    if (!tokens || !list) {
        serve_call_fail(call, STATUS_NO_MEMORY, "no memory for the response");
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        tei__v1__token_embedding__init(&tokens[i]);
        tokens[i].embeddings = (float *)(uintptr_t)(rows + (size_t)i * infer->width);
        tokens[i].n_embeddings = infer->width;
        list[i] = &tokens[i];
    }
    Tei__V1__EmbedAllResponse response = TEI__V1__EMBED_ALL_RESPONSE__INIT;
    Tei__V1__Metadata metadata;
    rpc_report_fill(infer, &metadata);
    response.token_embeddings = list;
    response.n_token_embeddings = n;
    response.metadata = &metadata;
    rpc_calls_reply(call, &response.base);
}

const struct rpc_action rpc_embed_all = {.start = start_all, .encode = encode_all};
