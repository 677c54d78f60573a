/* What is taken without a forecast is what a forecast would have taken. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "server/batch/forecast.h"

enum { LAYERS = 6, MAX_WORKS = 300, MAX_ITEMS = 40 };

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % below);
}

static struct batch_work *make_work(uint32_t longest)
{
    struct batch_work *work = calloc(1, sizeof *work);
    work->n_items = 1 + (draw(3) ? 0 : draw(MAX_ITEMS));
    work->items = calloc(work->n_items, sizeof *work->items);
    work->key = draw(20);
    for (uint32_t i = 0; i < work->n_items; i++)
        work->items[i].n_tokens = 1 + draw(longest);
    work->class = batch_class_of(work->n_items, 0);
    return work;
}

static void free_work(struct batch_work *work)
{
    free(work->items);
    free(work);
}

static struct flight *running_flight(uint32_t board)
{
    struct flight *flight = calloc(1, sizeof *flight);
    uint32_t texts = 1 + draw(8);
    flight->state = FLIGHT_RUNNING;
    flight->class = (enum batch_class)draw(BATCH_CLASSES);
    for (uint32_t i = 0; i < texts; i++)
        flight->load = cost_add(flight->load, 1 + draw(250));
    flight->until = LAYERS;
    flight->n_shards = 1;
    flight->shards = &flight->whole;
    flight->whole.board = board;
    return flight;
}

static struct batch *make_batch(const struct image *image)
{
    struct batch *batch = calloc(1, sizeof *batch);
    uint32_t n = draw(4) ? 1 + draw(12) : 1 + draw(700);
    batch->options = (struct batch_options){
        .image = (struct image *)image, .n_boards = n, .max_tokens = 64 + draw(16000), .placement = BATCH_AUTO};
    batch->options.placement = draw(2) ? BATCH_REPLICATE : BATCH_AUTO;
    batch->usable = board_set_of(n);
    batch->n_kinds = 1 + draw(3);
    for (uint32_t k = 0; k < batch->n_kinds; k++) {
        cost_init(&batch->cost[k]);
        batch->cost[k].layer_ns *= 1 + draw(30);
        batch->cost[k].row_ns *= 1 + draw(5);
        batch->cost[k].scale = 0.1 + draw(100) / 10.0;
    }
    batch->kinds = batch->n_kinds > 1 ? calloc(n, 1) : NULL;
    for (uint32_t b = 0; b < n && batch->kinds; b++)
        batch->kinds[b] = (uint8_t)draw(batch->n_kinds);
    batch->bulk_quantum_ns = 1e6;
    batch->concurrency = draw(n + 1);
    for (uint32_t b = 0; b < n; b++) {
        bool serves = draw(10) > 0;
        board_set_put(&batch->usable, b, serves);
        batch->n_usable += serves;
    }
    for (int c = 0; c < BATCH_CLASSES; c++)
        queue_init(&batch->queues[c], 1000000);
    return batch;
}

static void add_flights(struct batch *batch)
{
    uint32_t percent = draw(100);
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        if (!board_set_has(&batch->usable, b) || draw(100) >= percent)
            continue;
        struct flight *flight = running_flight(b);
        flight->predicted_ns = cost_whole(&batch->cost[0], flight->load, LAYERS);
        flight->launched_ns = UINT64_MAX / 2; /* it has only begun: the clock is far behind */
        flight->newer[FLIGHTS_ALL] = batch->oldest[FLIGHTS_ALL];
        batch->oldest[FLIGHTS_ALL] = flight;
    }
}

static void free_batch(struct batch *batch)
{
    while (batch->oldest[FLIGHTS_ALL]) {
        struct flight *flight = batch->oldest[FLIGHTS_ALL];
        batch->oldest[FLIGHTS_ALL] = flight->newer[FLIGHTS_ALL];
        free(flight);
    }
    free(batch->kinds);
    free(batch);
}

Test(forecast, what_is_surely_in_time_is_so_by_the_forecast)
{
    struct image image = {.shape = {.hidden = 4, .layers = LAYERS}};
    for (uint64_t seed = 1; seed <= 600; seed++) {
        random_state = seed * 2654435761u;
        struct batch *batch = make_batch(&image);
        struct batch_work *works[MAX_WORKS];
        uint32_t n_works = draw(3) ? draw(MAX_WORKS) : 0, longest = draw(2) ? 60 : 500;
        for (uint32_t w = 0; w < n_works; w++) {
            works[w] = make_work(longest);
            queue_push(&batch->queues[works[w]->class], works[w]);
        }
        add_flights(batch);
        struct batch_work *work = make_work(longest);
        double forecast_ns = sched_forecast_ns(batch, work);
        cr_assert_not(sched_is_surely_in_time(batch, work, forecast_ns), "seed %lu: %u boards, %u works, %.0f ms",
                      (unsigned long)seed, batch->options.n_boards, n_works, forecast_ns / 1e6);
        double factor = batch->kinds ? 6000 : 60; /* the slowest kind counts, and kinds may differ a hundred times */
        cr_assert(sched_is_surely_in_time(batch, work, factor * forecast_ns + 1e12), "seed %lu", (unsigned long)seed);
        free_work(work);
        for (uint32_t w = 0; w < n_works; w++)
            free_work(works[w]);
        free_batch(batch);
    }
}
