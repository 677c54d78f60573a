/* A task on a worker: the engine's layers one after another, and the faults that are to be suffered. */
#include <time.h>

#include "accel/worker/worker_board.h"
#include "base/clock.h"

/* How long a slowed board sleeps before it looks whether it is still wanted. */
#define NAP_NS 2000000ull

static enum status refuse(struct worker *worker, struct error *err)
{
    pthread_mutex_lock(&worker->lock);
    enum status status = worker_refusal(worker);
    pthread_mutex_unlock(&worker->lock);
    return error_set(err, status ? status : STATUS_BACKEND, "the board is being closed or reset");
}

enum status worker_damage(struct worker *worker, uint64_t seed, bool from_task, struct error *err)
{
    pthread_mutex_lock(&worker->lock);
    struct image *image = worker->image ? image_retain(worker->image) : NULL, *copy = NULL;
    pthread_mutex_unlock(&worker->lock);
    struct engine *engine = NULL;
    enum status status = image ? image_copy(&copy, image, err) : STATUS_OK;
    if (copy)
        status = worker_create_engine(worker, &engine, copy, err);
    if (engine) { /* made before the damage: it knows the right checksums */
        ((unsigned char *)copy->bytes)[seed / 8 % copy->size] ^= (unsigned char)(1u << seed % 8);
        pthread_mutex_lock(&worker->lock);
        if (worker->image == image && (from_task || worker->stats.queued == 0)) {
            struct engine *healthy = worker->engine;
            struct image *older = worker->copy;
            worker->engine = engine;
            worker->copy = copy;
            engine = healthy;
            copy = older;
            worker->faults.left[BOARD_FAULT_IMAGE] = 0;
        }
        pthread_mutex_unlock(&worker->lock);
        worker->ops->destroy(engine);
    }
    image_release(&copy);
    image_release(&image);
    return status;
}

static enum status hang(struct worker *worker, struct error *err)
{
    pthread_mutex_lock(&worker->lock);
    while (!worker_refusal(worker))
        pthread_cond_wait(&worker->interrupt, &worker->lock);
    enum status status = worker_refusal(worker);
    pthread_mutex_unlock(&worker->lock);
    return error_set(err, status, "an injected fault: the task hung");
}

/* Let what the board took `own_ns` for take `factor` times as long. */
static void drag(struct worker *worker, const struct board_job *job, uint64_t own_ns, double factor)
{
    uint64_t now = clock_now_ns();
    double until = (double)now + (double)own_ns * (factor - 1);
    while ((double)now < until && !atomic_load(&worker->interrupted) && !atomic_load(&job->cancelled)) {
        double left = until - (double)now;
        nanosleep(&(struct timespec){.tv_nsec = (long)(left < NAP_NS ? left : NAP_NS)}, NULL);
        now = clock_now_ns();
    }
}

/* What is to go wrong before the task is computed, and how. */
static enum status suffer(struct worker *worker, struct engine *engine, const struct worker_hit *hit, struct error *err)
{
    if (hit->lost)
        return error_set(err, STATUS_BACKEND, "an injected fault: it has lost its image");
    if (hit->hang)
        return hang(worker, err);
    if (hit->fail)
        return error_set(err, STATUS_BACKEND, "an injected fault: the task failed");
    if (hit->flips)
        engine_inject(engine, hit->flips, hit->seed);
    return STATUS_OK;
}

/* All layers at once, where the engine keeps the rows meanwhile. */
static enum status run_list(struct worker *worker, struct engine *engine, struct board_task *task, double slow,
                            uint32_t *layers, struct error *err)
{
    uint64_t begin = clock_now_ns();
    enum status status = engine->ops->run_layers(engine, task, &worker->interrupted, err);
    if (status == STATUS_CANCELLED && !atomic_load(&task->job->cancelled))
        return refuse(worker, err);
    if (!status)
        *layers += task->layer_end - task->layer_begin;
    if (slow > 1)
        drag(worker, task->job, clock_now_ns() - begin, slow);
    return status;
}

static enum status run_layers(struct worker *worker, struct engine *engine, struct board_task *task, double slow,
                              uint32_t *layers, struct error *err)
{
    if (engine->ops->run_layers)
        return run_list(worker, engine, task, slow, layers, err);
    enum status status = STATUS_OK;
    for (uint32_t layer = task->layer_begin; layer < task->layer_end && !status; layer++) {
        if (atomic_load(&task->job->cancelled))
            return error_set(err, STATUS_CANCELLED, "the job was cancelled");
        if (atomic_load(&worker->interrupted))
            return refuse(worker, err);
        uint64_t begin = clock_thread_ns(); /* waiting for other boards of a team is not its own */
        status = task->kind == BOARD_TENSOR
                     ? engine->ops->run_share(engine, task, layer, err)
                     : engine->ops->run(engine, task->job, task->kind, layer, task->row_begin, task->row_end, err);
        *layers += !status;
        if (slow > 1)
            drag(worker, task->job, clock_thread_ns() - begin, slow);
    }
    return status;
}

enum status worker_task_compute(struct worker *worker, struct board_task *task, uint32_t *layers, struct error *err)
{
    struct engine *testing = worker_selftest_engine(task);
    const struct image *image = testing ? testing->image : worker->image;
    if (!image || task->job->image != image)
        return error_set(err, STATUS_BACKEND, "the job's model is not loaded");
    uint32_t begin = testing ? task->layer_begin : worker->layer_begin,
             end = testing ? task->layer_end : worker->layer_end;
    enum status status = backend_check_task(task, begin, end, err);
    if (!status && task->kind == BOARD_TENSOR && !worker->ops->run_share)
        status = error_set(err, STATUS_BACKEND, "it does no task together with others");
    if (status)
        return status;
    if (atomic_load(&task->job->cancelled))
        return error_set(err, STATUS_CANCELLED, "the job was cancelled");
    pthread_mutex_lock(&worker->lock);
    struct worker_hit hit = worker_faults_take(&worker->faults, clock_now_ns());
    pthread_mutex_unlock(&worker->lock);
    if (hit.damage)
        status = worker_damage(worker, hit.seed, true, err);
    struct engine *engine = testing ? testing : worker->engine;
    if (!status)
        status = suffer(worker, engine, &hit, err);
    return status ? status : run_layers(worker, engine, task, hit.slow, layers, err);
}
