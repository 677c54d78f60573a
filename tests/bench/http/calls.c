/* Unary calls in closed loops, all connections on one thread. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/bench/http/surfaces.h"

enum { MAX_SAMPLES = 1 << 20, MAX_EVENTS = 64 };

/* Microseconds of one call: as the client saw it and as the server says, what the two together tell. */
enum figure { CLIENT, OWN, BEYOND, QUEUE, INFERENCE, FIGURES };

static const char *const figure_names[FIGURES] = {"client", "own", "beyond", "queue", "inference"};

struct sample {
    float us[FIGURES];
};

struct connection {
    struct h1 h1;
    struct h2 *h2; /* NULL: h1 */
    struct h2_stream stream;
    struct answer answer; /* of h1 */
    uint64_t begin_ns;    /* of its call */
};

struct run {
    const struct calls *calls;
    struct request *requests; /* [n_requests], asked for in turn by all */
    unsigned n_requests, next;
    struct connection *connections; /* [calls->connections] */
    struct sample *samples;         /* [MAX_SAMPLES] */
    uint32_t n_samples;
    uint64_t begin_ns, end_ns;
    uint64_t n, tokens, bytes, failed; /* but for failed: what ended in the window */
    double begin_cpu[2], end_cpu[2];   /* of the client and the server */
};

static void note(struct run *run, const struct answer *answer, uint64_t begin_ns, uint64_t now_ns)
{
    const struct calls *calls = run->calls;
    struct times times;
    if (!answer_check(calls->surface, answer, &times)) {
        run->failed++;
        return;
    }
    if (calls->reads && answer_read(calls->surface, answer) == 0)
        run->failed++;
    if (now_ns < run->begin_ns || now_ns > run->end_ns)
        return;
    run->n++;
    run->bytes += answer->body.len;
    run->tokens += answer->tokens;
    if (run->n_samples == MAX_SAMPLES)
        return;
    double seen = (double)(now_ns - begin_ns) * 1e-3;
    float *us = run->samples[run->n_samples++].us;
    us[CLIENT] = (float)seen;
    us[OWN] = (float)(times.total - times.queue - times.inference);
    us[BEYOND] = (float)(seen - times.total);
    us[QUEUE] = (float)times.queue;
    us[INFERENCE] = (float)times.inference;
}

static void ask(struct run *run, struct connection *connection)
{
    const struct request *request = &run->requests[run->next++ % run->n_requests];
    if (run->calls->pause_us > 0)
        usleep((useconds_t)run->calls->pause_us);
    connection->answer.code = 0;
    connection->answer.timing[0] = '\0';
    connection->begin_ns = clock_now_ns();
    bool fine =
        connection->h2 ? h2_ask(connection->h2, &connection->stream, request) : h1_ask(&connection->h1, request);
    if (!fine)
        fail("the server has closed a connection");
}

/* What the server says on a connection; true when that was the last of it. */
static bool hear(struct run *run, struct connection *connection)
{
    bool done = false, fine = connection->h2 ? h2_hear(connection->h2, &connection->stream, &done)
                                             : h1_hear(&connection->h1, &connection->answer, &done);
    if (!fine)
        fail("the server has closed a connection");
    if (!done)
        return false;
    uint64_t now = clock_now_ns();
    note(run, connection->h2 ? &connection->stream.answer : &connection->answer, connection->begin_ns, now);
    if (now >= run->end_ns)
        return true;
    ask(run, connection);
    return false;
}

static void open_connection(struct connection *connection, const struct calls *calls, int epoll)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (calls->surface->h2)
        connection->h2 = h2_open(calls->port);
    else
        connection->h1.fd = socket_open(calls->port);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->h2 ? connection->h2->fd : connection->h1.fd, &event) != 0)
        fail("no memory for %d connections", calls->connections);
}

