#include "server/batch/repair.h"

#include "base/clock.h"
#include "server/batch/dispatch.h"
#include "server/batch/flights.h"
#include "server/batch/slots.h"

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
    sched_restart_suspended(batch);
    sched_dispatch(batch, &completions);
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

enum status sched_repair_image(struct batch *batch, struct error *err)
{
    pthread_rwlock_wrlock(&batch->repair);
    enum status status = image_verify(batch->options.image) ? STATUS_OK : repair(batch, err);
    pthread_rwlock_unlock(&batch->repair);
    return status;
}
