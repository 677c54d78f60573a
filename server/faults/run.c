#include "server/faults/faults.h"

#include <math.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"

/* A random gap is no longer than this many times its mean. */
#define LONGEST_GAP 8

struct entry {
    struct faults_rule rule;
    uint64_t due_ns;
    uint32_t done;
};

struct faults_runner {
    struct batch *batch;
    uint32_t n_boards;
    void (*on_refused)(void *cookie, const char *reason);
    void *cookie;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    uint64_t random;
    uint32_t n;
    struct entry entries[];
};

/* SplitMix64: any state will do, 0 too. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint64_t gap(const struct faults_rule *rule, uint64_t *random)
{
    if (!rule->random)
        return rule->every_ns;
    double uniform = ((double)(draw(random) >> 11) + 1) * 0x1p-53; /* (0, 1] */
    double times = -log(uniform);
    return (uint64_t)((double)rule->every_ns * (times < LONGEST_GAP ? times : LONGEST_GAP));
}

uint64_t faults_next(const struct faults_rule *rule, uint32_t done, uint64_t now_ns, uint64_t *random)
{
    if (done == 0)
        return now_ns + rule->after_ns + (rule->every_ns ? gap(rule, random) : 0);
    if (rule->every_ns == 0 || (rule->times && done >= rule->times))
        return UINT64_MAX;
    return now_ns + gap(rule, random);
}

static struct entry *earliest(struct faults_runner *runner)
{
    struct entry *first = &runner->entries[0];
    for (uint32_t i = 1; i < runner->n; i++)
        if (runner->entries[i].due_ns < first->due_ns)
            first = &runner->entries[i];
    return first;
}

/* From when it was due and not from now: the schedule is the same however late the thread is. */
static void happen(struct faults_runner *runner, struct entry *entry)
{
    struct board_fault fault = entry->rule.fault;
    fault.seed = draw(&runner->random);
    uint32_t any = (uint32_t)(draw(&runner->random) % runner->n_boards);
    uint32_t board = entry->rule.board == FAULTS_ANY_BOARD ? any : (uint32_t)entry->rule.board;
    struct error err;
    if (batch_inject(runner->batch, board, &fault, &err) == STATUS_OK) {
        entry->done++;
        entry->due_ns = faults_next(&entry->rule, entry->done, entry->due_ns, &runner->random);
    } else {
        entry->due_ns = UINT64_MAX;
        if (runner->on_refused)
            runner->on_refused(runner->cookie, err.message);
    }
}

static void *run(void *cookie)
{
    struct faults_runner *runner = cookie;
    pthread_mutex_lock(&runner->lock);
    while (!runner->stop) {
        struct entry *next = earliest(runner);
        uint64_t at = next->due_ns;
        if (at <= clock_now_ns()) {
            pthread_mutex_unlock(&runner->lock);
            happen(runner, next);
            pthread_mutex_lock(&runner->lock);
        } else {
            cond_wait_until(&runner->wake, &runner->lock, at);
        }
    }
    pthread_mutex_unlock(&runner->lock);
    return NULL;
}

static void free_runner(struct faults_runner *runner)
{
    pthread_mutex_destroy(&runner->lock);
    pthread_cond_destroy(&runner->wake);
    mem_free(runner);
}

enum status faults_start(struct faults_runner **ret, struct batch *batch, const struct faults_schedule *schedule,
                         void (*on_refused)(void *cookie, const char *reason), void *cookie, struct error *err)
{
    if (schedule->n == 0) {
        *ret = NULL;
        return STATUS_OK;
    }
    struct faults_runner *runner = mem_calloc(1, sizeof *runner + schedule->n * sizeof runner->entries[0]);
    if (!runner)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a schedule of %u faults", schedule->n);
    struct batch_stats stats;
    batch_get_stats(batch, &stats);
    runner->batch = batch;
    runner->n_boards = stats.boards;
    runner->on_refused = on_refused;
    runner->cookie = cookie;
    runner->random = schedule->seed;
    runner->n = schedule->n;
    uint64_t now = clock_now_ns();
    for (uint32_t i = 0; i < runner->n; i++) {
        runner->entries[i].rule = schedule->rules[i];
        runner->entries[i].due_ns = faults_next(&schedule->rules[i], 0, now, &runner->random);
    }
    pthread_mutex_init(&runner->lock, NULL);
    cond_init(&runner->wake);
    if (pthread_create(&runner->thread, NULL, run, runner) != 0) {
        free_runner(runner);
        return error_set(err, STATUS_INTERNAL, "could not start the thread that injects faults");
    }
    *ret = runner;
    return STATUS_OK;
}

void faults_stop(struct faults_runner **ref)
{
    struct faults_runner *runner = *ref;
    *ref = NULL;
    if (!runner)
        return;
    pthread_mutex_lock(&runner->lock);
    runner->stop = true;
    pthread_cond_signal(&runner->wake);
    pthread_mutex_unlock(&runner->lock);
    pthread_join(runner->thread, NULL);
    free_runner(runner);
}
