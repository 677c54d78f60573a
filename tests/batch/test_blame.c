/* Teams of emulated boards under faults of several of them at once, with clients that come and go: answers keep their
 * bits, and no board is blamed for another.
 *
 * BERTD_STRESS_SECONDS=60 goes on for so long, each round with another seed; BERTD_STRESS_SEED begins with a given one.
 */
#include <pthread.h>
#include <stdio.h>

#include "tests/batch/emu_sched.h"

enum { CLIENTS = 3, ASKS = 60, MOST_ITEMS = 30, LONGEST = 40, FAULTS = 20, MOST_BOARDS = 4 };

struct ask {
    struct batch_work work;
    struct batch_item items[MOST_ITEMS];
    float out[MOST_ITEMS][EMU_HIDDEN];
    enum status status;
    struct error err;
    atomic_int done;
};

struct fire {
    struct batch *batch;
    uint32_t ids[LONGEST];
    float right[LONGEST + 1][EMU_HIDDEN]; /* by length */
    atomic_uint right_answers, wrong_answers, unexpected;
};

struct client {
    pthread_t thread;
    struct fire *fire;
    uint64_t random;
};

static uint32_t below(uint64_t *random, uint32_t n)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*random >> 33) % n;
}

static void on_done(struct batch_work *work, enum status status, const struct error *err)
{
    struct ask *ask = work->cookie;
    ask->status = status;
    ask->err = *err;
    atomic_store(&ask->done, 1);
}

static void add(struct ask *ask, struct fire *fire, uint32_t length)
{
    const uint32_t i = ask->work.n_items++;
    ask->items[i] = (struct batch_item){
        .ids = fire->ids, .n_tokens = length, .pooling = BATCH_POOL_MEAN, .input = i, .out = ask->out[i]};
}

static bool submit(struct fire *fire, struct ask *ask)
{
    struct error err;
    ask->work.items = ask->items;
    ask->work.on_done = on_done;
    ask->work.cookie = ask;
    if (batch_submit(fire->batch, &ask->work, &err) == STATUS_OK)
        return true;
    if (err.status != STATUS_UNHEALTHY && err.status != STATUS_OVERLOADED && err.status != STATUS_TIMEOUT)
        atomic_fetch_add(&fire->unexpected, 1);
    return false;
}

static void wait_for(const struct ask *ask)
{
    EMU_WAIT_FOR(atomic_load(&ask->done));
}

static void judge(struct fire *fire, const struct ask *ask, bool may_cancel)
{
    if (ask->status == STATUS_OK) {
        bool right = true;
        for (uint32_t i = 0; i < ask->work.n_items; i++)
            right &= memcmp(ask->out[i], fire->right[ask->items[i].n_tokens], sizeof ask->out[i]) == 0;
        atomic_fetch_add(right ? &fire->right_answers : &fire->wrong_answers, 1);
    } else if (!(ask->status == STATUS_CANCELLED && may_cancel) && ask->status != STATUS_TIMEOUT &&
               ask->status != STATUS_UNHEALTHY) {
        printf("%s\n", ask->err.message);
        atomic_fetch_add(&fire->unexpected, 1);
    }
}

static void *client_main(void *argument)
{
    struct client *client = argument;
    for (int a = 0; a < ASKS; a++) {
        static _Thread_local struct ask ask;
        ask = (struct ask){0};
        for (uint32_t n = below(&client->random, 3) ? 1 : 1 + below(&client->random, MOST_ITEMS); n > 0; n--)
            add(&ask, client->fire, 1 + below(&client->random, LONGEST));
        ask.work.class = below(&client->random, 2) ? BATCH_INTERACTIVE : BATCH_BULK;
        if (below(&client->random, 8) == 0)
            ask.work.deadline_ns = clock_now_ns() + 1000000u * (1 + below(&client->random, 20));
        if (!submit(client->fire, &ask))
            continue;
        bool cancels = below(&client->random, 6) == 0;
        if (cancels) {
            usleep(below(&client->random, 2000));
            batch_cancel(client->fire->batch, &ask.work);
        }
        wait_for(&ask);
        judge(client->fire, &ask, cancels);
    }
    return NULL;
}

static void open_fire(struct fire *fire, uint32_t n, enum batch_placement placement)
{
    struct board *boards[MOST_BOARDS];
    struct image *image = emu_image(1);
    for (uint32_t b = 0; b < n; b++)
        cr_assert_eq(board_open(&boards[b], &(struct board_options){.kind = "emu", .index = b}, NULL), STATUS_OK);
    const struct batch_options options = {.image = image,
                                          .boards = boards,
                                          .n_boards = n,
                                          .max_tokens = 400,
                                          .max_queued_items = 1000,
                                          .placement = placement,
                                          .timeout_scale = 10};
    cr_assert_eq(batch_create(&fire->batch, &options, NULL), STATUS_OK);
    image_release(&image);
}

