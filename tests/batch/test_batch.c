/* The batch room over boards whose every step the test decides. */
#include <criterion/criterion.h>

#include "server/base/clock.h"
#include "server/base/mem.h"
#include "server/batch/batch.h"
#include "tests/batch/fake_board.h"

enum { WIDTH = 4, MAX_BOARDS = 3 };

struct room {
    struct batch *batch;
    struct board *boards[MAX_BOARDS];
    struct image *image;
};

static int tokens_dispatched;

static void count_dispatch(void *cookie, uint32_t sequences, uint32_t tokens)
{
    (void)cookie;
    (void)sequences;
    tokens_dispatched += (int)tokens;
}

static enum status zero_layer(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err)
{
    static const float zeros[WIDTH * WIDTH];
    const struct image_source_linear linear = {zeros, zeros};
    const struct image_source_norm norm = {zeros, zeros};
    (void)cookie;
    (void)index;
    (void)err;
    *ret = (struct image_source_layer){linear, linear, linear, linear, linear, linear, norm, norm};
    return STATUS_OK;
}

/* The fake boards look at the shape only. */
static struct image *make_image(void)
{
    static const float zeros[WIDTH];
    const struct image_source source = {.shape = {.hidden = WIDTH,
                                                  .layers = 2,
                                                  .heads = 1,
                                                  .intermediate = WIDTH,
                                                  .vocab = 1,
                                                  .positions = 1,
                                                  .types = 1,
                                                  .layer_norm_eps = 1e-12f},
                                        .words = zeros,
                                        .token_positions = zeros,
                                        .token_types = zeros,
                                        .embedding_norm = {zeros, zeros},
                                        .layer = zero_layer};
    struct image *image = NULL;
    cr_assert_eq(image_build(&image, &source, IMAGE_INT8, NULL), STATUS_OK);
    return image;
}

static void open_room(struct room *room, uint32_t n_boards, uint32_t max_tokens, uint32_t max_queued)
{
    *room = (struct room){.image = make_image()};
    for (uint32_t b = 0; b < n_boards; b++)
        room->boards[b] = fake_board_create();
    struct batch_options options = {.image = room->image,
                                    .boards = room->boards,
                                    .n_boards = n_boards,
                                    .max_tokens = max_tokens,
                                    .max_queued_items = max_queued};
    cr_assert_eq(batch_create(&room->batch, &options, NULL), STATUS_OK);
    tokens_dispatched = 0;
    batch_set_on_dispatch(room->batch, count_dispatch, NULL);
}

static void close_room(struct room *room)
{
    batch_destroy(&room->batch, true);
    cr_assert_null(room->batch);
    image_release(&room->image);
}

/* A work of `n` texts of `len` tokens; token t of text i has the id 10 * (i + 1) + t. */
struct request {
    struct batch_work work;
    struct batch_item items[64];
    uint32_t ids[64][16];
    float out[64][16 * WIDTH];
    int done;
    enum status status;
    struct error err;
};

static void on_done(struct batch_work *work, enum status status, const struct error *err)
{
    struct request *request = work->cookie;
    request->done++;
    request->status = status;
    request->err = *err;
}

static struct request *make_request(uint32_t n, uint32_t len, enum batch_pooling pooling)
{
    struct request *request = calloc(1, sizeof *request);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t t = 0; t < len; t++)
            request->ids[i][t] = 10 * (i + 1) + t;
        request->items[i] =
            (struct batch_item){.ids = request->ids[i], .n_tokens = len, .pooling = pooling, .out = request->out[i]};
    }
    request->work = (struct batch_work){.items = request->items, .n_items = n, .on_done = on_done, .cookie = request};
    return request;
}

static void finish_all(struct room *room)
{
    for (bool any = true; any;) {
        any = false;
        for (int b = 0; b < MAX_BOARDS; b++)
            any |= room->boards[b] && fake_board_finish(room->boards[b], STATUS_OK);
    }
}

Test(batch, every_pooling_gives_its_vector)
{
    struct room room;
    open_room(&room, 1, 100, 100);
    const enum batch_pooling poolings[] = {BATCH_POOL_CLS, BATCH_POOL_MEAN, BATCH_POOL_MAX};
    const float expected[] = {10, 11, 12};
    for (int p = 0; p < 3; p++) {
        struct request *request = make_request(1, 3, poolings[p]);
        cr_assert_eq(batch_submit(room.batch, &request->work, NULL), STATUS_OK);
        finish_all(&room);
        cr_assert_eq(request->done, 1);
        cr_assert_eq(request->status, STATUS_OK);
        cr_assert_float_eq(request->out[0][WIDTH - 1], expected[p], 0);
        free(request);
    }
    struct request *request = make_request(2, 3, BATCH_POOL_NONE);
    cr_assert_eq(batch_submit(room.batch, &request->work, NULL), STATUS_OK);
    finish_all(&room);
    cr_assert_float_eq(request->out[1][2 * WIDTH], 22, 0);
    free(request);
    close_room(&room);
}

