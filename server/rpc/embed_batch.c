/* bertd.v1.Embeddings/EmbedBatch: many texts, or lists of token ids, to packed vectors. */
#include <string.h>

#include "bertd.pb-c.h"
#include "server/rpc/report.h"
#include "server/rpc/request.h"
#include "server/rpc/services.h"
#include "server/serve/serve.h"

typedef Bertd__V1__EmbedBatchRequest Request;

static enum status map_inputs(const struct serve_call *call, const Request *request, struct serve_inputs *ret,
                              struct error *err)
{
    size_t n = request->n_ids ? request->n_ids : request->n_inputs;
    if (request->n_ids && request->n_inputs)
        return error_set(err, STATUS_VALIDATION, "`inputs` and `ids`: only one of them can be given");
    if (n > UINT32_MAX)
        n = UINT32_MAX; /* more than any limit */
    struct serve_input *items = arena_alloc_array(call->arena, n, sizeof *items, _Alignof(max_align_t));
    if (!items)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the inputs");
    for (size_t i = 0; i < n; i++) {
        if (request->n_ids)
            items[i] = (struct serve_input){.ids = request->ids[i]->ids, .n_ids = (uint32_t)request->ids[i]->n_ids};
        else
            items[i] = (struct serve_input){.text = rpc_request_text(request->inputs[i])};
    }
    *ret = (struct serve_inputs){items, (uint32_t)n, false};
    return STATUS_OK;
}

static enum status read_priority(struct serve_call *call, Bertd__V1__Priority priority, struct error *err)
{
    switch ((int)priority) {
    case BERTD__V1__PRIORITY__PRIORITY_UNSPECIFIED:
        return STATUS_OK;
    case BERTD__V1__PRIORITY__PRIORITY_INTERACTIVE:
    case BERTD__V1__PRIORITY__PRIORITY_BULK:
        call->has_class = true;
        call->class = priority == BERTD__V1__PRIORITY__PRIORITY_BULK ? BATCH_BULK : BATCH_INTERACTIVE;
        return STATUS_OK;
    default:
        return error_set(err, STATUS_VALIDATION, "`priority`: expected 1 (interactive) or 2 (bulk), got %d",
                         (int)priority);
    }
}

static enum status read_spec(struct serve_call *call, const Request *request, struct serve_infer_spec *ret,
                             struct error *err)
{
    const struct serve_options *options = serve_server_options(call->server);
    *ret = (struct serve_infer_spec){
        .truncate = request->has_truncate_case ? request->truncate : options->auto_truncate,
        .chunk = request->has_chunk_case ? request->chunk : options->auto_chunk,
        .chunk_overlap = request->has_chunk_overlap_case ? request->chunk_overlap : options->chunk_overlap,
        .normalize = request->has_normalize_case ? request->normalize : true,
        .pooling = options->pooling};
    if (request->has_prompt_name_case)
        ret->prompt_name = rpc_request_text(request->prompt_name);
    enum status status = rpc_request_direction(request->truncation_direction, &ret->direction, err);
    if (status == STATUS_OK && request->has_dimensions_case)
        status = rpc_request_dimensions(request->dimensions, &ret->dimensions, err);
    if (status == STATUS_OK)
        status = read_priority(call, request->priority, err);
    return status == STATUS_OK ? map_inputs(call, request, &ret->inputs, err) : status;
}

static enum serve_progress start(struct serve_call *call, const ProtobufCMessage *message)
{
    struct serve_infer_spec spec;
    call->status = read_spec(call, (const Request *)message, &spec, &call->err);
    return call->status == STATUS_OK ? serve_infer_start(call, &spec) : SERVE_DONE;
}

/* The rows one after the other: [n][keep] of [n][width], in place. Little-endian, as every machine that bertd runs on.
 */
static uint8_t *pack_rows(struct serve_infer *infer)
{
    float *rows = (float *)(uintptr_t)serve_infer_rows(infer);
    for (uint32_t i = 1; i < infer->n_inputs && infer->keep < infer->width; i++)
        memmove(rows + (size_t)i * infer->keep, rows + (size_t)i * infer->width, infer->keep * sizeof *rows);
    return (uint8_t *)rows;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "vectors are little-endian on the wire");

static void encode(struct serve_call *call)
{
    struct serve_infer *infer = call->infer;
    uint32_t n = infer->n_inputs;
    Bertd__V1__EmbedBatchResponse response = BERTD__V1__EMBED_BATCH_RESPONSE__INIT;
    Tei__V1__Metadata metadata;
    response.truncated = arena_alloc_array(call->arena, n, sizeof *response.truncated, _Alignof(max_align_t));
    response.tokens = arena_alloc_array(call->arena, n, sizeof *response.tokens, _Alignof(max_align_t));
    if (!response.truncated || !response.tokens) {
        serve_call_fail(call, STATUS_NO_MEMORY, "no memory for the response");
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        response.truncated[i] = infer->inputs[i].truncated;
        response.tokens[i] = infer->inputs[i].n_tokens;
    }
    response.n_truncated = response.n_tokens = n;
    response.rows = n;
    response.width = infer->keep;
    response.vectors.data = pack_rows(infer);
    response.vectors.len = (size_t)n * infer->keep * sizeof(float);
    rpc_report_fill(infer, &metadata);
    response.metadata = &metadata;
    rpc_calls_reply(call, &response.base);
}

const struct rpc_action rpc_embed_batch = {.start = start, .encode = encode};
