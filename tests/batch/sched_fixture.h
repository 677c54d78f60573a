/* A scheduler over fake boards, and requests to give it. */
#ifndef TESTS_BATCH_SCHED_FIXTURE_H
#define TESTS_BATCH_SCHED_FIXTURE_H

#include <criterion/criterion.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/batch/batch.h"
#include "server/batch/invariants.h"
#include "tests/batch/fake_board.h"
#include "tests/batch/zero_image.h"

enum { MAX_BOARDS = 5, LAYERS = 2 };

struct sched {
    struct batch *batch;
    struct board *boards[MAX_BOARDS];
    struct image *image;
};

static atomic_int tokens_dispatched;

static inline void count_dispatch(void *cookie, uint32_t sequences, uint32_t tokens)
{
    (void)cookie;
    (void)sequences;
    atomic_fetch_add(&tokens_dispatched, (int)tokens);
}

static inline struct image *make_image(void)
{
    return zero_image(LAYERS, 1);
}

static inline void open_placed(struct sched *sched, uint32_t n_boards, uint32_t max_tokens, uint32_t max_queued,
                               enum batch_placement placement)
{
    *sched = (struct sched){.image = make_image()};
    for (uint32_t b = 0; b < n_boards; b++)
        sched->boards[b] = fake_board_create();
    struct batch_options options = {.image = sched->image,
                                    .boards = sched->boards,
                                    .n_boards = n_boards,
                                    .max_tokens = max_tokens,
                                    .max_queued_items = max_queued,
                                    .placement = placement};
    cr_assert_eq(batch_create(&sched->batch, &options, NULL), STATUS_OK);
    tokens_dispatched = 0;
    batch_set_on_dispatch(sched->batch, count_dispatch, NULL);
}

static inline void open_sched(struct sched *sched, uint32_t n_boards, uint32_t max_tokens, uint32_t max_queued)
{
    open_placed(sched, n_boards, max_tokens, max_queued, BATCH_REPLICATE);
}

static inline void close_sched(struct sched *sched)
{
    batch_destroy(&sched->batch, true);
    cr_assert_null(sched->batch);
    image_release(&sched->image);
}

/* A work of `n` texts of `len` tokens; token t of text i has the id 10 * (i + 1) + t. */
struct request {
    struct batch_work work;
    struct batch_item items[64];
    uint32_t ids[64][16];
    float out[64][16 * WIDTH];
    enum status status;
    struct error err;
    atomic_int done;
};

static inline void on_done(struct batch_work *work, enum status status, const struct error *err)
{
    struct request *request = work->cookie;
    request->status = status;
    request->err = *err;
    atomic_fetch_add(&request->done, 1);
}

static inline struct request *make_request(uint32_t n, uint32_t len, enum batch_pooling pooling)
{
    struct request *request = calloc(1, sizeof *request);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t t = 0; t < len; t++)
            request->ids[i][t] = 10 * (i + 1) + t;
        request->items[i] = (struct batch_item){
            .ids = request->ids[i], .n_tokens = len, .pooling = pooling, .input = i, .out = request->out[i]};
    }
    request->work = (struct batch_work){.items = request->items, .n_items = n, .on_done = on_done, .cookie = request};
    return request;
}

static inline void check_invariants(struct sched *sched)
{
    pthread_mutex_lock(&sched->batch->lock);
    const char *broken = sched_broken_invariant(sched->batch);
    pthread_mutex_unlock(&sched->batch->lock);
    cr_assert_null(broken, "%s", broken);
}

static inline void finish_all(struct sched *sched)
{
    for (bool any = true; any;) {
        any = false;
        for (int b = 0; b < MAX_BOARDS; b++)
            any |= sched->boards[b] && fake_board_finish(sched->boards[b], STATUS_OK);
        check_invariants(sched);
    }
}

/* Let the scheduler's own threads work until `condition` holds; fail after minutes. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        for (int tries = 0; !(condition); tries++) {                                                                   \
            cr_assert_lt(tries, 300000, "never: " #condition);                                                         \
            usleep(1000);                                                                                              \
        }                                                                                                              \
    } while (0)

#endif
