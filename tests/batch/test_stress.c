/* The scheduler from many threads over boards that fail and hang, with its schedules shuffled: this executable's calls
 * of pthread_mutex_lock and _unlock come here first (the linker's --wrap) and sometimes yield or sleep.
 *
 * BERTD_STRESS_SECONDS=60 goes on for so long, each round with another seed; BERTD_STRESS_SEED begins with a given one.
 */
#include <sched.h>
#include <stdio.h>

#include "server/batch/invariants.h"
#include "tests/batch/sched_fixture.h"
#include "tests/batch/stress_board.h"

enum { BOARDS = 3, CLIENTS = 4, ROUND_REQUESTS = 150, LIVE = 12, MAX_ITEMS = 40, TOKENS = 6 };

/* Yield injection ---------------------------------------------------------------------------------------------------*/

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
int __real_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);

static atomic_uint_fast64_t shuffle_seed; /* 0: as it is */

static void shuffle(void)
{
    static _Thread_local uint64_t state;
    static atomic_uint_fast64_t threads;
    uint64_t seed = atomic_load_explicit(&shuffle_seed, memory_order_relaxed);
    if (seed == 0)
        return;
    if (state == 0)
        state = seed + 0x9E3779B97F4A7C15u * (1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed));
    state = state * 6364136223846793005u + 1442695040888963407u;
    uint32_t chance = (uint32_t)(state >> 33);
    if (chance % 64 == 0)
        usleep(chance / 64 % 200);
    else if (chance % 4 == 0)
        sched_yield();
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    shuffle();
    return __real_pthread_mutex_lock(lock);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
    int result = __real_pthread_mutex_unlock(lock);
    shuffle();
    return result;
}

/* Requests ----------------------------------------------------------------------------------------------------------*/

struct stress;

struct ask {
    struct batch_work work;
    struct batch_item items[MAX_ITEMS];
    uint32_t ids[MAX_ITEMS][TOKENS];
    float out[MAX_ITEMS][WIDTH];
    struct stress *stress;
    atomic_bool cancelled;
    atomic_int done;
};

struct client {
    struct stress *stress;
    pthread_t thread;
    uint64_t random;
    struct ask *live[LIVE];
};

struct stress {
    struct batch *batch;
    struct board *boards[BOARDS];
    struct image *image;
    struct client clients[CLIENTS];
    pthread_t auditor;
    atomic_bool closing, stop;
    atomic_uint submitted, completed, ok, refused, unhealthy, cancelled, late;
    atomic_uint wrong, unexpected, broken;
};

static uint32_t client_random(struct client *client, uint32_t below)
{
    client->random = client->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(client->random >> 33) % below;
}

static bool right(const struct ask *ask)
{
    for (uint32_t i = 0; i < ask->work.n_items; i++)
        for (int w = 0; w < WIDTH; w++)
            if (ask->out[i][w] != (float)ask->ids[i][0] + LAYERS)
                return false;
    return true;
}

static void on_ask_done(struct batch_work *work, enum status status, const struct error *err)
{
    struct ask *ask = work->cookie;
    struct stress *stress = ask->stress;
    (void)err;
    atomic_fetch_add(&stress->completed, 1);
    if (status == STATUS_OK)
        atomic_fetch_add(right(ask) ? &stress->ok : &stress->wrong, 1);
    else if (status == STATUS_UNHEALTHY)
        atomic_fetch_add(&stress->unhealthy, 1);
    else if (status == STATUS_TIMEOUT && work->deadline_ns)
        atomic_fetch_add(&stress->late, 1);
    else if (status == STATUS_CANCELLED && (atomic_load(&ask->cancelled) || atomic_load(&stress->closing)))
        atomic_fetch_add(&stress->cancelled, 1);
    else
        atomic_fetch_add(&stress->unexpected, 1);
    if (atomic_fetch_add(&ask->done, 1) > 0)
        atomic_fetch_add(&stress->unexpected, 1); /* completed twice */
}

