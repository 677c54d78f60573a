#include "server/batch/calibrate.h"

#include <math.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/batch/flight.h"

#define TRIALS_NS 5e7

enum { SHORTEST = 8, LEAST_POSITIONS = 128, LONGEST = 256, MAX_TAKES = 6 * BANDIT_ARMS * BANDIT_FIRST };

/* A launch, and what it took. */
struct take {
    struct cost_load load;
    struct bandit_choice choice;
    double took_ns;
};

struct trials {
    const struct bandit *bandit;
    const struct cost_model *cost;
    struct image *image;
    struct board *const *boards;
    uint32_t n_boards;
    uint32_t *ids; /* [LONGEST] */
    double left_ns;
    struct take takes[MAX_TAKES];
    uint32_t n_takes;
    pthread_mutex_t lock;
    pthread_cond_t returned;
    uint64_t returned_ns; /* 0: not yet */
};

static void on_returned(struct flight *flight, void *cookie)
{
    (void)flight;
    struct trials *trials = cookie;
    uint64_t now_ns = clock_now_ns();
    pthread_mutex_lock(&trials->lock);
    trials->returned_ns = now_ns;
    pthread_cond_signal(&trials->returned);
    pthread_mutex_unlock(&trials->lock);
}

/* Nanoseconds that it took; 0: it failed. */
static double run(struct trials *trials, struct flight *flight, struct bandit_choice choice)
{
    uint32_t boards[PLANNER_MAX_SPLIT];
    for (uint32_t b = 0; b < choice.boards; b++)
        boards[b] = b;
    trials->returned_ns = 0;
    flight->layer = 0;
    flight->pair_weight = trials->cost->pair_ns / trials->cost->row_ns;
    flight->layer_weight = trials->cost->layer_ns / trials->cost->row_ns;
    uint64_t begin_ns = clock_now_ns();
    const struct flight_plan plan = {trials->boards, boards, choice.boards, choice.placement};
    flight_launch(flight, &plan, trials->image->shape.layers, on_returned, trials);
    pthread_mutex_lock(&trials->lock);
    while (trials->returned_ns == 0)
        pthread_cond_wait(&trials->returned, &trials->lock);
    pthread_mutex_unlock(&trials->lock);
    return flight->status == STATUS_OK ? (double)(trials->returned_ns - begin_ns) : 0;
}

/* One launch. False: there was no time for it, or it failed. */
static bool try_arm(struct trials *trials, struct flight *flight, struct bandit_choice arm)
{
    uint32_t layers = trials->image->shape.layers;
    if (trials->left_ns < bandit_predict(trials->bandit, trials->cost, flight->load, layers, arm))
        return false;
    struct take *take = &trials->takes[trials->n_takes];
    *take = (struct take){flight->load, arm, run(trials, flight, arm)};
    trials->left_ns -= take->took_ns;
    trials->n_takes += take->took_ns > 0;
    return take->took_ns > 0;
}

/* Memory for every way. */
static enum status reserve(const struct trials *trials, struct flight *flight, uint32_t most)
{
    const uint32_t first = 0;
    struct flight_plan plan = {trials->boards, &first, most, BATCH_SPLIT};
    enum status status = flight_reserve(flight, &plan);
    plan.placement = BATCH_TENSOR;
    return status == STATUS_OK ? flight_reserve(flight, &plan) : status;
}

/* One text of so many tokens, in every way by turns: cores and caches warm up for all of them. */
static enum status try_size(struct trials *trials, uint32_t tokens, bool *ret_more, struct error *err)
{
    struct batch_item item = {.ids = trials->ids, .n_tokens = tokens};
    struct batch_work work = {.items = &item, .n_items = 1};
    struct queue_entry entry = {.work = &work, .item = &item};
    struct flight *flight = flight_create(trials->image, &entry, 1);
    uint32_t most = trials->n_boards < tokens ? trials->n_boards : tokens;
    if (!flight || reserve(trials, flight, most) != STATUS_OK) {
        flight_destroy(&flight);
        return error_set(err, STATUS_NO_MEMORY, "no memory to measure a split");
    }
    bool more = true;
    for (int turn = 0; turn < BANDIT_FIRST && more; turn++) {
        struct bandit_choice arm = bandit_whole;
        do
            more = try_arm(trials, flight, arm);
        while (more && bandit_next_arm(trials->bandit, &arm, most));
    }
    flight_destroy(&flight);
    *ret_more = more;
    return STATUS_OK;
}

/* The barrier where it seemed shortest: what sharing hopes for at other sizes. */
static void fit_barrier(const struct trials *trials, struct cost_model *cost)
{
    uint32_t layers = trials->image->shape.layers;
    double least_ns = INFINITY;
    for (uint32_t i = 0; i < trials->n_takes; i++) {
        const struct take *take = &trials->takes[i];
        if (take->choice.placement == BATCH_SPLIT)
            least_ns = fmin(least_ns, take->took_ns - cost_split(cost, take->load, layers, take->choice.boards));
    }
    if (least_ns > 0 && isfinite(least_ns))
        cost->barrier_ns += least_ns / layers;
}

static void teach(const struct trials *trials, struct bandit *bandit, struct cost_model *cost)
{
    uint32_t layers = trials->image->shape.layers;
    fit_barrier(trials, cost);
    for (uint32_t i = 0; i < trials->n_takes; i++) {
        struct take take = trials->takes[i];
        take.choice.weighed = true;
        bandit_observe(bandit, cost, take.load, layers, take.choice, take.took_ns);
    }
    for (uint32_t i = 0; i < trials->n_takes; i++)
        if (trials->takes[i].choice.boards == 1)
            cost_observe(cost, trials->takes[i].load, layers, trials->takes[i].took_ns);
}

enum status calibrate_sharing(struct bandit *bandit, struct cost_model *cost, struct image *image,
                              struct board *const *boards, uint32_t n, struct error *err)
{
    if (image->shape.positions < LEAST_POSITIONS)
        return STATUS_OK; /* a toy model */
    struct trials *trials = mem_calloc(1, sizeof *trials);
    uint32_t *ids = mem_calloc(LONGEST, sizeof *ids);
    enum status status = STATUS_OK;
    bool more = trials && ids;
    if (!more) {
        status = error_set(err, STATUS_NO_MEMORY, "no memory to measure a split");
        goto done;
    }
    *trials = (struct trials){.bandit = bandit,
                              .cost = cost,
                              .image = image,
                              .boards = boards,
                              .n_boards = n < PLANNER_MAX_SPLIT ? n : PLANNER_MAX_SPLIT,
                              .ids = ids,
                              .left_ns = TRIALS_NS,
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .returned = PTHREAD_COND_INITIALIZER};
    uint32_t longest = image->shape.positions < LONGEST ? image->shape.positions : LONGEST;
    for (uint32_t tokens = SHORTEST; tokens <= longest && more && status == STATUS_OK; tokens *= 2)
        status = try_size(trials, tokens, &more, err);
    teach(trials, bandit, cost);
done:
    mem_free(ids);
    mem_free(trials);
    return status;
}
