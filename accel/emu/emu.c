#include "accel/emu/emu.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "accel/emu/emu_board.h"
#ifdef BERTD_RTL
#include "accel/sim/sim_engine.h"
#endif
#include "base/clock.h"
#include "base/mem.h"

/* A hand-over between boards takes a few microseconds; longer than this a board with nothing to do sleeps. In the
 * middle of a split the next task comes as soon as the slowest board is done with its rows: waking up would cost more
 * than waiting. */
enum { SPIN_NS = 5000, SPLIT_SPIN_NS = 2000000 };

/* The thread ------------------------------------------------------------------------------------------------------ */

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Of each board of this process, at its index: how many tasks it has, and the core where it last computed, plus one.
 * What is out of date here costs a little time and nothing else. */
enum { SEATS = 64 };
static struct seat {
    atomic_uint tasks;
    atomic_int core;
} seats[SEATS];

static struct seat *seat_of(const struct emu *emu)
{
    return &seats[emu->index % SEATS];
}

/* Another board has work to do on this core: whoever spins here keeps it from doing what is waited for. */
static bool in_the_way(const struct emu *emu)
{
    int core = sched_getcpu() + 1;
    for (const struct seat *seat = seats; seat < seats + SEATS; seat++)
        if (atomic_load_explicit(&seat->core, memory_order_relaxed) == core && seat != seat_of(emu) &&
            atomic_load_explicit(&seat->tasks, memory_order_relaxed) > 0)
            return true;
    return false;
}

/* Go to a core where no board computes, and be free again to be moved. The system does not do it by itself: of two
 * boards that wait for each other only one is at work at a time. False where there is no such core. */
static bool step_aside(void)
{
    cpu_set_t allowed, elsewhere;
    if (pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed) != 0)
        return false;
    elsewhere = allowed;
    for (const struct seat *seat = seats; seat < seats + SEATS; seat++)
        if (atomic_load_explicit(&seat->tasks, memory_order_relaxed) > 0)
            CPU_CLR((size_t)atomic_load_explicit(&seat->core, memory_order_relaxed) - 1, &elsewhere);
    if (CPU_COUNT(&elsewhere) == 0 || pthread_setaffinity_np(pthread_self(), sizeof elsewhere, &elsewhere) != 0)
        return false;
    return pthread_setaffinity_np(pthread_self(), sizeof allowed, &allowed) == 0;
}

/* Wait a moment for something to arrive without letting go of the core. */
static void spin(struct emu *emu, unsigned seen, bool in_split)
{
    uint64_t end = clock_now_ns() + (in_split ? SPLIT_SPIN_NS : SPIN_NS);
    while (atomic_load_explicit(&emu->arrivals, memory_order_acquire) == seen && clock_now_ns() < end) {
        if (in_split && in_the_way(emu) && !step_aside())
            return;
        relax();
    }
}

enum status emu_refusal(const struct emu *emu)
{
    return emu->closing ? STATUS_CANCELLED : emu->resetting ? STATUS_BACKEND : STATUS_OK;
}

/* With the lock. */
static void interrupt(struct emu *emu)
{
    atomic_store(&emu->interrupted, true);
    pthread_cond_broadcast(&emu->interrupt);
}

/* The oldest task; NULL when the board closes and none is left. */
static struct board_task *take(struct emu *emu, enum status *ret_refusal)
{
    unsigned seen = atomic_load_explicit(&emu->arrivals, memory_order_acquire);
    pthread_mutex_lock(&emu->lock);
    if (!emu->first && !emu->closing) {
        bool in_split = emu->in_split;
        pthread_mutex_unlock(&emu->lock);
        spin(emu, seen, in_split);
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
    *ret_refusal = emu_refusal(emu);
    pthread_mutex_unlock(&emu->lock);
    return task;
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
        enum status refused;
        struct board_task *task = take(emu, &refused);
        if (!task)
            return NULL;
        struct error err = {0};
        uint32_t layers = 0;
        uint64_t begin = clock_now_ns();
        atomic_store_explicit(&seat_of(emu)->core, sched_getcpu() + 1, memory_order_relaxed);
        enum status status = refused ? error_set(&err, refused, "the board is being closed or reset")
                                     : emu_task_compute(emu, task, &layers, &err);
        if (status && status != STATUS_CANCELLED) /* NO_MEMORY is the board's failure, not the request's */
            status = error_prefix(&err, STATUS_BACKEND, "board %s: ", emu->base.name);
        atomic_fetch_sub_explicit(&seat_of(emu)->tasks, 1, memory_order_relaxed);
        account(emu, task, status, &err, layers, clock_now_ns() - begin);
        task->on_done(task, status, &err);
    }
}

/* The backend ----------------------------------------------------------------------------------------------------- */

void emu_submit(struct board *board, struct board_task *task)
{
    struct emu *emu = (struct emu *)board;
    task->next = NULL;
    pthread_mutex_lock(&emu->lock);
    *emu->last = task;
    emu->last = &task->next;
    emu->stats.queued++;
    atomic_fetch_add_explicit(&seat_of(emu)->tasks, 1, memory_order_relaxed);
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
    pthread_mutex_lock(&emu->lock);
    bool dies = emu_faults_take_load(&emu->faults);
    pthread_mutex_unlock(&emu->lock);
    if (dies)
        return error_set(err, STATUS_BACKEND, "board %s: an injected fault: it died while it was loaded",
                         emu->base.name);
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
        image_release(&emu->copy);
    }
    pthread_mutex_unlock(&emu->lock);
    if (engine)
        emu->ops->destroy(engine);
    return status;
}

