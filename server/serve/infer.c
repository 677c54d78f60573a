#include "server/serve/infer.h"

#include "server/serve/accounts.h"
#include "server/serve/compute.h"
#include "server/serve/prepare.h"
#include "server/serve/server.h"
#include "server/serve/texts.h"

/* Memory for the results, and what they will be encoded as. */
static enum status make_room(struct serve_infer *infer, struct error *err)
{
    enum status status =
        serve_call_reserve(infer->call, infer->n_values * (sizeof(float) + infer->call->method->value_cost), err);
    if (status != STATUS_OK)
        return status;
    float *out = arena_alloc_array(infer->call->arena, infer->n_values, sizeof *out, 64);
    if (!out)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %llu values", (unsigned long long)infer->n_values);
    for (uint32_t i = 0; i < infer->n_items; i++) {
        struct batch_item *item = &infer->items[i];
        item->out = out;
        out += (size_t)infer->width * (item->pooling == BATCH_POOL_NONE ? item->n_rows : 1);
    }
    return STATUS_OK;
}

static enum status check_spec(const struct serve_server *server, const struct serve_infer_spec *spec, struct error *err)
{
    enum status status = serve_inputs_check(server, &spec->inputs, "inputs", err);
    if (status == STATUS_OK && spec->dimensions > server->options.width)
        return error_set(err, STATUS_VALIDATION, "`dimensions`: %u is more than the %u of the model", spec->dimensions,
                         server->options.width);
    return status;
}

/* All up to the boards: the items of the work, and memory for their results. */
static enum status prepare(struct serve_call *call, const struct serve_infer_spec *spec, struct error *err)
{
    struct serve_server *server = call->server;
    enum status status = check_spec(server, spec, err);
    if (status != STATUS_OK)
        return status;
    metrics_counter_add(server->telemetry.requests[spec->inputs.single ? SERVE_SINGLE : SERVE_BATCH], 1);
    struct serve_infer *infer = arena_alloc(call->arena, sizeof *infer);
    if (!infer)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u inputs", spec->inputs.n);
    uint32_t width = server->options.width;
    *infer = (struct serve_infer){.call = call,
                                  .width = width,
                                  .keep = spec->dimensions ? spec->dimensions : width,
                                  .normalize = spec->normalize,
                                  .single = spec->inputs.single};
    status = serve_prepare_items(infer, spec, err);
    if (status == STATUS_OK)
        status = make_room(infer, err);
    if (status == STATUS_OK)
        status = serve_account_take_tokens(call, infer->tokens, err);
    if (status == STATUS_OK && server->cache && spec->pooling != BATCH_POOL_NONE)
        status = serve_compute_share(infer, err);
    if (status == STATUS_OK)
        call->infer = infer;
    return status;
}

enum serve_progress serve_infer_start(struct serve_call *call, const struct serve_infer_spec *spec)
{
    call->status = prepare(call, spec, &call->err);
    if (call->status != STATUS_OK)
        return SERVE_DONE;
    serve_compute_start(call->infer);
    return SERVE_PENDING;
}
