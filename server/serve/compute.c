#include "server/serve/compute.h"

#include "server/serve/server.h"

/* More results than these are put into the cache by a worker: a board's thread has better things to do. */
enum { FEW_RESULTS = 8 };

static struct serve_infer *infer_of(struct serve_party *party)
{
    return (struct serve_infer *)((char *)party - offsetof(struct serve_infer, party));
}

static struct serve_call *call_of_watched(struct serve_watched *watched)
{
    return (struct serve_call *)((char *)watched - offsetof(struct serve_call, watched));
}

static bool is_shared(const struct serve_infer *infer)
{
    return infer->party.n_parts > 0;
}

static void end(struct serve_call *call, enum status status, const struct error *err)
{
    call->status = status;
    call->err = *err;
    if (serve_watch_remove(&call->server->watch, &call->watched))
        serve_call_complete(call);
}

static void on_released(struct serve_watched *watched)
{
    serve_call_complete(call_of_watched(watched));
}

/* Rounds ------------------------------------------------------------------------------------------------------------*/

static void run_round(struct serve_infer *infer, bool first);

static void run_next_round(struct serve_task *task)
{
    run_round(serve_call_of_task(task)->infer, false);
}

/* What serve_share_settle and serve_share_give_up returned. */
static void go_on(struct serve_party *list)
{
    while (list) {
        struct serve_party *party = list;
        struct serve_call *call = infer_of(party)->call;
        list = party->next;
        if (party->over) {
            end(call, party->status, &party->err);
        } else {
            call->task.run = run_next_round;
            serve_pool_push(&call->server->pool, &call->task);
        }
    }
}

static void settle(struct serve_infer *infer, enum status status, const struct error *err)
{
    struct serve_party *party = &infer->party;
    for (uint32_t i = 0; i < party->n_leads && status == STATUS_OK; i++) {
        party->leads[i]->item->queue_ns = infer->led[i].queue_ns;
        party->leads[i]->item->inference_ns = infer->led[i].inference_ns;
    }
    go_on(serve_share_settle(&infer->call->server->share, party, status, err));
}

static void settle_on_worker(struct serve_task *task)
{
    settle(serve_call_of_task(task)->infer, STATUS_OK, NULL);
}

static void on_done(struct batch_work *work, enum status status, const struct error *err)
{
    struct serve_call *call = work->cookie;
    struct serve_infer *infer = call->infer;
    if (!is_shared(infer)) {
        end(call, status, err);
    } else if (status == STATUS_OK && work->n_items > FEW_RESULTS) {
        call->task.run = settle_on_worker;
        serve_pool_push(&call->server->pool, &call->task);
    } else {
        settle(infer, status, err);
    }
}

static void submit(struct serve_infer *infer, struct batch_item *items, uint32_t n)
{
    struct error err;
    infer->work.items = items;
    infer->work.n_items = n;
    enum status status = batch_submit(infer->call->server->options.batch, &infer->work, &err);
    if (status != STATUS_OK)
        on_done(&infer->work, status, &err);
}

/* Each part was in the cache, leads or waits; counted once. */
static void count(const struct serve_telemetry *telemetry, enum serve_part_state state)
{
    if (state == SERVE_PART_DONE)
        metrics_counter_add(telemetry->cache_hits, 1);
    else if (state == SERVE_PART_LEADS)
        metrics_counter_add(telemetry->cache_misses, 1);
    else if (state == SERVE_PART_WAITS)
        metrics_counter_add(telemetry->coalesced, 1);
}

static void run_round(struct serve_infer *infer, bool first)
{
    struct serve_server *server = infer->call->server;
    struct serve_party *party = &infer->party;
    for (uint32_t i = 0; i < party->n_parts; i++) {
        if (party->parts[i].cached)
            continue;
        enum serve_part_state state = serve_share_claim(&server->share, &party->parts[i]);
        if (first)
            count(&server->telemetry, state);
    }
    for (uint32_t i = 0; i < party->n_leads; i++)
        infer->led[i] = *party->leads[i]->item;
    if (party->n_leads > 0)
        submit(infer, infer->led, party->n_leads);
    else
        settle(infer, STATUS_OK, NULL);
}

