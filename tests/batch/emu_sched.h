/* A scheduler over emulated boards with a small random model, and texts whose right bits are known. */
#ifndef TESTS_BATCH_EMU_SCHED_H
#define TESTS_BATCH_EMU_SCHED_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/batch/batch.h"

enum {
    EMU_HIDDEN = 32,
    EMU_WIDE = 64,
    EMU_VOCAB = 50,
    EMU_LAYERS = 3,
    EMU_BOARDS = 2,
    EMU_MOST_BOARDS = 4,
    EMU_TOKENS = 12
};
enum { N_EVENTS = BATCH_FAULT + 1 };

static atomic_int emu_events[N_EVENTS];
static atomic_uint emu_rebuild_seed;
/* Of the next scheduler: */
static uint32_t emu_n_boards = EMU_BOARDS;
static const char *emu_kinds[EMU_MOST_BOARDS];

static inline float *emu_random(size_t n, uint64_t seed)
{
    float *values = malloc(n * sizeof *values);
    uint64_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        values[i] = (float)(int32_t)(state >> 32) * 0x1p-34f;
    }
    return values;
}

static inline enum status emu_layer(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err)
{
    (void)index;
    (void)err;
    const float *w = cookie;
    const struct image_source_linear square = {w, w}, first = {w + 7, w}, second = {w + 13, w};
    const struct image_source_norm norm = {w + 3, w + 5};
    *ret = (struct image_source_layer){square, {w + 1, w}, {w + 2, w}, square, first, second, norm, norm};
    return STATUS_OK;
}

static inline struct image *emu_image(uint64_t seed)
{
    float *w = emu_random(4096, seed);
    const struct image_source source = {.shape = {.hidden = EMU_HIDDEN,
                                                  .layers = EMU_LAYERS,
                                                  .heads = 2,
                                                  .intermediate = EMU_WIDE,
                                                  .vocab = EMU_VOCAB,
                                                  .positions = 40,
                                                  .types = 1,
                                                  .layer_norm_eps = 1e-12f},
                                        .word_embeddings = w,
                                        .position_embeddings = w + 100,
                                        .type_embeddings = w + 200,
                                        .embedding_norm = {w + 300, w + 400},
                                        .layer = emu_layer,
                                        .cookie = w};
    struct image *image = NULL;
    cr_assert_eq(image_build(&image, &source, IMAGE_INT8, board_sections("emu"), NULL), STATUS_OK);
    free(w);
    return image;
}

struct emu_sched {
    struct batch *batch;
    struct image *image;
    float right[EMU_HIDDEN]; /* what emu_ask must come to */
};

struct emu_request {
    struct batch_work work;
    struct batch_item item;
    uint32_t ids[EMU_TOKENS];
    float out[EMU_HIDDEN];
    enum status status;
    struct error err;
    atomic_int done;
};

static inline void emu_done(struct batch_work *work, enum status status, const struct error *err)
{
    struct emu_request *request = work->cookie;
    request->status = status;
    request->err = *err;
    atomic_store(&request->done, 1);
}

static inline enum status emu_submit_request(struct emu_sched *sched, struct emu_request *request, struct error *err)
{
    *request = (struct emu_request){0};
    for (uint32_t t = 0; t < EMU_TOKENS; t++)
        request->ids[t] = (t * 7 + 3) % EMU_VOCAB;
    request->item = (struct batch_item){
        .ids = request->ids, .n_tokens = EMU_TOKENS, .pooling = BATCH_POOL_MEAN, .out = request->out};
    request->work = (struct batch_work){.items = &request->item, .n_items = 1, .on_done = emu_done, .cookie = request};
    return batch_submit(sched->batch, &request->work, err);
}

static inline void emu_wait(const struct emu_request *request)
{
    for (int tries = 0; !atomic_load(&request->done); tries++) {
        cr_assert_lt(tries, 60000);
        usleep(1000);
    }
}

/* What comes while no board is in service waits for one, then is told; what comes later is refused at once. */
static inline void emu_expect_unhealthy(struct emu_sched *sched)
{
    struct emu_request request;
    struct error err;
    if (emu_submit_request(sched, &request, &err) == STATUS_OK) {
        emu_wait(&request);
        cr_assert_eq(request.status, STATUS_UNHEALTHY, "%s", request.err.message);
    }
    cr_assert_eq(emu_submit_request(sched, &request, &err), STATUS_UNHEALTHY);
}

