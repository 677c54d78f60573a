#include "tests/bench/fleet/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/backend.h"

struct virtual_board {
    struct board base;
    struct server *server;
    struct board_task *first, *last; /* with it */
    bool runs;                       /* the first of them */
};

/* What a call into the scheduler brought about; its times begin when the call ends. */
static struct {
    struct virtual_board *boards[4096]; /* that have something to begin */
    uint32_t n_boards;
    struct request *done; /* linked by their works */
    bool calibrating;
} brought;

static void virtual_close(struct board *board)
{
    (void)board;
}

static enum status virtual_load(struct board *board, struct image *image, uint32_t layer_begin, uint32_t layer_end,
                                struct error *err)
{
    (void)board;
    (void)image;
    (void)layer_begin;
    (void)layer_end;
    (void)err;
    return STATUS_OK;
}

static void virtual_submit(struct board *base, struct board_task *task)
{
    struct virtual_board *board = (struct virtual_board *)base;
    struct server *server = board->server;
    if (brought.calibrating) {
        virtual_now_ns += (uint64_t)board_time_of_task(server->options.time, task);
        task->on_done(task, STATUS_OK, NULL);
        return;
    }
    task->next = NULL;
    if (board->first)
        board->last->next = task;
    else
        board->first = task;
    board->last = task;
    if (!board->runs && board->first == task)
        brought.boards[brought.n_boards++] = board;
}

static void virtual_cancel(struct board *board, struct board_job *job)
{
    (void)board;
    atomic_store(&job->cancelled, true);
}

static enum status virtual_always_well(struct board *board, struct error *err)
{
    (void)board;
    (void)err;
    return STATUS_OK;
}

static void virtual_stats(struct board *board, struct board_stats *ret)
{
    (void)board;
    *ret = (struct board_stats){.state = BOARD_READY};
}

static const struct board_backend virtual_backend = {.kind = "virtual",
                                                     .close = virtual_close,
                                                     .load = virtual_load,
                                                     .submit = virtual_submit,
                                                     .cancel = virtual_cancel,
                                                     .reset = virtual_always_well,
                                                     .selftest = virtual_always_well,
                                                     .stats = virtual_stats};

bool server_init(struct server *server, const struct server_options *options)
{
    *server = (struct server){.options = *options,
                              .front = {.cores = options->front_cores, .work_ns = options->front_ns / 2}};
    server->boards = calloc(options->n_boards, sizeof *server->boards);
    struct board **boards = calloc(options->n_boards, sizeof *boards);
    for (uint32_t b = 0; b < options->n_boards; b++) {
        server->boards[b] = (struct virtual_board){.base = {.backend = &virtual_backend}, .server = server};
        boards[b] = &server->boards[b].base;
    }
    struct batch_options batch_options = {.image = options->image,
                                          .boards = boards,
                                          .n_boards = options->n_boards,
                                          .max_tokens = 16384,
                                          .max_queued_items = options->max_queued,
                                          .placement = options->placement};
    struct error err;
    brought.calibrating = true;
    enum status status = batch_create(&server->batch, &batch_options, &err);
    brought.calibrating = false;
    free(boards);
    if (status != STATUS_OK)
        fprintf(stderr, "bench-fleet: %s\n", err.message);
    return status == STATUS_OK;
}

void server_finish(struct server *server)
{
    batch_destroy(&server->batch, true);
    free(server->boards);
    free(server->waiting);
}

static void wait_for_lock(struct server *server, const struct event *event)
{
    if (server->n_waiting == server->room) {
        uint32_t room = server->room ? 2 * server->room : 64;
        struct event *ring = malloc(room * sizeof *ring);
        for (uint32_t i = 0; i < server->n_waiting; i++)
            ring[i] = server->waiting[(server->first_waiting + i) % server->room];
        free(server->waiting);
        server->waiting = ring;
        server->first_waiting = 0;
        server->room = room;
    }
    if (server->n_waiting == 0)
        events_add(server->options.events, server->lock_free_ns, EVENT_LOCK_FREE, server->options.index, NULL);
    server->waiting[(server->first_waiting + server->n_waiting++) % server->room] = *event;
}

