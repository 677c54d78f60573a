/* Unary calls in closed loops, one thread a connection. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/bench/http/surfaces.h"

enum { MAX_SAMPLES = 1 << 18 };

/* Microseconds of one call: as the client saw it and as the server says, what the two together tell. */
enum figure { CLIENT, OWN, BEYOND, QUEUE, INFERENCE, FIGURES };

static const char *const figure_names[FIGURES] = {"client", "own", "beyond", "queue", "inference"};

struct sample {
    float us[FIGURES];
};

struct client {
    pthread_t thread;
    struct run *run;
    struct sample *samples; /* [MAX_SAMPLES] */
    uint32_t n_samples;
    uint64_t n, tokens, bytes, failed; /* but for failed: what ended in the window */
};

struct run {
    const struct calls *calls;
    struct request *requests; /* [n_requests], asked for in turn by all */
    int n_requests;
    atomic_uint next;
    uint64_t begin_ns, end_ns;
};

static bool call(int fd, struct h2 *h2, const struct request *request, struct answer *answer)
{
    answer->code = 0;
    answer->timing[0] = '\0';
    return h2 ? h2_call(h2, request, answer) : h1_call(fd, request, answer);
}

static void note(struct client *client, const struct answer *answer, uint64_t begin_ns, uint64_t now_ns)
{
    const struct calls *calls = client->run->calls;
    struct times times;
    if (!answer_check(calls->surface, answer, &times)) {
        client->failed++;
        return;
    }
    if (calls->reads && answer_read(calls->surface, answer) == 0)
        client->failed++;
    if (now_ns < client->run->begin_ns || now_ns > client->run->end_ns)
        return;
    client->n++;
    client->bytes += answer->body.len;
    client->tokens += answer->tokens;
    if (client->n_samples == MAX_SAMPLES)
        return;
    double seen = (double)(now_ns - begin_ns) * 1e-3;
    float *us = client->samples[client->n_samples++].us;
    us[CLIENT] = (float)seen;
    us[OWN] = (float)(times.total - times.queue - times.inference);
    us[BEYOND] = (float)(seen - times.total);
    us[QUEUE] = (float)times.queue;
    us[INFERENCE] = (float)times.inference;
}

static void *run_client(void *cookie)
{
    struct client *client = cookie;
    struct run *run = client->run;
    const struct calls *calls = run->calls;
    struct answer answer = {0};
    struct h2 *h2 = calls->surface->h2 ? h2_open(calls->port) : NULL;
    int fd = h2 ? -1 : socket_open(calls->port);
    while (clock_now_ns() < run->end_ns) {
        const struct request *request = &run->requests[atomic_fetch_add(&run->next, 1) % (unsigned)run->n_requests];
        if (calls->pause_us > 0)
            usleep((useconds_t)calls->pause_us);
        uint64_t begin = clock_now_ns();
        if (!call(fd, h2, request, &answer))
            fail("the server has closed a connection");
        note(client, &answer, begin, clock_now_ns());
    }
    buf_finish(&answer.body);
    if (h2)
        h2_close(h2);
    else
        close(fd);
    return NULL;
}

/* Figures ----------------------------------------------------------------------------------------------------------*/