/* Two texts at once, so that both boards have one; the bits must be right. */
static inline void emu_ask(struct emu_sched *sched)
{
    struct emu_request requests[EMU_BOARDS];
    for (int i = 0; i < EMU_BOARDS; i++) {
        struct error err = {0};
        cr_assert_eq(emu_submit_request(sched, &requests[i], &err), STATUS_OK, "%s", err.message);
    }
    for (int i = 0; i < EMU_BOARDS; i++) {
        emu_wait(&requests[i]);
        cr_assert_eq(requests[i].status, STATUS_OK, "%s", requests[i].err.message);
        cr_assert_eq(memcmp(requests[i].out, sched->right, sizeof sched->right), 0, "wrong bits");
    }
}

static inline void emu_on_event(void *cookie, const struct batch_event *event)
{
    (void)cookie;
    cr_assert_not_null(event->words);
    atomic_fetch_add(&emu_events[event->kind], 1);
}

static inline enum status emu_rebuild(void *cookie, struct image **ret, struct error *err)
{
    (void)cookie;
    if (atomic_load(&emu_rebuild_seed) == 0)
        return error_set(err, STATUS_IO, "the model directory is gone");
    *ret = emu_image(atomic_load(&emu_rebuild_seed));
    return STATUS_OK;
}

static inline void emu_sched_open_with(struct emu_sched *sched, enum batch_placement placement, uint64_t scrub_ns,
                                       void (*on_event)(void *cookie, const struct batch_event *event))
{
    struct board *boards[EMU_MOST_BOARDS];
    sched->image = emu_image(1);
    atomic_store(&emu_rebuild_seed, 1);
    for (uint32_t b = 0; b < emu_n_boards; b++)
        cr_assert_eq(board_open(&boards[b], &(struct board_options){.kind = emu_kinds[b], .index = b}, NULL),
                     STATUS_OK);
    struct batch_options options = {.image = sched->image,
                                    .boards = boards,
                                    .n_boards = emu_n_boards,
                                    .max_tokens = 100,
                                    .max_sequences = 1,
                                    .max_queued_items = 100,
                                    .placement = placement,
                                    .scrub_interval_ns = scrub_ns,
                                    .timeout_scale = 10, /* sanitizers are slow */
                                    .on_event = on_event,
                                    .rebuild = emu_rebuild};
    cr_assert_eq(batch_create(&sched->batch, &options, NULL), STATUS_OK);
    struct emu_request request;
    cr_assert_eq(emu_submit_request(sched, &request, NULL), STATUS_OK);
    emu_wait(&request);
    memcpy(sched->right, request.out, sizeof sched->right);
    emu_ask(sched);
}

static inline void emu_sched_open(struct emu_sched *sched, enum batch_placement placement, uint64_t scrub_ns)
{
    emu_sched_open_with(sched, placement, scrub_ns, emu_on_event);
}

static inline void emu_sched_close(struct emu_sched *sched)
{
    batch_destroy(&sched->batch, true);
    image_release(&sched->image);
}

static inline struct batch_board_info emu_info(struct emu_sched *sched, int board)
{
    struct batch_board_info infos[EMU_MOST_BOARDS];
    batch_get_boards(sched->batch, infos);
    return infos[board];
}

static inline struct batch_stats emu_stats(struct emu_sched *sched)
{
    struct batch_stats stats;
    batch_get_stats(sched->batch, &stats);
    return stats;
}

static inline enum status emu_inject_kind(struct emu_sched *sched, uint32_t board, enum board_fault_kind kind,
                                          uint32_t count)
{
    struct board_fault fault = {.kind = kind, .count = count, .factor = 30, .for_ns = 200000000, .seed = 5};
    return batch_inject(sched->batch, board, &fault, NULL);
}

#define EMU_WAIT_FOR(condition)                                                                                        \
    do {                                                                                                               \
        for (int tries = 0; !(condition); tries++) {                                                                   \
            cr_assert_lt(tries, 300000, "never: " #condition);                                                         \
            usleep(1000);                                                                                              \
        }                                                                                                              \
    } while (0)

#endif
