#include "clients/cli/load.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "clients/cli/stop.h"
#include "clients/cli/terminal.h"

/* A request under way: when it was, or should have been, sent. */
struct shot {
    double due;
    struct shot *next; /* of those that are free */
};

struct run {
    const struct cli_load *load;
    struct cli_load_result *result;
    struct bertd_queue *queue;
    struct shot *shots;
    struct shot *free;
    double begin; /* of what counts */
    double end;
    double due; /* open loop: the next one */
    double last;
    double counted; /* requests sent that count */
    uint64_t random;
    size_t sent;
};

/* From 0, which it is not, to 1. */
static double chance(struct run *run)
{
    run->random = run->random * 6364136223846793005u + 1442695040888963407u;
    return ((double)(run->random >> 11) + 1) / 9007199254740993.0;
}

static double gap(struct run *run)
{
    return run->load->constant ? 1 / run->load->rate : -log(chance(run)) / run->load->rate;
}

static bool more(const struct run *run, double now)
{
    bool enough = run->load->requests > 0 && run->counted >= run->load->requests;
    return !enough && !cli_stopped() && (run->load->rate > 0 ? run->due : now) < run->end;
}

static bool shoot(struct run *run, double due, struct bertd_error *error)
{
    const struct cli_load *load = run->load;
    struct shot *shot = run->free;
    struct bertd_call *call;
    const char *const *texts = load->texts + run->sent++ * load->batch % load->n_texts;
    if (bertd_submit_embed(run->queue, texts, NULL, load->batch, &load->call, shot, &call, error) != BERTD_OK)
        return false;
    run->free = shot->next;
    shot->due = due;
    run->counted += due >= run->begin;
    size_t pending = bertd_queue_pending(run->queue);
    if (pending > run->result->most_at_once)
        run->result->most_at_once = pending;
    return true;
}

/* Send what is due. A request that had to wait for its turn here is late already. */
static bool shoot_due(struct run *run, struct bertd_error *error)
{
    bool good = true;
    if (run->load->rate > 0) {
        while (good && run->free && run->due <= cli_now() && more(run, run->due)) {
            good = shoot(run, run->due, error);
            run->due += gap(run);
        }
        return good;
    }
    for (double now = cli_now(); good && run->free && more(run, now); now = cli_now())
        good = shoot(run, now, error);
    return good;
}

static void note(struct run *run, struct bertd_call *call)
{
    struct shot *shot = bertd_call_cookie(call);
    struct bertd_error error = {0};
    double now = cli_now();
    enum bertd_status status = bertd_call_status(call, &error);
    bertd_call_destroy(&call);
    if (shot->due >= run->begin) {
        run->last = now;
        if (status == BERTD_OK) {
            cli_histogram_add(&run->result->latency, now - shot->due);
        } else {
            run->result->failed[(unsigned)status % CLI_LOAD_STATUSES]++;
            run->result->n_failed++;
            run->result->last_error = error;
        }
    }
    shot->next = run->free;
    run->free = shot;
}

static bool work(struct run *run, struct bertd_error *error)
{
    for (;;) {
        if (!shoot_due(run, error))
            return false;
        double now = cli_now();
        bool going = more(run, now);
        if (cli_stopped() || (!going && bertd_queue_pending(run->queue) == 0))
            return true;
        double wait = going && run->load->rate > 0 && run->free ? run->due - now : 0.1;
        int ms = wait < 0 ? 0 : wait > 0.1 ? 100 : (int)(wait * 1000);
        if (bertd_queue_pending(run->queue) == 0) { /* nothing to wait for but the next one's time */
            cli_sleep(wait < 0.1 ? wait : 0.1);
            continue;
        }
        struct bertd_call *call = bertd_queue_wait(run->queue, ms);
        for (; call; call = bertd_queue_poll(run->queue))
            note(run, call);
    }
}

bool cli_load_run(const struct cli_load *load, struct cli_load_result *result, struct bertd_error *error)
{
    size_t n = load->rate > 0 ? CLI_LOAD_AT_ONCE : load->concurrency;
    struct run run = {.load = load, .result = result, .random = load->seed * 2654435761u + 1};
    run.shots = calloc(n, sizeof *run.shots);
    bool good = run.shots && bertd_queue_create(load->client, &run.queue, error) == BERTD_OK;
    for (size_t i = 0; good && i < n; i++) {
        run.shots[i].next = run.free;
        run.free = &run.shots[i];
    }
    double now = cli_now();
    run.begin = run.last = now + load->warmup;
    run.end = run.begin + load->duration;
    run.due = now;
    good = good && work(&run, error);
    result->seconds = run.last - run.begin;
    result->stopped = cli_stopped();
    bertd_queue_destroy(&run.queue);
    free(run.shots);
    return good;
}