static void close_connection(struct connection *connection)
{
    buf_finish(&connection->answer.body);
    buf_finish(&connection->stream.answer.body);
    if (connection->h2)
        h2_close(connection->h2);
    else
        close(connection->h1.fd);
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
static void report_figure(const struct run *run, enum figure figure)
{
    size_t n = run->n_samples;
    float *all = calloc(n + 1, sizeof *all);
    if (!all)
        fail("no memory");
    for (size_t s = 0; s < n; s++)
        all[s] = run->samples[s].us[figure];
    qsort(all, n, sizeof *all, compare);
    printf(", \"%s_p50_us\": %.1f, \"%s_p90_us\": %.1f, \"%s_p99_us\": %.1f", figure_names[figure],
           quantile(all, n, 0.5), figure_names[figure], quantile(all, n, 0.9), figure_names[figure],
           quantile(all, n, 0.99));
    free(all);
}

static void report(const struct run *run)
{
    const struct calls *calls = run->calls;
    double n = run->n > 0 ? (double)run->n : 1;
    printf("{\"surface\": \"%s\", \"connections\": %d, \"texts\": %d, \"seconds\": %.3f, \"requests\": %llu, "
           "\"failed\": %llu, \"rate\": %.2f, \"tokens_per_s\": %.1f, \"bytes\": %.0f, \"client_cpu_us\": %.1f, "
           "\"server_cpu_us\": %.1f",
           calls->surface->name, calls->connections, calls->n_texts, calls->seconds, (unsigned long long)run->n,
           (unsigned long long)run->failed, (double)run->n / calls->seconds, (double)run->tokens / calls->seconds,
           (double)run->bytes / n, (run->end_cpu[0] - run->begin_cpu[0]) * 1e6 / n,
           (run->end_cpu[1] - run->begin_cpu[1]) * 1e6 / n);
    for (int f = 0; f < FIGURES; f++)
        report_figure(run, (enum figure)f);
    printf("}\n");
}

/* ------------------------------------------------------------------------------------------------------------------*/

static void make_requests(struct run *run)
{
    const struct calls *calls = run->calls;
    int n = calls->texts->n_lengths / calls->n_texts;
    run->n_requests = n > 0 ? (unsigned)n : 1;
    run->requests = calloc(run->n_requests, sizeof *run->requests);
    if (!run->requests)
        fail("no memory");
    for (int r = 0; r < (int)run->n_requests; r++)
        request_make(&run->requests[r], calls->surface, calls->texts, r * calls->n_texts, calls->n_texts);
}

/* When each end of the window is passed. */
static void read_cpu(const struct run *run, double cpu[2])
{
    cpu[0] = own_cpu();
    cpu[1] = cpu_of(run->calls->pid);
}

static void loop(struct run *run, int epoll)
{
    struct epoll_event events[MAX_EVENTS];
    int left = run->calls->connections;
    bool begun = false, ended = false;
    for (int c = 0; c < left; c++)
        ask(run, &run->connections[c]);
    events[0].data.ptr = run->connections;
    while (left > 0) {
        int n = run->calls->connections > 1 ? epoll_wait(epoll, events, MAX_EVENTS, -1) : 1; /* one waits as it reads */
        for (int e = 0; e < n; e++)
            left -= hear(run, events[e].data.ptr);
        uint64_t now = clock_now_ns();
        if (!begun && now >= run->begin_ns)
            read_cpu(run, run->begin_cpu);
        if (!ended && now >= run->end_ns)
            read_cpu(run, run->end_cpu);
        begun = now >= run->begin_ns;
        ended = now >= run->end_ns;
    }
}

void calls_run(const struct calls *calls)
{
    struct run run = {.calls = calls};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    run.connections = calloc((size_t)calls->connections, sizeof *run.connections);
    run.samples = calloc(MAX_SAMPLES, sizeof *run.samples);
    if (epoll < 0 || !run.connections || !run.samples)
        fail("no memory for %d connections", calls->connections);
    make_requests(&run);
    for (int c = 0; c < calls->connections; c++)
        open_connection(&run.connections[c], calls, epoll);
    run.begin_ns = clock_now_ns() + (uint64_t)(calls->warmup * 1e9);
    run.end_ns = run.begin_ns + (uint64_t)(calls->seconds * 1e9);
    loop(&run, epoll);
    report(&run);
    for (int c = 0; c < calls->connections; c++)
        close_connection(&run.connections[c]);
    for (unsigned r = 0; r < run.n_requests; r++)
        free(run.requests[r].body);
    free(run.requests);
    free(run.samples);
    free(run.connections);
    close(epoll);
}