static void on_done(struct batch_work *work, enum status status, const struct error *err)
{
    struct request *request = work->cookie;
    request->late = status == STATUS_TIMEOUT;
    if (status != STATUS_OK && !request->late) {
        fprintf(stderr, "bench-fleet: a request failed: %s\n", err->message);
        exit(1);
    }
    request->times_done++;
    work->next = brought.done ? &brought.done->work : NULL;
    brought.done = request;
}

/* Let what the call brought about begin. */
static void follow_up(struct server *server, uint64_t at_ns)
{
    struct events *events = server->options.events;
    for (uint32_t i = 0; i < brought.n_boards; i++) {
        struct virtual_board *board = brought.boards[i];
        double takes_ns = board_time_of_task(server->options.time, board->first);
        board->runs = true;
        server->boards_busy_ns += takes_ns;
        events_add(events, at_ns + (uint64_t)takes_ns, EVENT_TASK_ENDS, server->options.index, board);
    }
    brought.n_boards = 0;
    while (brought.done) {
        struct request *request = brought.done;
        brought.done = request->work.next ? request->work.next->cookie : NULL;
        events_add(events, at_ns, EVENT_COMPUTED, server->options.index, request);
    }
}

static void end_task(struct server *server, struct virtual_board *board)
{
    struct board_task *task = board->first;
    board->first = task->next;
    board->runs = false;
    if (board->first)
        brought.boards[brought.n_boards++] = board;
    if (task->kind != BOARD_PROJECT)
        server->layer_rows += (uint64_t)(task->layer_end - task->layer_begin) * (task->row_end - task->row_begin);
    task->on_done(task, STATUS_OK, NULL);
}

static void add_spent(struct virtual_spent *sum, const struct virtual_spent *spent, double factor)
{
    sum->locked_ns += factor * spent->locked_ns;
    sum->planned_ns += factor * spent->planned_ns;
    sum->forecast_ns += factor * spent->forecast_ns;
}

/* Returns what the call counts as. */
static double note_spent(struct server_calls *calls, struct virtual_spent spent)
{
    enum { KNOWN = 50, STALL = 30 };
    struct virtual_spent mean = {0};
    if (spent.locked_ns <= 0) /* a round of a split ends without the lock */
        return 0;
    if (calls->n > 0)
        add_spent(&mean, &calls->spent, 1 / (double)calls->n);
    if (calls->n >= KNOWN && spent.locked_ns > STALL * mean.locked_ns) {
        calls->stalls++;
        spent = mean;
    }
    calls->n++;
    add_spent(&calls->spent, &spent, 1);
    calls->longest_ns = spent.locked_ns > calls->longest_ns ? spent.locked_ns : calls->longest_ns;
    return spent.locked_ns;
}

/* Call the scheduler; the lock is free. */
static struct request *call(struct server *server, const struct event *event)
{
    struct request *refused = NULL;
    virtual_take_spent();
    if (event->kind == EVENT_SUBMIT) {
        struct request *request = event->what;
        struct error err;
        request->work.on_done = on_done;
        request->work.cookie = request;
        if (batch_submit(server->batch, &request->work, &err) != STATUS_OK)
            refused = request;
    } else {
        end_task(server, event->what);
    }
    double locked_ns =
        note_spent(event->kind == EVENT_SUBMIT ? &server->submits : &server->returns, virtual_take_spent());
    server->lock_free_ns = virtual_now_ns + (uint64_t)locked_ns;
    server->lock_busy_ns += locked_ns;
    follow_up(server, server->lock_free_ns);
    return refused;
}

struct request *server_handle(struct server *server, const struct event *event)
{
    struct event next = *event;
    if (event->kind == EVENT_LOCK_FREE) {
        next = server->waiting[server->first_waiting];
        server->first_waiting = (server->first_waiting + 1) % server->room;
        server->n_waiting--;
    } else if (server->n_waiting > 0 || server->lock_free_ns > virtual_now_ns) {
        wait_for_lock(server, event);
        return NULL;
    }
    struct request *refused = call(server, &next);
    if (server->n_waiting > 0)
        events_add(server->options.events, server->lock_free_ns, EVENT_LOCK_FREE, server->options.index, NULL);
    return refused;
}