static struct ask *new_ask(struct client *client)
{
    struct ask *ask = calloc(1, sizeof *ask);
    uint32_t n = client_random(client, 3) ? 1 + client_random(client, 3) : 1 + client_random(client, MAX_ITEMS);
    for (uint32_t i = 0; i < n; i++) {
        ask->ids[i][0] = client_random(client, 10000);
        uint32_t len = 1 + client_random(client, TOKENS);
        for (uint32_t t = 1; t < len; t++)
            ask->ids[i][t] = ask->ids[i][0];
        ask->items[i] = (struct batch_item){.ids = ask->ids[i],
                                            .n_tokens = len,
                                            .pooling = client_random(client, 2) ? BATCH_POOL_MEAN : BATCH_POOL_MAX,
                                            .input = i,
                                            .out = ask->out[i]};
    }
    ask->stress = client->stress;
    ask->work = (struct batch_work){.items = ask->items,
                                    .n_items = n,
                                    .class = client_random(client, 3) ? BATCH_INTERACTIVE : BATCH_BULK,
                                    .key = client_random(client, 5),
                                    .on_done = on_ask_done,
                                    .cookie = ask};
    if (client_random(client, 8) == 0)
        ask->work.deadline_ns = clock_now_ns() + 1000000u * (1 + client_random(client, 20));
    return ask;
}

static void submit(struct client *client, struct ask **slot)
{
    struct stress *stress = client->stress;
    struct error err;
    struct ask *ask = new_ask(client);
    if (batch_submit(stress->batch, &ask->work, &err) == STATUS_OK) {
        atomic_fetch_add(&stress->submitted, 1);
        *slot = ask;
        return;
    }
    atomic_fetch_add(&stress->refused, 1);
    if (err.status != STATUS_UNHEALTHY && err.status != STATUS_OVERLOADED && err.status != STATUS_TIMEOUT)
        atomic_fetch_add(&stress->unexpected, 1);
    free(ask);
}

/* Invariants of sched.h, looked at by all clients and between -------------------------------------------------*/

static void audit(struct stress *stress)
{
    pthread_mutex_lock(&stress->batch->lock);
    const char *broken = sched_broken_invariant(stress->batch);
    pthread_mutex_unlock(&stress->batch->lock);
    if (broken && atomic_fetch_add(&stress->broken, 1) == 0)
        printf("%s\n", broken);
}

static void *client_main(void *cookie)
{
    struct client *client = cookie;
    for (int n = 0; n < ROUND_REQUESTS;) {
        struct ask **slot = &client->live[client_random(client, LIVE)];
        if (*slot && atomic_load(&(*slot)->done)) {
            free(*slot);
            *slot = NULL;
        } else if (!*slot) {
            submit(client, slot);
            n++;
        } else if (client_random(client, 10) == 0) {
            atomic_store(&(*slot)->cancelled, true);
            batch_cancel(client->stress->batch, &(*slot)->work);
        } else if (client_random(client, 4) == 0) {
            usleep(client_random(client, 1000));
        }
        if (client_random(client, 8) == 0)
            audit(client->stress);
    }
    return NULL;
}

static void *auditor_main(void *cookie)
{
    struct stress *stress = cookie;
    while (!atomic_load(&stress->stop)) {
        audit(stress);
        struct batch_board_info infos[BOARDS];
        batch_get_boards(stress->batch, infos);
        usleep(500);
    }
    return NULL;
}

/* -------------------------------------------------------------------------------------------------------------------*/