static void learn_right(struct fire *fire)
{
    for (uint32_t t = 0; t < LONGEST; t++)
        fire->ids[t] = (t * 7 + 3) % EMU_VOCAB;
    open_fire(fire, 1, BATCH_REPLICATE);
    for (uint32_t length = 1; length <= LONGEST; length++) {
        struct ask ask = {0};
        add(&ask, fire, length);
        cr_assert(submit(fire, &ask));
        wait_for(&ask);
        cr_assert_eq(ask.status, STATUS_OK);
        memcpy(fire->right[length], ask.out[0], sizeof ask.out[0]);
    }
    batch_destroy(&fire->batch, true);
}

/* Faults hit every other board, all that are not images' at once. */
static void inject(const struct fire *fire, uint32_t n, uint64_t random, bool images)
{
    static const enum board_fault_kind kinds[] = {
        BOARD_FAULT_FAIL,       BOARD_FAULT_ACCUMULATOR, BOARD_FAULT_WEIGHT, BOARD_FAULT_ACTIVATION, BOARD_FAULT_HIDDEN,
        BOARD_FAULT_ACTIVATION, BOARD_FAULT_LOAD,        BOARD_FAULT_SLOW,   BOARD_FAULT_HANG};
    enum { KINDS = sizeof kinds / sizeof *kinds };
    for (int i = 0; i < FAULTS; i++) {
        const uint32_t board = 2 * below(&random, n / 2) + 1, most = below(&random, KINDS) ? KINDS - 1 : KINDS;
        const struct board_fault fault = {.kind = images ? BOARD_FAULT_IMAGE : kinds[below(&random, most)],
                                          .count = 1 + below(&random, 3),
                                          .factor = 10,
                                          .for_ns = 20000000,
                                          .seed = random};
        batch_inject(fire->batch, board, &fault, NULL);
        usleep(below(&random, 20000));
    }
}

/* Of a machine that stands still for seconds boards are given up that did nothing wrong. */
static bool is_blamed(const struct batch_board_info *info)
{
    return info->quarantined > 0 && !strstr(info->last_error, "did not answer in time");
}

static void play(uint64_t seed, uint32_t n, bool images)
{
    struct fire fire = {0};
    struct client clients[CLIENTS];
    struct batch_board_info infos[MOST_BOARDS];
    learn_right(&fire);
    open_fire(&fire, n, BATCH_TENSOR);
    for (uint32_t c = 0; c < CLIENTS; c++) {
        clients[c] = (struct client){.fire = &fire, .random = seed * CLIENTS + c};
        cr_assert_eq(pthread_create(&clients[c].thread, NULL, client_main, &clients[c]), 0);
    }
    inject(&fire, n, seed, images);
    for (uint32_t c = 0; c < CLIENTS; c++)
        pthread_join(clients[c].thread, NULL);
    batch_get_boards(fire.batch, infos);
    for (uint32_t b = 0; b < n; b += 2)
        cr_expect_not(is_blamed(&infos[b]), "seed %llu: board %u of %u: %s", (unsigned long long)seed, b, n,
                      infos[b].last_error);
    if (getenv("BERTD_STRESS_SECONDS"))
        printf("seed %llu: %u right, %u wrong\n", (unsigned long long)seed, fire.right_answers, fire.wrong_answers);
    cr_expect(fire.right_answers > 0 && fire.unexpected == 0, "seed %llu", (unsigned long long)seed);
    cr_expect(images || fire.wrong_answers == 0, "seed %llu: %u", (unsigned long long)seed, fire.wrong_answers);
    batch_destroy(&fire.batch, true);
}

/* Of a damaged image not all is checked: biases, say, which the scrub looks at. */
Test(blame, is_the_culprits, .timeout = 0)
{
    const char *seconds = getenv("BERTD_STRESS_SECONDS"), *first = getenv("BERTD_STRESS_SEED");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 0;
    uint64_t end = clock_now_ns() + (uint64_t)(seconds ? atof(seconds) * 1e9 : 0);
    for (int rounds = 0; rounds < 4 || clock_now_ns() < end; rounds++, seed++)
        play(seed, seed % 2 ? 2 : MOST_BOARDS, seed % 4 == 2);
}
