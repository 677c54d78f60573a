#include "accel/emu/emu.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "accel/backend_selftest.h"
#include "accel/engine.h"
#include "server/base/clock.h"
#include "server/base/mem.h"

/* A hand-over between boards takes a few microseconds; longer than this a board with nothing to do sleeps. In the
 * middle of a split the next task comes as soon as the slowest board is done with its rows: waking up would cost more
 * than waiting. */
enum { SPIN_NS = 5000, SPLIT_SPIN_NS = 2000000 };

struct emu {
    struct board base;
    const struct engine_ops *ops;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_cond_t empty; /* for a reset: no task is with the board */
    atomic_uint arrivals; /* counts submissions and the close: what a spinning thread looks at */
    /* Under the lock: */
    bool asleep, closing, resetting;
    bool in_split;                    /* the last task was a part of a split with more to come */
    struct board_task *first, **last; /* last: where the next one is linked */
    struct image *image;
    struct engine *engine;
    uint32_t layer_begin, layer_end;
    struct board_stats stats;
};

/* The self-test goes through the queue like any task, but with an engine of its own. */
struct selftest {
    struct board_task task;
    struct engine *engine;
    pthread_mutex_t lock;
    pthread_cond_t done_wake;
    bool done;
    enum status status;
    struct error err;
};

static void selftest_done(struct board_task *task, enum status status, const struct error *err)
{
    struct selftest *test = (struct selftest *)task;
    pthread_mutex_lock(&test->lock);
    test->status = status;
    if (status)
        test->err = *err;
    test->done = true;
    pthread_cond_signal(&test->done_wake);
    pthread_mutex_unlock(&test->lock);
}

/* The thread ------------------------------------------------------------------------------------------------------ */

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Wait a moment for something to arrive without letting go of the core. */
static void spin(struct emu *emu, unsigned seen, uint64_t for_ns)
{
    uint64_t end = clock_now_ns() + for_ns;
    while (atomic_load_explicit(&emu->arrivals, memory_order_acquire) == seen && clock_now_ns() < end)
        relax();
}

/* The oldest task; NULL when the board closes and none is left. */
static struct board_task *take(struct emu *emu, enum status *ret_refusal)
{
    unsigned seen = atomic_load_explicit(&emu->arrivals, memory_order_acquire);
    pthread_mutex_lock(&emu->lock);
    if (!emu->first && !emu->closing) {
        uint64_t for_ns = emu->in_split ? SPLIT_SPIN_NS : SPIN_NS;
        pthread_mutex_unlock(&emu->lock);
        spin(emu, seen, for_ns);
        pthread_mutex_lock(&emu->lock);
    }
    while (!emu->first && !emu->closing) {
        emu->asleep = true;
        pthread_cond_wait(&emu->wake, &emu->lock);
        emu->asleep = false;
    }
    struct board_task *task = emu->first;
    if (task) {
        emu->first = task->next;
        if (!emu->first)
            emu->last = &emu->first;
        task->next = NULL;
        emu->in_split = task->kind == BOARD_PROJECT ||
                        (task->kind == BOARD_FINISH && task->layer_end < task->job->image->shape.layers);
    }
    *ret_refusal = emu->closing ? STATUS_CANCELLED : emu->resetting ? STATUS_BACKEND : STATUS_OK;
    pthread_mutex_unlock(&emu->lock);
    return task;
}

static enum status compute(struct emu *emu, struct board_task *task, uint32_t *layers, struct error *err)
{
    bool testing = task->on_done == selftest_done;
    struct engine *engine = testing ? ((struct selftest *)task)->engine : emu->engine;
    if (!engine || task->job->image != engine->image)
        return error_set(err, STATUS_BACKEND, "the job's model is not loaded");
    uint32_t begin = testing ? task->layer_begin : emu->layer_begin, end = testing ? task->layer_end : emu->layer_end;
    enum status status = backend_check_task(task, begin, end, err);
    for (uint32_t layer = task->layer_begin; layer < task->layer_end && !status; layer++) {
        if (atomic_load(&task->job->cancelled))
            return error_set(err, STATUS_CANCELLED, "the job was cancelled");
        status = engine->ops->run(engine, task->job, task->kind, layer, task->row_begin, task->row_end, err);
        *layers += !status;
    }
    return status;
}

static void account(struct emu *emu, const struct board_task *task, enum status status, const struct error *err,
                    uint32_t layers, uint64_t busy_ns)
{
    pthread_mutex_lock(&emu->lock);
    struct board_stats *stats = &emu->stats;
    stats->queued--;
    stats->layers += layers;
    stats->rows += (uint64_t)layers * (task->row_end - task->row_begin);
    stats->busy_ns += busy_ns;
    if (status == STATUS_OK) {
        stats->tasks_done++;
    } else if (status == STATUS_CANCELLED) {
        stats->tasks_cancelled++;
    } else {
        stats->tasks_failed++;
        snprintf(stats->last_error, sizeof stats->last_error, "%.*s", (int)sizeof stats->last_error - 1, err->message);
    }
    if (stats->queued == 0 && emu->resetting)
        pthread_cond_broadcast(&emu->empty);
    pthread_mutex_unlock(&emu->lock);
}

