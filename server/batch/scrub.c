/* The model image in memory, which boards of this process share: verified from time to time, and where it is damaged
 * built again from where it came from. (What a board holds of its own its health worker looks at.)
 *
 * Invariants: the image changes only while no board computes and no health worker is at work (`repair` is held for
 * writing). A board computes on whatever its memory holds, so all that was computed since the last scrub is in doubt:
 * what is not yet delivered is computed again.
 */
#include "base/clock.h"
#include "server/batch/sched.h"

#define REBUILD_PAUSE_NS 10000000000ull

/* Everything out of service, and off the boards: from then on nobody reads the image. */
static void stop_all(struct batch *batch)
{
    struct sched_completions completions = {0};
    struct error err;
    error_set(&err, STATUS_BACKEND, "the model image in memory is damaged");
    uint64_t now = clock_now_ns();
    pthread_mutex_lock(&batch->lock);
    for (uint32_t b = 0; b < batch->options.n_boards; b++)
        if (batch->slots[b].health.state == HEALTH_IN_SERVICE)
            sched_quarantine(batch, b, now, &err);
    sched_restart_suspended(batch, &completions);
    pthread_mutex_unlock(&batch->lock);
    sched_run_completions(&completions);
    for (uint32_t b = 0; b < batch->options.n_boards; b++)
        board_reset(batch->options.boards[b], NULL); /* it cannot load, but it ends what it does */
}

static enum status rebuild(struct batch *batch, struct error *err)
{
    if (!batch->options.rebuild)
        return error_set(err, STATUS_BACKEND, "there is nothing to build it from");
    struct image *fresh = NULL;
    enum status status = batch->options.rebuild(batch->options.cookie, &fresh, err);
    if (status == STATUS_OK)
        status = image_repair(batch->options.image, fresh, err);
    image_release(&fresh);
    if (status == STATUS_OK && !image_verify(batch->options.image))
        status = error_set(err, STATUS_BACKEND, "it was damaged again at once");
    return status;
}

/* While no health worker is at work. */
static enum status repair(struct batch *batch, struct error *err)
{
    static const char damaged[] = "the model image in memory is damaged";
    uint64_t now = clock_now_ns();
    if (now < batch->rebuild_at_ns)
        return error_set(err, STATUS_BACKEND, "%s and could not be built again: restart bertd", damaged);
    pthread_mutex_lock(&batch->lock);
    batch->scrub_failures++;
    pthread_mutex_unlock(&batch->lock);
    sched_announce(batch, BATCH_IMAGE_DAMAGED, NULL, damaged);
    stop_all(batch);
    enum status status = rebuild(batch, err);
    if (status == STATUS_OK) {
        sched_announce(batch, BATCH_IMAGE_REPAIRED, NULL, "the model image was built again from the model directory");
        return STATUS_OK;
    }
    batch->rebuild_at_ns = clock_now_ns() + REBUILD_PAUSE_NS;
    error_prefix(err, STATUS_BACKEND, "%s and could not be built again (restart bertd): ", damaged);
    sched_announce(batch, BATCH_IMAGE_LOST, NULL, err->message);
    return STATUS_BACKEND;
}

enum status sched_heal(struct batch *batch, struct error *err)
{
    pthread_rwlock_wrlock(&batch->repair);
    enum status status = image_verify(batch->options.image) ? STATUS_OK : repair(batch, err);
    pthread_rwlock_unlock(&batch->repair);
    return status;
}

static void scrub(struct batch *batch)
{
    struct error err;
    pthread_rwlock_rdlock(&batch->repair);
    bool intact = image_scrub(batch->options.image);
    pthread_rwlock_unlock(&batch->repair);
    if (!intact)
        sched_heal(batch, &err);
}

void *sched_scrubber_main(void *cookie)
{
    struct batch *batch = cookie;
    pthread_mutex_lock(&batch->lock);
    uint64_t due_ns = sched_next_scrub(batch);
    while (!batch->stop_threads) {
        if (clock_now_ns() < due_ns) {
            sched_wait_until(batch, due_ns);
            continue;
        }
        batch->scrubs++;
        pthread_mutex_unlock(&batch->lock);
        scrub(batch);
        pthread_mutex_lock(&batch->lock);
        due_ns = sched_next_scrub(batch);
    }
    pthread_mutex_unlock(&batch->lock);
    return NULL;
}

uint64_t sched_next_scrub(const struct batch *batch)
{
    uint64_t interval = batch->options.scrub_interval_ns;
    return interval ? clock_now_ns() + interval : UINT64_MAX;
}