static double own_cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static double cpu_of(int pid)
{
    clockid_t clock;
    struct timespec time;
    if (!pid || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0)
        return 0;
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static float quantile(const float *sorted, size_t n, double share)
{
    return n ? sorted[(size_t)((double)(n - 1) * share)] : 0;
}

/* The median and other quantiles of a figure. */
static void report_figure(const struct client *clients, int n_clients, enum figure figure, size_t n)
{
    float *all = calloc(n + 1, sizeof *all);
    size_t at = 0;
    if (!all)
        fail("no memory");
    for (int c = 0; c < n_clients; c++)
        for (uint32_t s = 0; s < clients[c].n_samples; s++)
            all[at++] = clients[c].samples[s].us[figure];
    qsort(all, n, sizeof *all, compare);
    printf(", \"%s_p50_us\": %.1f, \"%s_p90_us\": %.1f, \"%s_p99_us\": %.1f", figure_names[figure],
           quantile(all, n, 0.5), figure_names[figure], quantile(all, n, 0.9), figure_names[figure],
           quantile(all, n, 0.99));
    free(all);
}

static void report(const struct run *run, const struct client *clients, double client_cpu, double server_cpu)
{
    const struct calls *calls = run->calls;
    uint64_t n = 0, tokens = 0, bytes = 0, failed = 0;
    size_t n_samples = 0;
    for (int c = 0; c < calls->connections; c++) {
        n_samples += clients[c].n_samples;
        n += clients[c].n;
        tokens += clients[c].tokens;
        bytes += clients[c].bytes;
        failed += clients[c].failed;
    }
    printf("{\"surface\": \"%s\", \"connections\": %d, \"texts\": %d, \"seconds\": %.3f, \"requests\": %llu, "
           "\"failed\": %llu, \"rate\": %.2f, \"tokens_per_s\": %.1f, \"bytes\": %.0f, \"client_cpu_us\": %.1f, "
           "\"server_cpu_us\": %.1f",
           calls->surface->name, calls->connections, calls->n_texts, calls->seconds, (unsigned long long)n,
           (unsigned long long)failed, (double)n / calls->seconds, (double)tokens / calls->seconds,
           n ? (double)bytes / (double)n : 0, n ? client_cpu * 1e6 / (double)n : 0,
           n ? server_cpu * 1e6 / (double)n : 0);
    for (int f = 0; f < FIGURES; f++)
        report_figure(clients, calls->connections, (enum figure)f, n_samples);
    printf("}\n");
}

static void sleep_until(uint64_t at_ns)
{
    uint64_t now = clock_now_ns();
    if (now < at_ns)
        usleep((useconds_t)((at_ns - now) / 1000));
}

static void make_requests(struct run *run)
{
    const struct calls *calls = run->calls;
    run->n_requests = calls->texts->n_lengths / calls->n_texts;
    run->n_requests = run->n_requests > 0 ? run->n_requests : 1;
    run->requests = calloc((size_t)run->n_requests, sizeof *run->requests);
    if (!run->requests)
        fail("no memory");
    for (int r = 0; r < run->n_requests; r++)
        request_make(&run->requests[r], calls->surface, calls->texts, r * calls->n_texts, calls->n_texts);
}

void calls_run(const struct calls *calls)
{
    struct run run = {.calls = calls};
    struct client *clients = calloc((size_t)calls->connections, sizeof *clients);
    if (!clients)
        fail("no memory");
    make_requests(&run);
    run.begin_ns = clock_now_ns() + (uint64_t)(calls->warmup * 1e9);
    run.end_ns = run.begin_ns + (uint64_t)(calls->seconds * 1e9);
    for (int c = 0; c < calls->connections; c++) {
        clients[c] = (struct client){.run = &run, .samples = calloc(MAX_SAMPLES, sizeof(struct sample))};
        if (!clients[c].samples || pthread_create(&clients[c].thread, NULL, run_client, &clients[c]) != 0)
            fail("no memory for %d connections", calls->connections);
    }
    sleep_until(run.begin_ns);
    double client_cpu = own_cpu(), server_cpu = cpu_of(calls->pid);
    sleep_until(run.end_ns);
    client_cpu = own_cpu() - client_cpu;
    server_cpu = cpu_of(calls->pid) - server_cpu;
    for (int c = 0; c < calls->connections; c++)
        pthread_join(clients[c].thread, NULL);
    report(&run, clients, client_cpu, server_cpu);
    for (int c = 0; c < calls->connections; c++)
        free(clients[c].samples);
    for (int r = 0; r < run.n_requests; r++)
        free(run.requests[r].body);
    free(run.requests);
    free(clients);
}
