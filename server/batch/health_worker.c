#include "server/batch/health_worker.h"

#include <string.h>

#include "base/clock.h"
#include "server/batch/dispatch.h"
#include "server/batch/flights.h"
#include "server/batch/repair.h"
#include "server/batch/slots.h"

/* Between two probes, so many times what one takes: a simulated board's takes long. */
#define PROBE_PAUSE 20
/* A board that fails its test as it did before is announced no more often. */
#define ANNOUNCE_NS 60000000000ull

static uint32_t index_of(const struct sched_slot *slot)
{
    return (uint32_t)(slot - slot->batch->slots);
}

static struct board *board_of(const struct sched_slot *slot)
{
    return slot->batch->options.boards[index_of(slot)];
}

/* One of the board's functions, while the image is not being repaired. */
static enum status undisturbed(struct sched_slot *slot, enum status (*function)(struct board *board, struct error *err),
                               struct error *err)
{
    pthread_rwlock_rdlock(&slot->batch->repair);
    enum status status = function(board_of(slot), err);
    pthread_rwlock_unlock(&slot->batch->repair);
    return status;
}

static bool image_is_damaged(struct sched_slot *slot)
{
    pthread_rwlock_rdlock(&slot->batch->repair);
    bool damaged = !image_verify(slot->batch->options.image);
    pthread_rwlock_unlock(&slot->batch->repair);
    return damaged;
}

/* Reset and test. A board that does not take its image may not be at fault: the image may be. */
static enum status examine(struct sched_slot *slot, struct error *err)
{
    enum status status = undisturbed(slot, board_reset, err);
    if (status != STATUS_OK && image_is_damaged(slot)) {
        status = sched_repair_image(slot->batch, err);
        if (status == STATUS_OK)
            status = undisturbed(slot, board_reset, err);
    }
    return status == STATUS_OK ? undisturbed(slot, board_selftest, err) : status;
}

/* The end of a test; with the lock. True where it is worth an event: a dead board fails in the same way for ever. */
static bool conclude(struct sched_slot *slot, enum status status, const struct error *err)
{
    uint64_t now = clock_now_ns();
    if (status == STATUS_OK) {
        health_passed(&slot->health, now);
        slot->used_ns = now;
        sched_slot_changed(slot->batch, index_of(slot));
        return true;
    }
    bool news = strncmp(slot->last_error, err->message, sizeof slot->last_error - 1) != 0 ||
                now - slot->announced_ns >= ANNOUNCE_NS;
    if (news)
        slot->announced_ns = now;
    sched_note_error(slot, now, err);
    health_failed(&slot->health, now);
    return news;
}

/* The board is out of service and its test is due; takes and returns the lock. */
static void treat(struct sched_slot *slot)
{
    struct batch *batch = slot->batch;
    const char *name = board_name(board_of(slot));
    char why[sizeof slot->last_error];
    memcpy(why, slot->last_error, sizeof why);
    bool announced = slot->announced;
    slot->announced = true;
    health_begin_test(&slot->health);
    pthread_mutex_unlock(&batch->lock);
    if (!announced)
        sched_announce(batch, BATCH_BOARD_OUT, name, why);
    struct error err = {0};
    enum status status = examine(slot, &err);
    struct sched_completions completions = {0};
    pthread_mutex_lock(&batch->lock);
    if (status == STATUS_OK && slot->flight)
        status = error_set(&err, STATUS_BACKEND, "board %s: its last task is still to come back", name);
    bool news = conclude(slot, status, &err);
    sched_dispatch(batch, &completions);
    pthread_mutex_unlock(&batch->lock);
    sched_run_completions(&completions);
    if (news)
        sched_announce(batch, status == STATUS_OK ? BATCH_BOARD_BACK : BATCH_TEST_FAILED, name,
                       status == STATUS_OK ? "" : err.message);
    pthread_mutex_lock(&batch->lock);
}

/* The board serves: does it, in truth? Takes and returns the lock. */
static void look(struct sched_slot *slot, enum status (*function)(struct board *board, struct error *err))
{
    struct batch *batch = slot->batch;
    struct sched_completions completions = {0};
    struct error err;
    pthread_mutex_unlock(&batch->lock);
    enum status status = undisturbed(slot, function, &err);
    pthread_mutex_lock(&batch->lock);
    slot->probing = false;
    sched_slot_changed(batch, index_of(slot));
    if (status != STATUS_OK && slot->health.state == HEALTH_IN_SERVICE) {
        batch->scrub_failures += function == board_scrub;
        sched_quarantine(batch, index_of(slot), clock_now_ns(), &err);
        sched_restart_suspended(batch);
    }
    sched_dispatch(batch, &completions);
    pthread_mutex_unlock(&batch->lock);
    sched_run_completions(&completions);
    pthread_mutex_lock(&batch->lock);
}

/* When a board that serves is to be probed, as far as is known now. */
static uint64_t probe_due_ns(const struct sched_slot *slot, uint64_t now)
{
    uint64_t interval = slot->batch->options.probe_interval_ns;
    if (interval == 0)
        return UINT64_MAX;
    uint64_t least = PROBE_PAUSE * slot->probe_took_ns;
    return (slot->flight ? now : slot->used_ns) + (interval > least ? interval : least);
}

/* Do what is due, the lock let go meanwhile. Returns when the next thing is. */
static uint64_t attend(struct sched_slot *slot, uint64_t now)
{
    if (slot->health.state != HEALTH_IN_SERVICE) {
        uint64_t due_ns = health_due_ns(&slot->health, slot->batch->n_usable == 0);
        if (due_ns > now)
            return due_ns;
        treat(slot);
    } else if (slot->scrub_ns <= now) {
        look(slot, board_scrub);
        slot->scrub_ns = sched_next_scrub(slot->batch);
    } else if (probe_due_ns(slot, now) <= now) {
        slot->probing = true;
        sched_slot_changed(slot->batch, index_of(slot));
        look(slot, board_selftest);
        slot->used_ns = clock_now_ns();
        slot->probe_took_ns = slot->used_ns - now;
    } else {
        uint64_t probe_ns = probe_due_ns(slot, now);
        return probe_ns < slot->scrub_ns ? probe_ns : slot->scrub_ns;
    }
    return now;
}

void *sched_health_worker_main(void *cookie)
{
    struct sched_slot *slot = cookie;
    struct batch *batch = slot->batch;
    pthread_mutex_lock(&batch->lock);
    slot->used_ns = clock_now_ns();
    slot->scrub_ns = sched_next_scrub(batch);
    while (!batch->stop_threads)
        sched_wait_until(batch, attend(slot, clock_now_ns()));
    pthread_mutex_unlock(&batch->lock);
    return NULL;
}
