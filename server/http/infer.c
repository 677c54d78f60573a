#include "server/http/infer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/http/prepare.h"
#include "server/http/windows.h"
#include "server/wire/response.h"

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
        out += (size_t)infer->width * (item->pooling == BATCH_POOL_NONE ? item->n_rows : 1);
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
    infer->work =
        (struct batch_work){.items = infer->items,
                            .n_items = infer->n_items,
                            .class = call->has_class ? call->class : batch_class_of(infer->n_items, infer->tokens),
                            .key = call->client,
                            .deadline_ns = call->deadline_ns,
                            .on_done = on_done,
                            .cookie = call};
    call->watched = (struct http_watched){
        .work = &infer->work, .socket = call->socket, .deadline_ns = call->deadline_ns, .on_released = on_released};
    metrics_counter_add(server->telemetry.inputs, infer->n_inputs);
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
    if (!infer)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u inputs", spec->inputs->n);
    *infer = (struct http_infer){.call = call, .width = server->options.width, .single = spec->inputs->single};
    enum status status = http_prepare_items(infer, spec, err);
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

float *http_infer_rows(struct http_infer *infer)
{
    float *rows = infer->items[0].out;
    for (uint32_t i = 0; i < infer->n_inputs; i++) {
        const struct http_infer_input *input = &infer->inputs[i];
        const struct batch_item *items = &infer->items[input->first_item];
        http_windows_pool(items, input->n_items, infer->width);
        if (input->first_item > i)
            memcpy(rows + (size_t)i * infer->width, items[0].out, infer->width * sizeof *rows);
    }
    return rows;
}

const float *http_infer_tokens(const struct http_infer *infer, uint32_t input)
{
    return infer->items[infer->inputs[input].first_item].out;
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
    metrics_counter_add(t->embedded, infer->n_inputs);
    metrics_histogram_observe(t->duration, (double)(clock_now_ns() - infer->call->started_ns) * 1e-9);
    metrics_histogram_observe(t->tokenization, (double)infer->tokenization_ns / infer->n_inputs * 1e-9);
    metrics_histogram_observe(t->queue, (double)http_infer_queue_ns(infer) * 1e-9);
    metrics_histogram_observe(t->queue_of[infer->work.class], (double)http_infer_queue_ns(infer) * 1e-9);
    metrics_histogram_observe(t->inference, (double)http_infer_inference_ns(infer) * 1e-9);
    for (uint32_t i = 0; i < infer->n_inputs; i++)
        metrics_histogram_observe(t->input_length, infer->inputs[i].n_tokens);
}

uint32_t http_infer_truncated(const struct http_infer_input *inputs, uint32_t n, char *text, size_t size)
{
    uint32_t count = 0;
    size_t len = 0;
    bool full = false;
    *text = '\0';
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && inputs[end].truncated;)
            end++;
        count += end - i;
        char run[32];
        int run_len = end - i > 1 ? snprintf(run, sizeof run, "%s%u-%u", len ? "," : "", i, end - 1)
                                  : snprintf(run, sizeof run, "%s%u", len ? "," : "", i);
        bool any = end > i;
        end += !any;
        if (!any || full)
            continue;
        full = len + (size_t)run_len + sizeof ",..." > size;
        len += (size_t)snprintf(text + len, size - len, "%s", full ? len ? ",..." : "..." : run);
    }
    return count;
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