static void open_stress(struct stress *stress, uint64_t seed)
{
    static const enum batch_placement placements[] = {BATCH_AUTO, BATCH_REPLICATE, BATCH_SPLIT, BATCH_PIPELINE,
                                                      BATCH_TENSOR};
    enum { PLACEMENTS = sizeof placements / sizeof *placements };
    *stress = (struct stress){.image = make_image()};
    const enum batch_placement placement = placements[seed % PLACEMENTS];
    uint32_t boards = placement == BATCH_PIPELINE ? LAYERS : BOARDS;
    for (uint32_t b = 0; b < boards; b++)
        stress->boards[b] = stress_board_create(seed * BOARDS + b, b == seed % BOARDS ? 30 : 0);
    struct batch_options options = {.image = stress->image,
                                    .boards = stress->boards,
                                    .n_boards = boards,
                                    .max_tokens = 64,
                                    .max_sequences = 24,
                                    .max_queued_items = 300,
                                    .placement = placement};
    cr_assert_eq(batch_create(&stress->batch, &options, NULL), STATUS_OK);
}

static bool round_is_right(uint64_t seed)
{
    static struct stress stress;
    open_stress(&stress, seed);
    atomic_store(&shuffle_seed, seed + 1);
    pthread_create(&stress.auditor, NULL, auditor_main, &stress);
    for (uint32_t c = 0; c < CLIENTS; c++) {
        stress.clients[c] = (struct client){.stress = &stress, .random = seed * CLIENTS + c};
        pthread_create(&stress.clients[c].thread, NULL, client_main, &stress.clients[c]);
    }
    for (uint32_t c = 0; c < CLIENTS; c++)
        pthread_join(stress.clients[c].thread, NULL);
    atomic_store(&stress.stop, true);
    pthread_join(stress.auditor, NULL);
    atomic_uint *bad[BOARDS] = {0};
    unsigned bad_stamps = 0;
    for (uint32_t b = 0; b < BOARDS && stress.boards[b]; b++)
        bad[b] = &((struct stress_board *)stress.boards[b])->bad_stamps;
    bool drain = seed % 2;
    atomic_store(&stress.closing, !drain);
    struct batch_stats stats;
    for (int tries = 0; drain && tries < 300000; tries++) {
        batch_get_stats(stress.batch, &stats);
        if (stats.queued_items + stats.running_items == 0)
            break;
        usleep(1000);
    }
    for (uint32_t b = 0; b < BOARDS && bad[b]; b++)
        bad_stamps += atomic_load(bad[b]);
    batch_destroy(&stress.batch, drain);
    atomic_store(&shuffle_seed, 0);
    for (uint32_t c = 0; c < CLIENTS; c++)
        for (int i = 0; i < LIVE; i++) {
            if (stress.clients[c].live[i] && atomic_load(&stress.clients[c].live[i]->done) != 1)
                atomic_fetch_add(&stress.unexpected, 1);
            free(stress.clients[c].live[i]);
        }
    image_release(&stress.image);
    bool fine = stress.completed == stress.submitted && stress.wrong == 0 && stress.unexpected == 0 &&
                bad_stamps == 0 && stress.ok > 0;
    if (!fine || getenv("BERTD_STRESS_SECONDS"))
        printf(
            "seed %lu: %u submitted, %u completed, %u ok, %u wrong, %u refused, %u unhealthy, %u cancelled, %u late, "
            "%u unexpected, %u broken invariants, %u bad stamps\n",
            (unsigned long)seed, stress.submitted, stress.completed, stress.ok, stress.wrong, stress.refused,
            stress.unhealthy, stress.cancelled, stress.late, stress.unexpected, stress.broken, bad_stamps);
    fflush(stdout);
    return fine;
}

Test(stress, shuffled_schedules, .timeout = 0)
{
    const char *seconds = getenv("BERTD_STRESS_SECONDS"), *first = getenv("BERTD_STRESS_SEED");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 0;
    uint64_t end = clock_now_ns() + (uint64_t)(seconds ? atof(seconds) * 1e9 : 0);
    for (int rounds = 0; rounds < 5 || clock_now_ns() < end; rounds++, seed++)
        cr_assert(round_is_right(seed), "see above; again with BERTD_STRESS_SEED=%lu", (unsigned long)seed);
}
