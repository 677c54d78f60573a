#include "tests/bench/fleet/virtual.h"

#include <pthread.h>
#include <time.h>

#include "server/batch/eta.h"
#include "server/batch/threads.h"

uint64_t virtual_now_ns = 1000000000;

static int counting;
static double clock_cost_ns, locked_at_ns;
static struct virtual_spent spent;

/* The thread's, so that it does not matter who else uses the machine. */
static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double since(double begin_ns)
{
    double took = cpu_ns() - begin_ns - clock_cost_ns;
    return took > 0 ? took : 0;
}

void virtual_count(int on)
{
    enum { TRIES = 2000 };
    counting = on;
    clock_cost_ns = 0;
    double least = 1e9;
    for (int i = 0; on && i < TRIES; i++) {
        double took = since(cpu_ns());
        least = took < least ? took : least;
    }
    clock_cost_ns = on ? least : 0;
}

struct virtual_spent virtual_take_spent(void)
{
    struct virtual_spent taken = spent;
    spent = (struct virtual_spent){0};
    return taken;
}

uint64_t __wrap_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void)
{
    return virtual_now_ns;
}

enum status __wrap_sched_start_threads(struct batch *batch, struct error *err);
enum status __wrap_sched_start_threads(struct batch *batch, struct error *err)
{
    (void)batch;
    (void)err;
    return STATUS_OK;
}

/* Boards that are measured answer at once here, one after another, so what sharing takes cannot be seen. */
enum status __wrap_calibrate_sharing(struct bandit *bandit, struct cost_model *cost, struct image *image,
                                     struct board *const *boards, uint32_t n, struct error *err);
enum status __wrap_calibrate_sharing(struct bandit *bandit, struct cost_model *cost, struct image *image,
                                     struct board *const *boards, uint32_t n, struct error *err)
{
    (void)bandit;
    (void)cost;
    (void)image;
    (void)boards;
    (void)n;
    (void)err;
    return STATUS_OK;
}

void __wrap_sched_stop_threads(struct batch *batch);
void __wrap_sched_stop_threads(struct batch *batch)
{
    (void)batch;
}

/* No two locks are held at once here. */
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (counting)
        locked_at_ns = cpu_ns();
    return __real_pthread_mutex_lock(mutex);
}

int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int result = __real_pthread_mutex_unlock(mutex);
    if (counting)
        spent.locked_ns += since(locked_at_ns);
    return result;
}

uint32_t __real_planner_plan(const struct planner_snapshot *snapshot, struct planner_action *ret, uint32_t max);
uint32_t __wrap_planner_plan(const struct planner_snapshot *snapshot, struct planner_action *ret, uint32_t max);
uint32_t __wrap_planner_plan(const struct planner_snapshot *snapshot, struct planner_action *ret, uint32_t max)
{
    double begin_ns = counting ? cpu_ns() : 0;
    uint32_t n = __real_planner_plan(snapshot, ret, max);
    if (counting)
        spent.planned_ns += since(begin_ns);
    return n;
}

double __real_eta_predict(struct eta_state *state, enum batch_class class, const struct batch_item *items, uint32_t n);
double __wrap_eta_predict(struct eta_state *state, enum batch_class class, const struct batch_item *items, uint32_t n);
double __wrap_eta_predict(struct eta_state *state, enum batch_class class, const struct batch_item *items, uint32_t n)
{
    if (!counting)
        return __real_eta_predict(state, class, items, n);
    counting = 0; /* what it plans is its own */
    double begin_ns = cpu_ns();
    double predicted_ns = __real_eta_predict(state, class, items, n);
    spent.forecast_ns += since(begin_ns);
    counting = 1;
    return predicted_ns;
}
