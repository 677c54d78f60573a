#include "server/batch/scrubber.h"

#include "base/clock.h"
#include "server/batch/repair.h"

static void scrub(struct batch *batch)
{
    struct error err;
    pthread_rwlock_rdlock(&batch->repair);
    bool intact = image_scrub(batch->options.image);
    pthread_rwlock_unlock(&batch->repair);
    if (!intact)
        sched_repair_image(batch, &err);
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