static void *run(void *argument)
{
    struct emu *emu = argument;
    for (;;) {
        enum status refusal;
        struct board_task *task = take(emu, &refusal);
        if (!task)
            return NULL;
        struct error err = {0};
        uint32_t layers = 0;
        uint64_t begin = clock_now_ns();
        enum status status = refusal ? error_set(&err, refusal, "the board is being closed or reset")
                                     : compute(emu, task, &layers, &err);
        if (status && status != STATUS_CANCELLED) /* NO_MEMORY is the board's failure, not the request's */
            status = error_prefix(&err, STATUS_BACKEND, "board %s: ", emu->base.name);
        account(emu, task, status, &err, layers, clock_now_ns() - begin);
        task->on_done(task, status, &err);
    }
}

/* The backend ----------------------------------------------------------------------------------------------------- */

static void emu_submit(struct board *board, struct board_task *task)
{
    struct emu *emu = (struct emu *)board;
    task->next = NULL;
    pthread_mutex_lock(&emu->lock);
    *emu->last = task;
    emu->last = &task->next;
    emu->stats.queued++;
    atomic_fetch_add_explicit(&emu->arrivals, 1, memory_order_release);
    if (emu->asleep)
        pthread_cond_signal(&emu->wake);
    pthread_mutex_unlock(&emu->lock);
}

static void emu_cancel(struct board *board, struct board_job *job)
{
    (void)board;
    atomic_store(&job->cancelled, true); /* the thread looks before each layer, queued tasks included */
}

static void emu_stats(struct board *board, struct board_stats *ret)
{
    struct emu *emu = (struct emu *)board;
    pthread_mutex_lock(&emu->lock);
    *ret = emu->stats;
    ret->state = ret->queued ? BOARD_BUSY : emu->engine ? BOARD_READY : BOARD_EMPTY;
    pthread_mutex_unlock(&emu->lock);
}

static enum status check_load(const struct emu *emu, const struct image *image, uint32_t layer_begin,
                              uint32_t layer_end, struct error *err)
{
    if (image->precision != emu->ops->precision)
        return error_set(err, STATUS_UNSUPPORTED, "board %s computes in %s; the model image is %s", emu->base.name,
                         emu->ops->precision == IMAGE_INT8 ? "int8" : "fp32",
                         image->precision == IMAGE_INT8 ? "int8" : "fp32");
    if (layer_begin >= layer_end || layer_end > image->shape.layers)
        return error_set(err, STATUS_UNSUPPORTED, "board %s: there are no layers %u to %u in a model of %u",
                         emu->base.name, layer_begin, layer_end, image->shape.layers);
    if (!image_verify(image))
        return error_set(err, STATUS_BACKEND, "board %s: the model image does not have its checksum", emu->base.name);
    return STATUS_OK;
}

static enum status emu_load(struct board *board, struct image *image, uint32_t layer_begin, uint32_t layer_end,
                            struct error *err)
{
    struct emu *emu = (struct emu *)board;
    struct engine *engine = NULL;
    enum status status = check_load(emu, image, layer_begin, layer_end, err);
    if (!status)
        status = emu->ops->create(&engine, image, err);
    if (status)
        return status;
    pthread_mutex_lock(&emu->lock);
    if (emu->stats.queued) {
        status = error_set(err, STATUS_BACKEND, "board %s: %u tasks are with it; a model is loaded only when idle",
                           emu->base.name, emu->stats.queued);
    } else {
        struct engine *old_engine = emu->engine;
        struct image *old_image = emu->image;
        emu->engine = engine;
        emu->image = image_retain(image);
        emu->layer_begin = layer_begin;
        emu->layer_end = layer_end;
        engine = old_engine;
        image_release(&old_image);
    }
    pthread_mutex_unlock(&emu->lock);
    if (engine)
        emu->ops->destroy(engine);
    return status;
}

static enum status emu_reset(struct board *board, struct error *err)
{
    struct emu *emu = (struct emu *)board;
    pthread_mutex_lock(&emu->lock);
    emu->resetting = true;
    while (emu->stats.queued > 0)
        pthread_cond_wait(&emu->empty, &emu->lock);
    emu->resetting = false;
    struct image *image = emu->image;
    uint32_t layer_begin = emu->layer_begin, layer_end = emu->layer_end;
    pthread_mutex_unlock(&emu->lock);
    return image ? emu_load(board, image, layer_begin, layer_end, err) : STATUS_OK;
}

