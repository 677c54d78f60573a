#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "accel/worker/worker_board.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/relax.h"

/* The thread ------------------------------------------------------------------------------------------------------ */

/* Of each board of this process, at its index: how many tasks it has, and the core where it last computed, plus one.
 * What is out of date here costs a little time and nothing else. */
enum { SEATS = 64 };
static struct seat {
    atomic_uint tasks;
    atomic_int core;
} seats[SEATS];

static struct seat *seat_of(const struct worker *worker)
{
    return &seats[worker->index % SEATS];
}

/* Another board has work to do on this core: whoever spins here keeps it from doing what is waited for. */
static bool in_the_way(const struct worker *worker)
{
    int core = sched_getcpu() + 1;
    for (const struct seat *seat = seats; seat < seats + SEATS; seat++)
        if (atomic_load_explicit(&seat->core, memory_order_relaxed) == core && seat != seat_of(worker) &&
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
static void spin(struct worker *worker, unsigned seen, bool in_split)
{
    uint64_t begin = clock_now_ns(), now = begin, end = begin + worker_awake_limit(&worker->awake, in_split);
    while (atomic_load_explicit(&worker->arrivals, memory_order_acquire) == seen && now < end) {
        if (in_the_way(worker) && !(in_split && step_aside()))
            break;
        relax();
        now = clock_now_ns();
    }
    worker_awake_waited(&worker->awake, now - begin, in_split);
}

enum status worker_refusal(const struct worker *worker)
{
    return worker->closing ? STATUS_CANCELLED : worker->resetting ? STATUS_BACKEND : STATUS_OK;
}

/* With the lock. The board may wait for others of a team, who may not come. */
static void interrupt(struct worker *worker)
{
    const struct board_task *task = worker->with_team;
    atomic_store(&worker->interrupted, true);
    pthread_cond_broadcast(&worker->interrupt);
    if (task) {
        struct error err = {0};
        error_set(&err, worker_refusal(worker), "the board is being closed or reset");
        board_team_break(task->team, (int)task->member, &err);
    }
}

/* The oldest task; NULL when the board closes and none is left. */
static struct board_task *take(struct worker *worker, enum status *ret_refusal)
{
    unsigned seen = atomic_load_explicit(&worker->arrivals, memory_order_acquire);
    pthread_mutex_lock(&worker->lock);
    bool waits = !worker->first && !worker->closing;
    uint64_t begin = waits ? clock_now_ns() : 0;
    if (waits) {
        bool in_split = worker->in_split;
        pthread_mutex_unlock(&worker->lock);
        spin(worker, seen, in_split);
        pthread_mutex_lock(&worker->lock);
    }
    while (!worker->first && !worker->closing) {
        worker->asleep = true;
        pthread_cond_wait(&worker->wake, &worker->lock);
        worker->asleep = false;
    }
    if (waits)
        worker->awake.gap_ns = clock_now_ns() - begin;
    struct board_task *task = worker->first;
    if (task) {
        worker->first = task->next;
        if (!worker->first)
            worker->last = &worker->first;
        task->next = NULL;
        worker->in_split = task->kind == BOARD_PROJECT ||
                           (task->kind == BOARD_FINISH && task->layer_end < task->job->image->shape.layers);
    }
    *ret_refusal = worker_refusal(worker);
    pthread_mutex_unlock(&worker->lock);
    return task;
}

/* Of a team's task the board's part of them, so that over all boards each row counts once. */
static uint32_t rows_of(const struct board_task *task)
{
    uint64_t rows = task->row_end - task->row_begin;
    if (!task->team || task->member >= task->team->n)
        return (uint32_t)rows;
    return (uint32_t)(rows * (task->member + 1) / task->team->n - rows * task->member / task->team->n);
}

static void account(struct worker *worker, const struct board_task *task, enum status status, const struct error *err,
                    uint32_t layers, uint64_t busy_ns)
{
    pthread_mutex_lock(&worker->lock);
    struct board_stats *stats = &worker->stats;
    stats->queued--;
    stats->layers += layers;
    stats->rows += (uint64_t)layers * rows_of(task);
    stats->busy_ns += busy_ns;
    if (status == STATUS_OK) {
        stats->tasks_done++;
    } else if (status == STATUS_CANCELLED) {
        stats->tasks_cancelled++;
    } else {
        stats->tasks_failed++;
        snprintf(stats->last_error, sizeof stats->last_error, "%.*s", (int)sizeof stats->last_error - 1, err->message);
    }
    if (stats->queued == 0 && worker->resetting)
        pthread_cond_broadcast(&worker->empty);
    pthread_mutex_unlock(&worker->lock);
}

/* A fault that was to hit the task is over with it: whoever resets a board that hangs need not know whether it had come
 * so far. */
static enum status refuse(struct worker *worker, enum status refused, struct error *err)
{
    pthread_mutex_lock(&worker->lock);
    worker_faults_take(&worker->faults, clock_now_ns());
    pthread_mutex_unlock(&worker->lock);
    return error_set(err, refused, "the board is being closed or reset");
}

/* Whoever was interrupted has left its team, even where it did not notice. */
static enum status compute_with_team(struct worker *worker, struct board_task *task, uint32_t *layers,
                                     struct error *err)
{
    pthread_mutex_lock(&worker->lock);
    worker->with_team = task;
    pthread_mutex_unlock(&worker->lock);
    enum status status = worker_task_compute(worker, task, layers, err);
    pthread_mutex_lock(&worker->lock);
    worker->with_team = NULL;
    enum status refused = worker_refusal(worker);
    pthread_mutex_unlock(&worker->lock);
    if (!status && refused)
        status = error_set(err, refused, "the board is being closed or reset");
    return status ? board_team_leave(task->team, task->member, status, err) : STATUS_OK;
}

static enum status compute(struct worker *worker, struct board_task *task, enum status refused, uint32_t *layers,
                           struct error *err)
{
    if (refused) {
        refuse(worker, refused, err);
        return task->team ? board_team_leave(task->team, task->member, refused, err) : refused;
    }
    return task->team ? compute_with_team(worker, task, layers, err) : worker_task_compute(worker, task, layers, err);
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    for (;;) {
        enum status refused;
        struct board_task *task = take(worker, &refused);
        if (!task)
            return NULL;
        struct error err = {0};
        uint32_t layers = 0;
        uint64_t begin = clock_now_ns();
        atomic_store_explicit(&seat_of(worker)->core, sched_getcpu() + 1, memory_order_relaxed);
        enum status status = compute(worker, task, refused, &layers, &err);
        if (status && status != STATUS_CANCELLED) /* NO_MEMORY is the board's failure, not the request's */
            status = error_prefix(&err, STATUS_BACKEND, "board %s: ", worker->base.name);
        atomic_fetch_sub_explicit(&seat_of(worker)->tasks, 1, memory_order_relaxed);
        uint64_t busy_ns = clock_now_ns() - begin;
        worker_awake_computed(&worker->awake, busy_ns);
        account(worker, task, status, &err, layers, busy_ns);
        task->on_done(task, status, &err);
    }
}

/* The backend ----------------------------------------------------------------------------------------------------- */

void worker_submit(struct board *board, struct board_task *task)
{
    struct worker *worker = (struct worker *)board;
    task->next = NULL;
    pthread_mutex_lock(&worker->lock);
    *worker->last = task;
    worker->last = &task->next;
    worker->stats.queued++;
    atomic_fetch_add_explicit(&seat_of(worker)->tasks, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&worker->arrivals, 1, memory_order_release);
    if (worker->asleep)
        pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

void worker_cancel(struct board *board, struct board_job *job)
{
    (void)board;
    atomic_store(&job->cancelled, true); /* the thread looks before each layer, queued tasks included */
}

void worker_stats(struct board *board, struct board_stats *ret)
{
    struct worker *worker = (struct worker *)board;
    pthread_mutex_lock(&worker->lock);
    *ret = worker->stats;
    ret->state = ret->queued ? BOARD_BUSY : worker->engine ? BOARD_READY : BOARD_EMPTY;
    pthread_mutex_unlock(&worker->lock);
}

enum status worker_create_engine(struct worker *worker, struct engine **ret, const struct image *image,
                                 struct error *err)
{
    const struct engine_ops *ops = worker->ops;
    if (ops->create_on)
        return ops->create_on(ret, worker->device, image, worker->verify, err);
    return ops->create(ret, image, worker->verify, err);
}

static enum status check_load(const struct worker *worker, const struct image *image, uint32_t layer_begin,
                              uint32_t layer_end, struct error *err)
{
    if (image->precision != worker->ops->precision)
        return error_set(err, STATUS_UNSUPPORTED, "board %s computes in %s; the model image is %s", worker->base.name,
                         worker->ops->precision == IMAGE_INT8 ? "int8" : "fp32",
                         image->precision == IMAGE_INT8 ? "int8" : "fp32");
    if (layer_begin >= layer_end || layer_end > image->shape.layers)
        return error_set(err, STATUS_UNSUPPORTED, "board %s: there are no layers %u to %u in a model of %u",
                         worker->base.name, layer_begin, layer_end, image->shape.layers);
    if (!image_verify(image))
        return error_set(err, STATUS_BACKEND, "board %s: the model image does not have its checksum",
                         worker->base.name);
    return STATUS_OK;
}

enum status worker_load(struct board *board, struct image *image, uint32_t layer_begin, uint32_t layer_end,
                        struct error *err)
{
    struct worker *worker = (struct worker *)board;
    struct engine *engine = NULL;
    pthread_mutex_lock(&worker->lock);
    bool dies = worker_faults_take_load(&worker->faults);
    pthread_mutex_unlock(&worker->lock);
    if (dies)
        return error_set(err, STATUS_BACKEND, "board %s: an injected fault: it died while it was loaded",
                         worker->base.name);
    enum status status = check_load(worker, image, layer_begin, layer_end, err);
    if (!status) {
        status = worker_create_engine(worker, &engine, image, err);
        if (status && worker->device)
            error_prefix(err, status, "board %s: ", worker->base.name);
    }
    if (status)
        return status;
    pthread_mutex_lock(&worker->lock);
    if (worker->stats.queued) {
        status = error_set(err, STATUS_BACKEND, "board %s: %u tasks are with it; a model is loaded only when idle",
                           worker->base.name, worker->stats.queued);
    } else {
        struct engine *old_engine = worker->engine;
        struct image *old_image = worker->image;
        worker->engine = engine;
        worker->image = image_retain(image);
        worker->layer_begin = layer_begin;
        worker->layer_end = layer_end;
        engine = old_engine;
        image_release(&old_image);
        image_release(&worker->copy);
    }
    pthread_mutex_unlock(&worker->lock);
    if (engine)
        worker->ops->destroy(engine);
    return status;
}

void worker_give_up(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->resetting = true;
    interrupt(worker);
    while (worker->stats.queued > 0)
        pthread_cond_wait(&worker->empty, &worker->lock);
    worker->resetting = false;
    atomic_store(&worker->interrupted, worker->closing);
    pthread_mutex_unlock(&worker->lock);
}

enum status worker_reset(struct board *board, struct error *err)
{
    struct worker *worker = (struct worker *)board;
    worker_give_up(worker);
    pthread_mutex_lock(&worker->lock);
    struct image *image = worker->image ? image_retain(worker->image) : NULL;
    uint32_t layer_begin = worker->layer_begin, layer_end = worker->layer_end;
    pthread_mutex_unlock(&worker->lock);
    enum status status = image ? worker_load(board, image, layer_begin, layer_end, err) : STATUS_OK;
    image_release(&image);
    return status;
}

enum status worker_scrub(struct board *board, struct error *err)
{
    struct worker *worker = (struct worker *)board;
    pthread_mutex_lock(&worker->lock);
    struct image *copy = worker->copy ? image_retain(worker->copy) : NULL;
    struct engine *engine = worker->engine;
    pthread_mutex_unlock(&worker->lock);
    if (engine && worker->ops->scrub)
        return worker->ops->scrub(engine, err) ? error_prefix(err, STATUS_BACKEND, "board %s: ", worker->base.name)
                                               : STATUS_OK;
    bool intact = !copy || image_scrub(copy);
    image_release(&copy);
    return intact ? STATUS_OK
                  : error_set(err, STATUS_BACKEND, "board %s: its model image no longer has its checksum",
                              worker->base.name);
}

enum status worker_inject(struct board *board, const struct board_fault *fault, struct error *err)
{
    struct worker *worker = (struct worker *)board;
    if (fault->kind == BOARD_FAULT_IMAGE && worker->device)
        return error_set(err, STATUS_UNSUPPORTED, "board %s: its image is in a card's memory, where nobody flips a bit",
                         worker->base.name);
    if (worker_faults_flip(fault->kind) && !worker->ops->inject)
        return error_set(err, STATUS_UNSUPPORTED, "board %s: its engine has no %s to flip a bit of", worker->base.name,
                         board_fault_name(fault->kind));
    pthread_mutex_lock(&worker->lock);
    worker_faults_add(&worker->faults, fault, clock_now_ns());
    bool idle = worker->stats.queued == 0;
    pthread_mutex_unlock(&worker->lock);
    return fault->kind == BOARD_FAULT_IMAGE && idle ? worker_damage(worker, fault->seed, false, err) : STATUS_OK;
}

static void destroy(struct worker *worker)
{
    pthread_cond_destroy(&worker->wake);
    pthread_cond_destroy(&worker->empty);
    pthread_cond_destroy(&worker->interrupt);
    pthread_mutex_destroy(&worker->lock);
    mem_free(worker);
}

void worker_close(struct board *board)
{
    struct worker *worker = (struct worker *)board;
    pthread_mutex_lock(&worker->lock);
    worker->closing = true;
    interrupt(worker);
    atomic_fetch_add_explicit(&worker->arrivals, 1, memory_order_release);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    if (worker->engine)
        worker->ops->destroy(worker->engine);
    image_release(&worker->image);
    image_release(&worker->copy);
    destroy(worker);
}

static enum status start_thread(struct worker *worker, int cpu, struct error *err)
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
    int failed = pthread_create(&worker->thread, &attributes, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failed)
        return error_set(err, STATUS_IO, "board %s: no thread%s: %s", worker->base.name,
                         cpu > 0 ? " on the core asked for" : "", strerror(failed));
    pthread_setname_np(worker->thread, worker->base.name);
    return STATUS_OK;
}

enum status worker_open(struct board **ret, const struct board_backend *backend, const struct engine_ops *ops,
                        const struct board_options *options, struct error *err)
{
    struct worker *worker = mem_calloc(1, sizeof *worker);
    if (!worker)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a board");
    worker->base.backend = backend;
    worker->ops = ops;
    worker->index = options->index;
    worker->verify = !options->no_verify;
    worker->patience = options->patience ? options->patience : 1;
    worker->last = &worker->first;
    size_t length = strlen(backend->kind); /* "emu0", but "fp32-0" */
    const char *dash = backend->kind[length - 1] >= '0' && backend->kind[length - 1] <= '9' ? "-" : "";
    snprintf(worker->base.name, sizeof worker->base.name, "%s%s%u", backend->kind, dash, options->index);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    pthread_cond_init(&worker->empty, NULL);
    pthread_cond_init(&worker->interrupt, NULL);
    enum status status = start_thread(worker, options->cpu, err);
    if (status) {
        destroy(worker);
        return status;
    }
    *ret = &worker->base;
    return STATUS_OK;
}
