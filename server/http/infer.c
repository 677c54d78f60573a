#include "server/http/infer.h"

#include <math.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/http/texts.h"
#include "server/wire/response.h"

enum { SCRATCH_LIMIT = 1 << 30 };

/* Tokenise one input in memory of its own, which a long text may need a lot of, and keep only the ids. */
static enum status prepare_item(struct http_infer *infer, const struct wire_input *input,
                                const struct http_text_options *options, struct batch_item *item, struct error *err)
{
    struct arena *scratch = arena_create(SCRATCH_LIMIT);
    if (!scratch)
        return error_set(err, STATUS_NO_MEMORY, "no memory for tokenizing");
    struct token_encoding encoding;
    struct wire_string text;
    enum status status = http_text_encode(infer->call->server, input, options, scratch, &encoding, &text, err);
    if (status == STATUS_OK) {
        uint32_t *ids = arena_alloc_array(infer->call->arena, encoding.n, sizeof *ids, sizeof *ids);
        if (ids) {
            memcpy(ids, encoding.ids, encoding.n * sizeof *ids);
            item->ids = ids;
            item->n_tokens = encoding.n;
        } else {
            status = error_set(err, STATUS_NO_MEMORY, "no memory for %u tokens", encoding.n);
        }
    }
    arena_destroy(&scratch);
    return status;
}

static enum status prepare_items(struct http_infer *infer, const struct http_infer_spec *spec, struct error *err)
{
    struct http_server *server = infer->call->server;
    struct http_text_options options = {
        .add_special_tokens = true, .truncate = spec->truncate, .limit_tokens = true, .direction = spec->direction};
    enum status status = http_prompts_find(&server->prompts, spec->prompt_name, &options.prompt, err);
    uint64_t begin = clock_now_ns();
    for (uint32_t i = 0; i < infer->n_items && status == STATUS_OK; i++) {
        struct batch_item *item = &infer->items[i];
        item->pooling = spec->pooling;
        status = prepare_item(infer, &spec->inputs->items[i], &options, item, err);
        infer->tokens += item->n_tokens;
        infer->chars += http_text_chars(&spec->inputs->items[i]);
        infer->n_values += (uint64_t)infer->width * (spec->pooling == BATCH_POOL_NONE ? item->n_tokens : 1);
    }
    infer->tokenization_ns = clock_now_ns() - begin;
    return status;
}

/* Memory for the results, and the text they will become. */
static enum status make_room(struct http_infer *infer, struct error *err)
{
    enum status status = http_call_reserve(infer->call, infer->n_values * (sizeof(float) + WIRE_FLOAT_COST), err);
    if (status != STATUS_OK)
        return status;
    float *out = arena_alloc_array(infer->call->arena, infer->n_values, sizeof *out, 64);
    if (!out)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %llu values", (unsigned long long)infer->n_values);
    for (uint32_t i = 0; i < infer->n_items; i++) {
        struct batch_item *item = &infer->items[i];
        item->out = out;
        out += (size_t)infer->width * (item->pooling == BATCH_POOL_NONE ? item->n_tokens : 1);
    }
    return STATUS_OK;
}

/* The work is done and no longer watched. A cancellation of ours is told as what caused it. */
static void settle(struct http_call *call)
{
    enum status status = call->infer->outcome;
    if (status == STATUS_CANCELLED && call->watched.reason == STATUS_TIMEOUT)
        status = error_set(&call->err, STATUS_TIMEOUT, "the request took longer than its time limit");
    http_call_settle(call, status, &call->err);
}

static void on_released(struct http_watched *watched)
{
    settle((struct http_call *)((char *)watched - offsetof(struct http_call, watched)));
}

static void on_done(struct batch_work *work, enum status status, const struct error *err)
{
    struct http_call *call = work->cookie;
    call->infer->outcome = status;
    call->err = *err;
    if (http_watch_remove(&call->server->watch, &call->watched))
        settle(call);
}