void emu_give_up(struct emu *emu)
{
    pthread_mutex_lock(&emu->lock);
    emu->resetting = true;
    interrupt(emu);
    while (emu->stats.queued > 0)
        pthread_cond_wait(&emu->empty, &emu->lock);
    emu->resetting = false;
    atomic_store(&emu->interrupted, emu->closing);
    pthread_mutex_unlock(&emu->lock);
}

static enum status emu_reset(struct board *board, struct error *err)
{
    struct emu *emu = (struct emu *)board;
    emu_give_up(emu);
    pthread_mutex_lock(&emu->lock);
    struct image *image = emu->image ? image_retain(emu->image) : NULL;
    uint32_t layer_begin = emu->layer_begin, layer_end = emu->layer_end;
    pthread_mutex_unlock(&emu->lock);
    enum status status = image ? emu_load(board, image, layer_begin, layer_end, err) : STATUS_OK;
    image_release(&image);
    return status;
}

static enum status emu_scrub(struct board *board, struct error *err)
{
    struct emu *emu = (struct emu *)board;
    pthread_mutex_lock(&emu->lock);
    struct image *copy = emu->copy ? image_retain(emu->copy) : NULL;
    pthread_mutex_unlock(&emu->lock);
    bool intact = !copy || image_scrub(copy);
    image_release(&copy);
    return intact
               ? STATUS_OK
               : error_set(err, STATUS_BACKEND, "board %s: its model image no longer has its checksum", emu->base.name);
}

static enum status emu_inject(struct board *board, const struct board_fault *fault, struct error *err)
{
    struct emu *emu = (struct emu *)board;
    if (emu_faults_flip(fault->kind) && !emu->ops->inject)
        return error_set(err, STATUS_UNSUPPORTED, "board %s: its engine has no %s to flip a bit of", emu->base.name,
                         board_fault_name(fault->kind));
    pthread_mutex_lock(&emu->lock);
    emu_faults_add(&emu->faults, fault, clock_now_ns());
    bool idle = emu->stats.queued == 0;
    pthread_mutex_unlock(&emu->lock);
    return fault->kind == BOARD_FAULT_IMAGE && idle ? emu_damage(emu, fault->seed, false, err) : STATUS_OK;
}

static void destroy(struct emu *emu)
{
    pthread_cond_destroy(&emu->wake);
    pthread_cond_destroy(&emu->empty);
    pthread_cond_destroy(&emu->interrupt);
    pthread_mutex_destroy(&emu->lock);
    mem_free(emu);
}

static void emu_close(struct board *board)
{
    struct emu *emu = (struct emu *)board;
    pthread_mutex_lock(&emu->lock);
    emu->closing = true;
    interrupt(emu);
    atomic_fetch_add_explicit(&emu->arrivals, 1, memory_order_release);
    pthread_cond_signal(&emu->wake);
    pthread_mutex_unlock(&emu->lock);
    pthread_join(emu->thread, NULL);
    if (emu->engine)
        emu->ops->destroy(emu->engine);
    image_release(&emu->image);
    image_release(&emu->copy);
    destroy(emu);
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
    emu->index = options->index;
    emu->last = &emu->first;
    size_t length = strlen(backend->kind); /* "emu0", but "fp32-0" */
    const char *dash = backend->kind[length - 1] >= '0' && backend->kind[length - 1] <= '9' ? "-" : "";
    snprintf(emu->base.name, sizeof emu->base.name, "%s%s%u", backend->kind, dash, options->index);
    pthread_mutex_init(&emu->lock, NULL);
    pthread_cond_init(&emu->wake, NULL);
    pthread_cond_init(&emu->empty, NULL);
    pthread_cond_init(&emu->interrupt, NULL);
    enum status status = start_thread(emu, options->cpu, err);
    if (status) {
        destroy(emu);
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
        .cancel = emu_cancel, .reset = emu_reset, .selftest = emu_selftest, .stats = emu_stats, .scrub = emu_scrub,    \
        .inject = emu_inject                                                                                           \
    }

#ifdef BERTD_RTL
static enum status open_rtl(struct board **ret, const struct board_options *options, struct error *err)
{
    return open_with(ret, &emu_rtl_backend, &sim_engine, options, err);
}

/* Its self-test is a smaller one: simulation is slow, and the engine does not take every shape. */
const struct board_backend emu_rtl_backend = {.kind = "rtl-sim",
                                              .open = open_rtl,
                                              .close = emu_close,
                                              .load = emu_load,
                                              .submit = emu_submit,
                                              .cancel = emu_cancel,
                                              .reset = emu_reset,
                                              .selftest = sim_selftest,
                                              .stats = emu_stats,
                                              .scrub = emu_scrub,
                                              .inject = emu_inject};
#endif

const struct board_backend emu_backend = BACKEND("emu", open_emu);
const struct board_backend emu_ref_backend = BACKEND("ref", open_ref);
const struct board_backend emu_fp32_backend = BACKEND("fp32", open_fp32);