Test(batch, type_ids_reach_the_board_beside_texts_without)
{
    struct room room;
    open_room(&room, 1, 100, 100);
    static const uint8_t types[3] = {0, 1, 1};
    struct request *request = make_request(2, 3, BATCH_POOL_MAX);
    request->items[1].type_ids = types;
    cr_assert_eq(batch_submit(room.batch, &request->work, NULL), STATUS_OK);
    finish_all(&room);
    cr_assert_float_eq(request->out[0][0], 12, 0);
    cr_assert_float_eq(request->out[1][0], 1022, 0);
    free(request);
    close_room(&room);
}

Test(batch, idle_boards_share_a_request)
{
    struct room room;
    open_room(&room, 2, 1000, 100);
    struct request *request = make_request(32, 8, BATCH_POOL_MEAN);
    cr_assert_eq(batch_submit(room.batch, &request->work, NULL), STATUS_OK);
    cr_assert_eq(fake_board_held(room.boards[0]), 1);
    cr_assert_eq(fake_board_held(room.boards[1]), 1);
    cr_assert_eq(tokens_dispatched, 32 * 8, "all of it is on a board at once");
    fake_board_finish(room.boards[1], STATUS_OK);
    cr_assert_eq(request->done, 0);
    fake_board_finish(room.boards[0], STATUS_OK);
    cr_assert_eq(request->done, 1);
    for (int i = 0; i < 32; i++)
        cr_assert_float_eq(request->out[i][0], 10.0f * (float)(i + 1) + 3.5f, 0);
    free(request);
    close_room(&room);
}

Test(batch, waiting_requests_share_a_batch_within_the_token_limit)
{
    struct room room;
    open_room(&room, 1, 20, 100);
    struct request *requests[5];
    for (int i = 0; i < 5; i++) {
        requests[i] = make_request(1, 8, BATCH_POOL_MEAN);
        cr_assert_eq(batch_submit(room.batch, &requests[i]->work, NULL), STATUS_OK);
    }
    cr_assert_eq(tokens_dispatched, 8, "the first goes at once");
    fake_board_finish(room.boards[0], STATUS_OK);
    cr_assert_eq(tokens_dispatched, 24, "then two of 8 within the 20");
    fake_board_finish(room.boards[0], STATUS_OK);
    cr_assert_eq(requests[1]->done + requests[2]->done, 2);
    cr_assert_eq(requests[3]->done, 0);
    finish_all(&room);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(requests[i]->done, 1);
        free(requests[i]);
    }
    close_room(&room);
}

Test(batch, a_full_queue_refuses_and_names_the_limit)
{
    struct room room;
    open_room(&room, 1, 8, 3);
    struct request *first = make_request(1, 8, BATCH_POOL_MEAN);
    struct request *second = make_request(3, 8, BATCH_POOL_MEAN);
    struct request *third = make_request(1, 8, BATCH_POOL_MEAN);
    struct error err;
    cr_assert_eq(batch_submit(room.batch, &first->work, &err), STATUS_OK);
    cr_assert_eq(batch_submit(room.batch, &second->work, &err), STATUS_OK);
    cr_assert_eq(batch_submit(room.batch, &third->work, &err), STATUS_OVERLOADED);
    cr_assert_not_null(strstr(err.message, "limit is 3"));
    struct batch_stats stats;
    batch_get_stats(room.batch, &stats);
    cr_assert_eq(stats.queued_items, 3);
    cr_assert_eq(stats.queued_tokens, 24);
    cr_assert_eq(stats.running_items, 1);
    finish_all(&room);
    cr_assert_eq(first->done + second->done, 2);
    cr_assert_eq(third->done, 0, "what was refused is never called");
    close_room(&room);
    free(first);
    free(second);
    free(third);
}

Test(batch, a_failed_board_task_fails_its_requests_only)
{
    struct room room;
    open_room(&room, 1, 16, 100);
    struct request *bad = make_request(4, 8, BATCH_POOL_MEAN);
    struct request *good = make_request(1, 8, BATCH_POOL_MEAN);
    batch_submit(room.batch, &bad->work, NULL);
    batch_submit(room.batch, &good->work, NULL);
    fake_board_finish(room.boards[0], STATUS_BACKEND);
    cr_assert_eq(bad->done, 1, "the rest of it is not computed");
    cr_assert_eq(bad->status, STATUS_BACKEND);
    cr_assert_not_null(strstr(bad->err.message, "fake board says so"));
    finish_all(&room);
    cr_assert_eq(good->status, STATUS_OK);
    cr_assert_eq(good->done, 1);
    close_room(&room);
    free(bad);
    free(good);
}