static enum status emu_selftest(struct board *board, struct error *err)
{
    struct emu *emu = (struct emu *)board;
    struct backend_selftest *input = NULL;
    struct selftest test = {.lock = PTHREAD_MUTEX_INITIALIZER, .done_wake = PTHREAD_COND_INITIALIZER};
    enum status status = backend_selftest_create(&input, emu->ops->precision, err);
    if (!status)
        status = emu->ops->create(&test.engine, input->image, err);
    if (!status) {
        test.task = input->task;
        test.task.on_done = selftest_done;
        emu_submit(board, &test.task);
        pthread_mutex_lock(&test.lock);
        while (!test.done)
            pthread_cond_wait(&test.done_wake, &test.lock);
        pthread_mutex_unlock(&test.lock);
        emu->ops->destroy(test.engine);
        status = test.status ? error_set(err, STATUS_BACKEND, "self-test: %s", test.err.message)
                             : backend_selftest_check(input, err);
        if (status)
            error_prefix(err, status, "board %s: ", emu->base.name);
    }
    backend_selftest_destroy(&input);
    return status;
}

static void emu_close(struct board *board)
{
    struct emu *emu = (struct emu *)board;
    pthread_mutex_lock(&emu->lock);
    emu->closing = true;
    atomic_fetch_add_explicit(&emu->arrivals, 1, memory_order_release);
    pthread_cond_signal(&emu->wake);
    pthread_mutex_unlock(&emu->lock);
    pthread_join(emu->thread, NULL);
    if (emu->engine)
        emu->ops->destroy(emu->engine);
    image_release(&emu->image);
    pthread_cond_destroy(&emu->wake);
    pthread_cond_destroy(&emu->empty);
    pthread_mutex_destroy(&emu->lock);
    mem_free(emu);
}

static enum status start_thread(struct emu *emu, int cpu, struct error *err)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    if (cpu > 0) {
        CPU_SET((size_t)cpu - 1, &cpus); /* past the set: nothing, and then the thread finds no core */
        pthread_attr_setaffinity_np(&attributes, sizeof cpus, &cpus);
    }
    sigset_t all, before; /* signals are for the program's own threads */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&emu->thread, &attributes, run, emu);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failed)
        return error_set(err, STATUS_IO, "board %s: no thread%s: %s", emu->base.name,
                         cpu > 0 ? " on the core asked for" : "", strerror(failed));
    pthread_setname_np(emu->thread, emu->base.name);
    return STATUS_OK;
}

static enum status open_with(struct board **ret, const struct board_backend *backend, const struct engine_ops *ops,
                             const struct board_options *options, struct error *err)
{
    struct emu *emu = mem_calloc(1, sizeof *emu);
    if (!emu)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a board");
    emu->base.backend = backend;
    emu->ops = ops;
    emu->last = &emu->first;
    size_t length = strlen(backend->kind); /* "emu0", but "fp32-0" */
    const char *dash = backend->kind[length - 1] >= '0' && backend->kind[length - 1] <= '9' ? "-" : "";
    snprintf(emu->base.name, sizeof emu->base.name, "%s%s%u", backend->kind, dash, options->index);
    pthread_mutex_init(&emu->lock, NULL);
    pthread_cond_init(&emu->wake, NULL);
    pthread_cond_init(&emu->empty, NULL);
    enum status status = start_thread(emu, options->cpu, err);
    if (status) {
        pthread_cond_destroy(&emu->wake);
        pthread_cond_destroy(&emu->empty);
        pthread_mutex_destroy(&emu->lock);
        mem_free(emu);
        return status;
    }
    *ret = &emu->base;
    return STATUS_OK;
}

static enum status open_emu(struct board **ret, const struct board_options *options, struct error *err)
{
    return open_with(ret, &emu_backend, &cpu_engine, options, err);
}

static enum status open_ref(struct board **ret, const struct board_options *options, struct error *err)
{
    return open_with(ret, &emu_ref_backend, &ref_engine, options, err);
}

static enum status open_fp32(struct board **ret, const struct board_options *options, struct error *err)
{
    return open_with(ret, &emu_fp32_backend, &fp32_engine, options, err);
}

#define BACKEND(word, opener)                                                                                          \
    {                                                                                                                  \
        .kind = word, .open = opener, .close = emu_close, .load = emu_load, .submit = emu_submit,                      \
        .cancel = emu_cancel, .reset = emu_reset, .selftest = emu_selftest, .stats = emu_stats                         \
    }

const struct board_backend emu_backend = BACKEND("emu", open_emu);
const struct board_backend emu_ref_backend = BACKEND("ref", open_ref);
const struct board_backend emu_fp32_backend = BACKEND("fp32", open_fp32);
