/* The model image in memory: found damaged, it is built again from where it came from.
 *
 * Boards of this process share one image; one that holds a copy of its own is scrubbed by itself, and loads it anew. A
 * board computes on whatever its memory holds, so all that was computed since the last scrub is in doubt: what is not
 * yet delivered is computed again.
 */
#include "server/base/clock.h"
#include "server/batch/room.h"

#define REBUILD_PAUSE_NS 10000000000ull

/* Everything out of service, and off the boards: from then on nobody reads the image. */
static void stop_all(struct batch *batch)
{
    struct room_settled settled = {0};
    struct error err;
    error_set(&err, STATUS_BACKEND, "the model image in memory is damaged");
    uint64_t now = clock_now_ns();
    pthread_mutex_lock(&batch->lock);
    for (uint32_t b = 0; b < batch->options.n_boards; b++)
        if (batch->slots[b].health.state == HEALTH_IN_SERVICE)
            room_quarantine(batch, b, now, &err);
    room_restart_parted(batch, &settled);
    pthread_mutex_unlock(&batch->lock);
    room_tell(&settled);
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

enum status room_heal(struct batch *batch, struct error *err)
{
    static const char damaged[] = "the model image in memory is damaged";
    uint64_t now = clock_now_ns();
    if (now < batch->rebuild_at_ns)
        return error_set(err, STATUS_BACKEND, "%s and could not be built again: restart bertd", damaged);
    pthread_mutex_lock(&batch->lock);
    batch->scrub_failures++;
    pthread_mutex_unlock(&batch->lock);
    room_announce(batch, BATCH_IMAGE_DAMAGED, NULL, damaged);
    stop_all(batch);
    enum status status = rebuild(batch, err);
    if (status == STATUS_OK) {
        room_announce(batch, BATCH_IMAGE_REPAIRED, NULL, "the model image was built again from the model directory");
        return STATUS_OK;
    }
    batch->rebuild_at_ns = clock_now_ns() + REBUILD_PAUSE_NS;
    error_prefix(err, STATUS_BACKEND, "%s and could not be built again (restart bertd): ", damaged);
    room_announce(batch, BATCH_IMAGE_LOST, NULL, err->message);
    return STATUS_BACKEND;
}

static bool in_service(struct batch *batch, uint32_t board)
{
    pthread_mutex_lock(&batch->lock);
    bool is = batch->slots[board].health.state == HEALTH_IN_SERVICE && !batch->stop_threads;
    pthread_mutex_unlock(&batch->lock);
    return is;
}

void room_scrub(struct batch *batch)
{
    struct error err;
    pthread_mutex_lock(&batch->lock);
    batch->scrubs++;
    pthread_mutex_unlock(&batch->lock);
    if (!image_scrub(batch->options.image)) {
        room_heal(batch, &err);
        return;
    }
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        if (!in_service(batch, b) || board_scrub(batch->options.boards[b], &err) == STATUS_OK)
            continue;
        struct room_settled settled = {0};
        pthread_mutex_lock(&batch->lock);
        batch->scrub_failures++;
        room_quarantine(batch, b, clock_now_ns(), &err);
        room_restart_parted(batch, &settled);
        room_plan(batch, &settled);
        pthread_mutex_unlock(&batch->lock);
        room_tell(&settled);
    }
}