static enum status submit(struct http_infer *infer, struct error *err)
{
    struct http_call *call = infer->call;
    struct http_server *server = call->server;
    infer->work = (struct batch_work){.items = infer->items,
                                      .n_items = infer->n_items,
                                      .class = batch_class_of(infer->n_items, infer->tokens),
                                      .key = call->client,
                                      .deadline_ns = call->deadline_ns,
                                      .on_done = on_done,
                                      .cookie = call};
    call->watched = (struct http_watched){
        .work = &infer->work, .socket = call->socket, .deadline_ns = call->deadline_ns, .on_released = on_released};
    metrics_counter_add(server->telemetry.inputs, infer->n_items);
    http_watch_add(&server->watch, &call->watched);
    struct error why;
    enum status status = batch_submit(server->options.batch, &infer->work, &why);
    if (status == STATUS_OK)
        return STATUS_OK;
    infer->outcome = status;
    call->err = why;
    if (!http_watch_remove(&server->watch, &call->watched))
        return STATUS_OK; /* the watcher holds it, and settles it with the outcome when it lets go */
    if (err)
        *err = why;
    return status;
}

enum status http_infer_start(struct http_call *call, const struct http_infer_spec *spec, struct error *err)
{
    struct http_server *server = call->server;
    enum http_method_label label = spec->inputs->single ? HTTP_SINGLE : HTTP_BATCH;
    metrics_counter_add(server->telemetry.requests[label], 1);
    struct http_infer *infer = arena_alloc(call->arena, sizeof *infer);
    struct batch_item *items =
        arena_alloc_array(call->arena, spec->inputs->n, sizeof *items, _Alignof(struct batch_item));
    if (!infer || !items)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u inputs", spec->inputs->n);
    memset(items, 0, spec->inputs->n * sizeof *items);
    *infer = (struct http_infer){.call = call,
                                 .items = items,
                                 .n_items = spec->inputs->n,
                                 .width = server->options.width,
                                 .single = spec->inputs->single};
    enum status status = prepare_items(infer, spec, err);
    if (status == STATUS_OK)
        status = make_room(infer, err);
    if (status != STATUS_OK)
        return status;
    call->infer = infer;
    status = submit(infer, err);
    if (status != STATUS_OK)
        call->infer = NULL;
    return status;
}

uint64_t http_infer_values(const struct http_infer *infer)
{
    return infer ? infer->n_values : 0;
}

uint64_t http_infer_queue_ns(const struct http_infer *infer)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < infer->n_items; i++)
        sum += infer->items[i].queue_ns;
    return sum / infer->n_items;
}

uint64_t http_infer_inference_ns(const struct http_infer *infer)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < infer->n_items; i++)
        sum += infer->items[i].inference_ns;
    return sum / infer->n_items;
}

void http_infer_count(const struct http_infer *infer)
{
    struct http_telemetry *t = &infer->call->server->telemetry;
    metrics_counter_add(t->successes[infer->single ? HTTP_SINGLE : HTTP_BATCH], 1);
    metrics_counter_add(t->embedded, infer->n_items);
    metrics_histogram_observe(t->duration, (double)(clock_now_ns() - infer->call->started_ns) * 1e-9);
    metrics_histogram_observe(t->tokenization, (double)infer->tokenization_ns / infer->n_items * 1e-9);
    metrics_histogram_observe(t->queue, (double)http_infer_queue_ns(infer) * 1e-9);
    metrics_histogram_observe(t->inference, (double)http_infer_inference_ns(infer) * 1e-9);
    for (uint32_t i = 0; i < infer->n_items; i++)
        metrics_histogram_observe(t->input_length, infer->items[i].n_tokens);
}

void http_normalize(float *values, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)values[i] * (double)values[i];
    if (sum == 0)
        return;
    double factor = 1.0 / sqrt(sum);
    for (uint32_t i = 0; i < n; i++)
        values[i] = (float)((double)values[i] * factor);
}
