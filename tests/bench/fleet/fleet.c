#include "tests/bench/fleet/fleet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/batch/invariants.h"

enum { POSITIONS = 512, MAX_TOKENS = 512, LEAST_TOKENS = 3 };

struct fleet {
    struct fleet_options options;
    struct events events;
    struct image *image;
    struct server *servers;
    struct balancer *balancers;
    uint64_t random;
    uint64_t asked, answered, refused, late, tokens_asked;
    uint64_t from_ns; /* what was asked from then on counts */
    uint64_t counted_texts, counted_tokens;
    double *latencies_ms;
    uint64_t n_latencies;
};

/* SplitMix64. */
static uint64_t draw(struct fleet *fleet)
{
    uint64_t z = fleet->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static double draw_unit(struct fleet *fleet)
{
    return ((double)(draw(fleet) >> 11) + 0.5) * 0x1p-53;
}

/* Half of them up to 25 tokens, nine in ten up to 120: the mixture of docs/performance.md. */
static uint32_t draw_length(struct fleet *fleet)
{
    if (fleet->options.tokens)
        return fleet->options.tokens;
    double normal = sqrt(-2 * log(draw_unit(fleet))) * cos(6.283185307179586 * draw_unit(fleet));
    double length = 25 * exp(1.224 * normal);
    return length < LEAST_TOKENS ? LEAST_TOKENS : length > MAX_TOKENS ? MAX_TOKENS : (uint32_t)length;
}

/* Of the model only the layers and the width matter: the linear layers are as small as they may be. */
static enum status zero_layer(void *zeros, uint32_t index, struct image_source_layer *ret, struct error *err)
{
    const struct image_source_linear linear = {zeros, zeros};
    const struct image_source_norm norm = {zeros, zeros};
    (void)index;
    (void)err;
    *ret = (struct image_source_layer){linear, linear, linear, linear, linear, linear, norm, norm};
    return STATUS_OK;
}

static struct image *make_image(uint32_t layers, uint32_t width)
{
    float *zeros = calloc((size_t)width * (width > POSITIONS ? width : POSITIONS), sizeof *zeros);
    const struct image_source source = {.shape = {.hidden = width,
                                                  .layers = layers,
                                                  .heads = 1,
                                                  .intermediate = 1,
                                                  .vocab = 1,
                                                  .positions = POSITIONS,
                                                  .types = 1,
                                                  .layer_norm_eps = 1e-12f},
                                        .word_embeddings = zeros,
                                        .position_embeddings = zeros,
                                        .type_embeddings = zeros,
                                        .embedding_norm = {zeros, zeros},
                                        .layer = zero_layer,
                                        .cookie = zeros};
    struct image *image = NULL;
    enum status status = zeros ? image_build(&image, &source, IMAGE_INT8, NULL, NULL) : STATUS_NO_MEMORY;
    free(zeros);
    return status == STATUS_OK ? image : NULL;
}

static struct request *make_request(struct fleet *fleet, uint32_t client)
{
    static const uint32_t ids[MAX_TOKENS];
    uint32_t n = fleet->options.texts, width = fleet->options.width;
    struct request *request = calloc(1, sizeof *request);
    request->items = calloc(n, sizeof *request->items);
    float *out = calloc(n, width * sizeof *out);
    uint64_t tokens = 0;
    for (uint32_t i = 0; i < n; i++) {
        request->items[i] = (struct batch_item){.ids = ids,
                                                .n_tokens = draw_length(fleet),
                                                .pooling = BATCH_POOL_MEAN,
                                                .input = i,
                                                .out = out + (size_t)i * width};
        tokens += request->items[i].n_tokens;
    }
    request->client = client;
    request->asked_ns = virtual_now_ns;
    request->work = (struct batch_work){
        .items = request->items,
        .n_items = n,
        .deadline_ns = fleet->options.time_limit_ns ? virtual_now_ns + fleet->options.time_limit_ns : 0,
        .class = batch_class_of(n, tokens),
        .key = client};
    fleet->tokens_asked += tokens;
    return request;
}

static void free_request(struct request *request)
{
    free(request->items[0].out);
    free(request->items);
    free(request);
}

static void ask(struct fleet *fleet, uint32_t client)
{
    const struct fleet_options *options = &fleet->options;
    if (fleet->asked == options->requests)
        return;
    if (fleet->asked++ == options->requests / 5)
        fleet->from_ns = virtual_now_ns;
    struct request *request = make_request(fleet, client);
    request->balancer = (uint32_t)draw(fleet) % options->n_balancers;
    struct balancer *balancer = &fleet->balancers[request->balancer];
    uint32_t s = balancer_choose(balancer, draw(fleet));
    request->server = &fleet->servers[s];
    events_add(&fleet->events, station_serve(&balancer->station, virtual_now_ns), EVENT_ARRIVE, s, request);
    if (options->rate > 0) {
        double gap_ns = -log(draw_unit(fleet)) / options->rate * 1e9;
        events_add(&fleet->events, virtual_now_ns + (uint64_t)gap_ns, EVENT_ASK, 0, NULL);
    }
}

/* The client has its answer, or was refused. */
static void answer(struct fleet *fleet, struct request *request, bool refused)
{
    bool counts = !refused && fleet->from_ns > 0 && request->asked_ns >= fleet->from_ns;
    uint32_t client = request->client;
    fleet->balancers[request->balancer].in_hand[request->server->options.index]--;
    fleet->refused += refused;
    fleet->late += request->late;
    fleet->answered += !refused && request->times_done == 1;
    if (counts)
        fleet->latencies_ms[fleet->n_latencies++] = (double)(virtual_now_ns - request->asked_ns) / 1e6;
    fleet->counted_texts += counts ? request->work.n_items : 0;
    for (uint32_t i = 0; counts && i < request->work.n_items; i++)
        fleet->counted_tokens += request->items[i].n_tokens;
    free_request(request);
    if (fleet->options.rate <= 0)
        ask(fleet, client);
}

static void handle(struct fleet *fleet, const struct event *event)
{
    struct server *server = &fleet->servers[event->server];
    struct request *request = event->what;
    struct events *events = &fleet->events;
    switch (event->kind) {
    case EVENT_ASK:
        ask(fleet, (uint32_t)draw(fleet));
        break;
    case EVENT_ARRIVE:
        events_add(events, station_serve(&server->front, virtual_now_ns), EVENT_SUBMIT, event->server, request);
        break;
    case EVENT_SUBMIT:
    case EVENT_TASK_ENDS:
    case EVENT_LOCK_FREE: {
        struct request *refused = server_handle(server, event);
        if (refused)
            answer(fleet, refused, true);
        break;
    }
    case EVENT_COMPUTED:
        events_add(events, station_serve(&server->front, virtual_now_ns), EVENT_LEAVE, event->server, request);
        break;
    case EVENT_LEAVE: {
        struct station *station = &fleet->balancers[request->balancer].station;
        events_add(events, station_serve(station, virtual_now_ns), EVENT_IS_ANSWERED, event->server, request);
        break;
    }
    case EVENT_IS_ANSWERED:
        answer(fleet, request, false);
        break;
    }
}

static bool set_up(struct fleet *fleet)
{
    const struct fleet_options *options = &fleet->options;
    fleet->random = options->seed;
    fleet->image = make_image(options->layers, options->width);
    fleet->servers = calloc(options->n_servers, sizeof *fleet->servers);
    fleet->balancers = calloc(options->n_balancers, sizeof *fleet->balancers);
    fleet->latencies_ms = calloc(options->requests, sizeof *fleet->latencies_ms);
    struct server_options server = options->server;
    server.image = fleet->image;
    server.events = &fleet->events;
    bool good = fleet->image != NULL;
    for (uint32_t s = 0; s < options->n_servers && good; s++) {
        server.index = s;
        good = server_init(&fleet->servers[s], &server);
    }
    for (uint32_t b = 0; b < options->n_balancers; b++)
        fleet->balancers[b] = (struct balancer){
            .policy = options->policy,
            .station = {.cores = options->balancer_cores, .work_ns = options->balancer_ns / 2},
            .n_servers = options->n_servers,
            .next = b % options->n_servers,
            .in_hand = calloc(options->n_servers, sizeof(uint32_t)),
        };
    return good;
}

static void clear(struct fleet *fleet)
{
    for (uint32_t s = 0; s < fleet->options.n_servers; s++)
        server_finish(&fleet->servers[s]);
    for (uint32_t b = 0; b < fleet->options.n_balancers; b++)
        free(fleet->balancers[b].in_hand);
    free(fleet->servers);
    free(fleet->balancers);
    free(fleet->latencies_ms);
    events_finish(&fleet->events);
    image_release(&fleet->image);
}

static bool is_well(const struct fleet *fleet)
{
    uint64_t rows = 0;
    for (uint32_t s = 0; s < fleet->options.n_servers; s++) {
        const char *broken = sched_broken_invariant(fleet->servers[s].batch);
        rows += fleet->servers[s].layer_rows;
        if (broken) {
            fprintf(stderr, "bench-fleet: server %u: %s\n", s, broken);
            return false;
        }
    }
    bool all = fleet->answered + fleet->refused == fleet->options.requests;
    bool once = fleet->refused > 0 || rows == fleet->tokens_asked * fleet->options.layers;
    if (!all || !once)
        fprintf(stderr, "bench-fleet: of %u requests %llu were answered and %llu refused; %llu layers of %llu tokens\n",
                fleet->options.requests, (unsigned long long)fleet->answered, (unsigned long long)fleet->refused,
                (unsigned long long)rows, (unsigned long long)fleet->tokens_asked);
    return all && once;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const struct fleet *fleet, double share)
{
    return fleet->n_latencies ? fleet->latencies_ms[(uint64_t)(share * (double)(fleet->n_latencies - 1))] : 0;
}

static void add_calls(struct server_calls *sum, const struct server_calls *calls)
{
    sum->n += calls->n;
    sum->stalls += calls->stalls;
    sum->spent.locked_ns += calls->spent.locked_ns;
    sum->spent.planned_ns += calls->spent.planned_ns;
    sum->spent.forecast_ns += calls->spent.forecast_ns;
    sum->longest_ns = fmax(sum->longest_ns, calls->longest_ns);
}

static void summarise(struct fleet *fleet, double lasted_ns, struct fleet_results *ret)
{
    const struct fleet_options *options = &fleet->options;
    double window_s = (double)(virtual_now_ns - fleet->from_ns) / 1e9, sum_ms = 0, batches = 0;
    qsort(fleet->latencies_ms, fleet->n_latencies, sizeof(double), compare);
    for (uint64_t i = 0; i < fleet->n_latencies; i++)
        sum_ms += fleet->latencies_ms[i];
    *ret = (struct fleet_results){.answered = fleet->answered,
                                  .refused = fleet->refused,
                                  .late = fleet->late,
                                  .seconds = lasted_ns / 1e9,
                                  .texts_per_s = (double)fleet->counted_texts / window_s,
                                  .tokens_per_s = (double)fleet->counted_tokens / window_s,
                                  .p50_ms = quantile(fleet, 0.5),
                                  .p90_ms = quantile(fleet, 0.9),
                                  .p99_ms = quantile(fleet, 0.99),
                                  .mean_ms = fleet->n_latencies ? sum_ms / (double)fleet->n_latencies : 0};
    for (uint32_t s = 0; s < options->n_servers; s++) {
        struct server *server = &fleet->servers[s];
        struct batch_stats stats;
        batch_get_stats(server->batch, &stats);
        for (int p = 0; p < BATCH_PLACEMENTS; p++)
            batches += (double)(stats.flights[p][BATCH_INTERACTIVE] + stats.flights[p][BATCH_BULK]);
        ret->boards_busy += server->boards_busy_ns / lasted_ns / server->options.n_boards / options->n_servers;
        ret->front_busy += server->front.busy_ns / lasted_ns / server->front.cores / options->n_servers;
        ret->lock_busy = fmax(ret->lock_busy, server->lock_busy_ns / lasted_ns);
        add_calls(&ret->submits, &server->submits);
        add_calls(&ret->returns, &server->returns);
    }
    ret->sequences = (double)fleet->answered * options->texts / batches;
    for (uint32_t b = 0; b < options->n_balancers; b++) {
        const struct station *station = &fleet->balancers[b].station;
        ret->balancer_busy = fmax(ret->balancer_busy, station->busy_ns / lasted_ns / station->cores);
    }
}

bool fleet_run(const struct fleet_options *options, struct fleet_results *ret)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    fleet->options = *options;
    bool good = set_up(fleet);
    if (good) {
        uint64_t begin_ns = virtual_now_ns;
        struct event event;
        virtual_count(options->server.count_lock);
        if (options->rate > 0)
            events_add(&fleet->events, virtual_now_ns, EVENT_ASK, 0, NULL);
        for (uint32_t c = 0; c < options->clients && options->rate <= 0; c++)
            ask(fleet, c);
        while (events_next(&fleet->events, &event)) {
            virtual_now_ns = event.at_ns;
            handle(fleet, &event);
        }
        virtual_count(0);
        good = is_well(fleet);
        summarise(fleet, (double)(virtual_now_ns - begin_ns), ret);
    }
    clear(fleet);
    free(fleet);
    return good;
}
