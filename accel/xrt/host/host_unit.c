#include "accel/xrt/host/host_unit.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"

void host_hand_over(void)
{
    static atomic_uint turn;
    atomic_fetch_add(&turn, 1);
}

/* A list on its way. */
struct work {
    struct xrt_request request;
    struct host_place *place;
    struct host_slot *slot;
    uint64_t received_ns, started_ns;
    struct xrt_answer answer;
};

typedef enum status transfer(struct host_buffer *buffer, size_t begin, size_t size, struct error *err);

static bool fails(struct work *work, enum status status, const struct error *err)
{
    work->answer.status = (uint32_t)status;
    if (status)
        memcpy(work->answer.message, err->message, sizeof work->answer.message);
    return status != STATUS_OK;
}

static bool failed(const struct work *work)
{
    return work->answer.status != STATUS_OK;
}

static void move(struct work *work, const struct xrt_range *ranges, uint32_t n, transfer *function)
{
    struct error err;
    for (uint32_t i = 0; i < n && !failed(work); i++)
        fails(work, function(work->slot->whole, ranges[i].begin, ranges[i].size, &err), &err);
}

static uint64_t checksum(const struct work *work, const struct xrt_range *ranges, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum = XXH3_64bits_withSeed(work->slot->memory + ranges[i].begin, ranges[i].size, sum);
    return sum;
}

/* Fetch the ranges; they must have this checksum. */
static void expect(struct work *work, const struct xrt_range *ranges, uint32_t n, uint64_t expected, const char *what)
{
    struct error err;
    move(work, ranges, n, host_buffer_fetch);
    if (!failed(work) && checksum(work, ranges, n) != expected)
        fails(work, error_set(&err, STATUS_BACKEND, "%s", what), &err);
}

static void send_over(struct work *work)
{
    const struct xrt_run *run = &work->request.run;
    uint64_t sent = run->verify ? checksum(work, run->to, run->n_to) : 0;
    move(work, run->to, run->n_to, host_buffer_send);
    if (run->verify && !failed(work))
        expect(work, run->to, run->n_to, sent, "a transfer to the card: what is there is not what was sent");
}

static void bring_back(struct work *work)
{
    const struct xrt_run *run = &work->request.run;
    uint64_t begin = clock_now_ns();
    move(work, run->from, run->n_from, host_buffer_fetch);
    if (run->verify && !failed(work))
        expect(work, run->from, run->n_from, checksum(work, run->from, run->n_from),
               "a transfer from the card: what came was not the same twice");
    work->answer.from_ns = clock_now_ns() - begin;
}

static void start(const struct host_thread *thread, struct work *work)
{
    struct error err;
    work->started_ns = clock_now_ns();
    if (!failed(work))
        fails(work, host_unit_start(thread->opened, work->slot->list, work->slot->record, work->place->weights, &err),
              &err);
}

static void await(const struct host_thread *thread, struct work *work)
{
    struct error err;
    if (!failed(work))
        fails(work, host_unit_wait(thread->opened, &err), &err);
    work->answer.compute_ns = clock_now_ns() - work->started_ns;
}

/* The next list; what it needs goes to the card. False: the channel is closed, or none follows after all. */
static bool receive(const struct host_thread *thread, struct work *work)
{
    *work = (struct work){0};
    if (recv(thread->channel, &work->request, sizeof work->request, 0) != sizeof work->request ||
        work->request.kind != XRT_RUN)
        return false;
    host_hand_over();
    uint32_t place = work->request.place, slot = thread->unit * XRT_SLOTS + work->request.run.slot;
    work->received_ns = clock_now_ns();
    work->place = &thread->places[place % XRT_MAX_PLACES];
    if (slot >= work->place->n_slots)
        return false;
    work->slot = &work->place->slots[slot];
    send_over(work);
    work->answer.to_ns = clock_now_ns() - work->received_ns;
    return true;
}

static bool answer(const struct host_thread *thread, struct work *work)
{
    work->answer.all_ns = clock_now_ns() - work->received_ns;
    host_hand_over();
    return send(thread->channel, &work->answer, sizeof work->answer, MSG_NOSIGNAL) == sizeof work->answer;
}

/* One list after the other. Where another is sure to follow, it goes to the card while this one is computed, and is
 * started before this one's results are fetched. */
static void *serve(void *cookie)
{
    const struct host_thread *thread = cookie;
    struct work works[2], *now = &works[0], *next = &works[1];
    while (receive(thread, now)) {
        start(thread, now);
        for (bool more = true; more;) {
            more = now->request.run.more && receive(thread, next);
            await(thread, now);
            if (more)
                start(thread, next);
            if (!failed(now))
                bring_back(now);
            if (!answer(thread, now))
                return NULL;
            struct work *done = now;
            now = next;
            next = done;
        }
    }
    return NULL;
}

enum status host_thread_start(struct host_thread *thread, struct host_card *card, uint32_t unit, int channel,
                              struct host_place *places, struct error *err)
{
    *thread = (struct host_thread){.unit = unit, .places = places, .channel = channel};
    enum status status = host_unit_open(&thread->opened, card, unit, err);
    if (status)
        return status;
    int failed = pthread_create(&thread->thread, NULL, serve, thread);
    if (failed) {
        host_unit_close(&thread->opened);
        return error_set(err, STATUS_IO, "no thread for a compute unit: %s", strerror(failed));
    }
    return STATUS_OK;
}

void host_thread_join(struct host_thread *thread)
{
    if (!thread->opened)
        return;
    pthread_join(thread->thread, NULL);
    close(thread->channel);
    host_unit_close(&thread->opened);
}