Test(batch, cancelling_drops_what_waits_and_stops_what_runs)
{
    struct room room;
    open_room(&room, 1, 8, 100);
    struct request *running = make_request(3, 8, BATCH_POOL_MEAN);
    struct request *waiting = make_request(2, 8, BATCH_POOL_MEAN);
    struct request *other = make_request(1, 8, BATCH_POOL_MEAN);
    batch_submit(room.batch, &running->work, NULL);
    batch_submit(room.batch, &waiting->work, NULL);
    batch_submit(room.batch, &other->work, NULL);
    batch_cancel(room.batch, &waiting->work);
    cr_assert_eq(waiting->done, 1);
    cr_assert_eq(waiting->status, STATUS_CANCELLED);
    batch_cancel(room.batch, &running->work);
    cr_assert_eq(running->done, 0, "its first text is still on the board");
    fake_board_finish(room.boards[0], STATUS_OK);
    cr_assert_eq(running->done, 1);
    cr_assert_eq(running->status, STATUS_CANCELLED);
    finish_all(&room);
    cr_assert_eq(other->status, STATUS_OK);
    cr_assert_eq(tokens_dispatched, 16, "only the running text and the other's were computed");
    batch_cancel(room.batch, &other->work);
    cr_assert_eq(other->done, 1, "cancelling what is done does nothing");
    close_room(&room);
    free(running);
    free(waiting);
    free(other);
}

Test(batch, batch_mates_of_the_cancelled_go_on)
{
    struct room room;
    open_room(&room, 1, 100, 100);
    struct request *first = make_request(1, 8, BATCH_POOL_MEAN);
    struct request *gone = make_request(1, 8, BATCH_POOL_MEAN);
    struct request *mate = make_request(1, 8, BATCH_POOL_MEAN);
    batch_submit(room.batch, &first->work, NULL);
    batch_submit(room.batch, &gone->work, NULL);
    batch_submit(room.batch, &mate->work, NULL);
    fake_board_finish(room.boards[0], STATUS_OK);
    batch_cancel(room.batch, &gone->work);
    fake_board_finish(room.boards[0], STATUS_OK);
    cr_assert_eq(gone->status, STATUS_CANCELLED);
    cr_assert_eq(mate->status, STATUS_OK);
    cr_assert_float_eq(mate->out[0][0], 13.5f, 0);
    close_room(&room);
    free(first);
    free(gone);
    free(mate);
}

Test(batch, what_waits_past_its_deadline_is_dropped)
{
    struct room room;
    open_room(&room, 1, 8, 100);
    struct request *running = make_request(1, 8, BATCH_POOL_MEAN);
    struct request *late = make_request(1, 8, BATCH_POOL_MEAN);
    batch_submit(room.batch, &running->work, NULL);
    late->work.deadline_ns = clock_now_ns();
    batch_submit(room.batch, &late->work, NULL);
    cr_assert_eq(late->done, 1);
    cr_assert_eq(late->status, STATUS_TIMEOUT);
    finish_all(&room);
    cr_assert_eq(tokens_dispatched, 8);
    close_room(&room);
    free(running);
    free(late);
}

Test(batch, survives_every_failed_allocation)
{
    for (long n = 0; n < 4; n++) {
        struct room room = {.image = make_image()};
        room.boards[0] = fake_board_create();
        struct batch_options options = {
            .image = room.image, .boards = room.boards, .n_boards = 1, .max_tokens = 64, .max_queued_items = 9};
        struct request *request = make_request(2, 8, BATCH_POOL_MEAN);
        struct error err;
        mem_fail_after(n);
        if (batch_create(&room.batch, &options, &err) != STATUS_OK) {
            cr_assert_eq(err.status, STATUS_NO_MEMORY);
            mem_fail_after(-1);
            board_close(&room.boards[0]);
            image_release(&room.image);
            free(request);
            continue;
        }
        cr_assert_eq(batch_submit(room.batch, &request->work, &err), STATUS_OK);
        mem_fail_after(-1);
        finish_all(&room);
        cr_assert_eq(request->done, 1);
        cr_assert_eq(request->status, n < 4 && n >= 3 ? STATUS_NO_MEMORY : STATUS_OK);
        close_room(&room);
        free(request);
    }
}