static void cancel(struct serve_watched *watched)
{
    struct serve_call *call = call_of_watched(watched);
    struct serve_infer *infer = call->infer;
    struct error err;
    error_set(&err, STATUS_CANCELLED, "the client has gone");
    batch_cancel(call->server->options.batch, &infer->work);
    if (is_shared(infer))
        go_on(serve_share_give_up(&call->server->share, &infer->party, STATUS_CANCELLED, &err));
}

/* -------------------------------------------------------------------------------------------------------------------*/

static void make_part(struct serve_infer *infer, uint32_t index, uint64_t damages)
{
    const struct serve_server *server = infer->call->server;
    struct batch_item *item = &infer->items[index];
    struct serve_part *part = &infer->party.parts[index];
    *part = (struct serve_part){.key = {.ids = item->ids,
                                        .n_ids = item->n_tokens,
                                        .first_row = item->first_row,
                                        .n_rows = item->n_rows,
                                        .pooling = item->pooling,
                                        .owner = server->options.cache_shared ? 0 : infer->call->credential,
                                        .damages = damages},
                                .item = item,
                                .party = &infer->party};
    part->key.hash = serve_cache_hash(server->cache, &part->key);
}

enum status serve_compute_share(struct serve_infer *infer, struct error *err)
{
    struct serve_call *call = infer->call;
    struct serve_party *party = &infer->party;
    size_t n = infer->n_items;
    enum status status =
        serve_call_reserve(call, n * (sizeof *party->parts + sizeof *party->leads + sizeof *infer->led), err);
    if (status != STATUS_OK)
        return status;
    party->parts = arena_alloc_array(call->arena, n, sizeof *party->parts, _Alignof(struct serve_part));
    party->leads = arena_alloc_array(call->arena, n, sizeof(struct serve_part *), sizeof(struct serve_part *));
    infer->led = arena_alloc_array(call->arena, n, sizeof *infer->led, _Alignof(struct batch_item));
    if (!party->parts || !party->leads || !infer->led)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u sequences", infer->n_items);
    party->n_parts = infer->n_items;
    party->client = call->client;
    party->deadline_ns = call->deadline_ns;
    serve_share_begin(party);
    uint64_t damages = batch_damages(call->server->options.batch);
    for (uint32_t i = 0; i < infer->n_items; i++)
        make_part(infer, i, damages);
    return STATUS_OK;
}

/* True when all parts were in the cache. */
static bool find_all(struct serve_infer *infer)
{
    struct serve_server *server = infer->call->server;
    struct serve_party *party = &infer->party;
    uint32_t found = 0;
    for (uint32_t i = 0; i < party->n_parts; i++) {
        struct serve_part *part = &party->parts[i];
        part->cached = serve_cache_find(server->cache, &part->key, part->item->out);
        if (!part->cached)
            continue;
        part->state = SERVE_PART_DONE;
        found++;
    }
    metrics_counter_add(server->telemetry.cache_hits, found);
    return found == party->n_parts;
}

void serve_compute_start(struct serve_infer *infer)
{
    struct serve_call *call = infer->call;
    struct serve_server *server = call->server;
    infer->work =
        (struct batch_work){.class = call->has_class ? call->class : batch_class_of(infer->n_items, infer->tokens),
                            .key = call->client,
                            .deadline_ns = call->deadline_ns,
                            .on_done = on_done,
                            .cookie = call};
    infer->party.class = infer->work.class;
    metrics_counter_add(server->telemetry.inputs, infer->n_inputs);
    if (is_shared(infer) && find_all(infer)) {
        serve_call_complete(call);
        return;
    }
    call->watched = (struct serve_watched){
        .socket = call->socket, .unwanted = &call->unwanted, .cancel = cancel, .on_released = on_released};
    serve_watch_add(&server->watch, &call->watched);
    if (is_shared(infer))
        run_round(infer, true);
    else
        submit(infer, infer->items, infer->n_items);
}
