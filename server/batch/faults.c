#include "server/batch/faults.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"
#include "server/batch/sched.h"

/* A random gap is no longer than this many times its mean. */
#define LONGEST_GAP 8

struct entry {
    struct batch_fault_rule rule;
    uint64_t due_ns;
    uint32_t done;
};

struct batch_faults {
    struct batch *batch;
    uint32_t n_boards;
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

static uint64_t gap(const struct batch_fault_rule *rule, uint64_t *random)
{
    if (!rule->random)
        return rule->every_ns;
    double uniform = ((double)(draw(random) >> 11) + 1) * 0x1p-53; /* (0, 1] */
    double times = -log(uniform);
    return (uint64_t)((double)rule->every_ns * (times < LONGEST_GAP ? times : LONGEST_GAP));
}

uint64_t batch_fault_next(const struct batch_fault_rule *rule, uint32_t done, uint64_t now_ns, uint64_t *random)
{
    if (done == 0)
        return now_ns + rule->after_ns + (rule->every_ns ? gap(rule, random) : 0);
    if (rule->every_ns == 0 || (rule->times && done >= rule->times))
        return UINT64_MAX;
    return now_ns + gap(rule, random);
}

static struct entry *earliest(struct batch_faults *faults)
{
    struct entry *first = &faults->entries[0];
    for (uint32_t i = 1; i < faults->n; i++)
        if (faults->entries[i].due_ns < first->due_ns)
            first = &faults->entries[i];
    return first;
}

/* From when it was due and not from now: the schedule is the same however late the thread is. */
static void happen(struct batch_faults *faults, struct entry *entry)
{
    struct board_fault fault = entry->rule.fault;
    fault.seed = draw(&faults->random);
    uint32_t any = (uint32_t)(draw(&faults->random) % faults->n_boards);
    uint32_t board = entry->rule.board == BATCH_ANY_BOARD ? any : (uint32_t)entry->rule.board;
    struct error err;
    if (batch_inject(faults->batch, board, &fault, &err) == STATUS_OK) {
        entry->done++;
        entry->due_ns = batch_fault_next(&entry->rule, entry->done, entry->due_ns, &faults->random);
    } else {
        entry->due_ns = UINT64_MAX;
        sched_announce(faults->batch, BATCH_FAULT_REFUSED, NULL, err.message);
    }
}

static void *run(void *cookie)
{
    struct batch_faults *faults = cookie;
    pthread_mutex_lock(&faults->lock);
    while (!faults->stop) {
        struct entry *next = earliest(faults);
        uint64_t at = next->due_ns;
        if (at <= clock_now_ns()) {
            pthread_mutex_unlock(&faults->lock);
            happen(faults, next);
            pthread_mutex_lock(&faults->lock);
        } else {
            cond_wait_until(&faults->wake, &faults->lock, at);
        }
    }
    pthread_mutex_unlock(&faults->lock);
    return NULL;
}

static void free_faults(struct batch_faults *faults)
{
    pthread_mutex_destroy(&faults->lock);
    pthread_cond_destroy(&faults->wake);
    mem_free(faults);
}

enum status batch_faults_start(struct batch_faults **ret, struct batch *batch, const struct batch_fault_rule *rules,
                               uint32_t n, uint64_t seed, struct error *err)
{
    struct batch_faults *faults = n ? mem_calloc(1, sizeof *faults + n * sizeof faults->entries[0]) : NULL;
    if (n && !faults)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a schedule of %u faults", n);
    if (n == 0) {
        *ret = NULL;
        return STATUS_OK;
    }
    faults->batch = batch;
    faults->n_boards = batch->options.n_boards;
    faults->random = seed;
    faults->n = n;
    uint64_t now = clock_now_ns();
    for (uint32_t i = 0; i < n; i++) {
        faults->entries[i].rule = rules[i];
        faults->entries[i].due_ns = batch_fault_next(&rules[i], 0, now, &faults->random);
    }
    pthread_mutex_init(&faults->lock, NULL);
    cond_init(&faults->wake);
    if (pthread_create(&faults->thread, NULL, run, faults) != 0) {
        free_faults(faults);
        return error_set(err, STATUS_INTERNAL, "could not start the thread that injects faults");
    }
    *ret = faults;
    return STATUS_OK;
}

void batch_faults_stop(struct batch_faults **ref)
{
    struct batch_faults *faults = *ref;
    *ref = NULL;
    if (!faults)
        return;
    pthread_mutex_lock(&faults->lock);
    faults->stop = true;
    pthread_cond_signal(&faults->wake);
    pthread_mutex_unlock(&faults->lock);
    pthread_join(faults->thread, NULL);
    free_faults(faults);
}
