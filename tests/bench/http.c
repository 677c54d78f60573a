/* Closed-loop load over loopback: N connections, each sending its next request when the last answer is there.
 *
 *   bench-http --port 3000 [--connections 1,4,16] [--words 8,64,200] [--batch 1] [--seconds 5] [--key KEY] [--texts N]
 *   bench-http --floats                          the float writer alone, no server
 *
 * With --texts each text is drawn at random out of so many, by Zipf's law with exponent 1: the k-th is asked for k
 * times as seldom as the first.
 *
 * Prints per cell: requests/s, tokens/s (as the server counts them), latency p50 and p99, the server's own share of it
 * (total time less queue and inference; whole milliseconds are too coarse, so it is asked of /metrics), and what
 * writing the answer's floats costs, measured here with the same writer.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/wire/float.h"
#include "server/wire/response.h"
#include "tests/bench/closed_loop.h"

enum { HEAD_SIZE = 8192 };

struct settings {
    int port;
    int connections[MAX_LIST];
    int n_connections;
    int words[MAX_LIST];
    int n_words;
    int batch;
    double seconds;
    const char *key;
    int texts;          /* 0: each connection has its own */
    double *cumulative; /* [texts] */
};

struct client {
    pthread_t thread;
    const struct settings *settings;
    char *request;
    size_t request_len;
    int words;
    uint64_t random;
    uint64_t end_ns;
    uint32_t *latencies_us; /* [MAX_SAMPLES] */
    uint32_t n;
    uint64_t tokens;
    uint64_t bytes;
    int failures;
};

static void make_cumulative(struct settings *settings)
{
    double sum = 0;
    settings->cumulative = malloc((size_t)settings->texts * sizeof(double));
    for (int k = 0; k < settings->texts; k++)
        settings->cumulative[k] = sum += 1.0 / (k + 1);
}

/* The number of a text, by Zipf's law. */
static uint32_t draw(struct client *client)
{
    const double *cumulative = client->settings->cumulative;
    int low = 0, high = client->settings->texts - 1;
    double at = next_random(&client->random) * 0x1p-32 * cumulative[high];
    while (low < high) {
        int middle = (low + high) / 2;
        if (cumulative[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return (uint32_t)low;
}

/* Different texts for each connection, so that nothing could be shared, or drawn ones. */
static void make_request(struct client *client, uint64_t seed)
{
    struct buf body = {0};
    buf_puts(&body, "{\"inputs\":[");
    for (int t = 0; t < client->settings->batch; t++) {
        buf_puts(&body, t ? ",\"" : "\"");
        write_text(&body, client->words, client->settings->texts ? draw(client) : seed << 32 | (uint64_t)t);
        buf_puts(&body, "\"");
    }
    buf_puts(&body, "]}");
    struct buf request = {0};
    buf_printf(&request, "POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
    if (client->settings->key)
        buf_printf(&request, "Authorization: Bearer %s\r\n", client->settings->key);
    buf_printf(&request, "Content-Length: %zu\r\n\r\n", body.len);
    buf_append(&request, body.data, body.len);
    free(client->request);
    client->request = buf_take(&request, &client->request_len);
    buf_finish(&body);
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static uint64_t header_number(const char *head, const char *name)
{
    const char *found = strcasestr(head, name);
    return found ? strtoull(found + strlen(name) + 1, NULL, 10) : 0;
}

/* Reads one answer past; its head stays in `head`. False when the connection ended. */
static bool read_answer(int fd, char *head, uint64_t *ret_len)
{
    size_t have = 0;
    char *body = NULL;
    while (!body) {
        ssize_t n = recv(fd, head + have, HEAD_SIZE - 1 - have, 0);
        if (n <= 0)
            return false;
        have += (size_t)n;
        head[have] = '\0';
        body = strstr(head, "\r\n\r\n");
    }
    uint64_t len = header_number(head, "content-length");
    uint64_t got = have - (size_t)(body + 4 - head);
    static _Thread_local char rest[65536];
    while (got < len) {
        ssize_t n = recv(fd, rest, sizeof rest, 0);
        if (n <= 0)
            return false;
        got += (uint64_t)n;
    }
    *ret_len = len;
    return true;
}

static void *run_client(void *cookie)
{
    struct client *client = cookie;
    int fd = connect_to(client->settings->port);
    char head[HEAD_SIZE];
    uint64_t len = 0;
    while (clock_now_ns() < client->end_ns) {
        if (client->settings->texts)
            make_request(client, 0);
        uint64_t begin = clock_now_ns();
        if (send(fd, client->request, client->request_len, MSG_NOSIGNAL) != (ssize_t)client->request_len ||
            !read_answer(fd, head, &len) || strncmp(head, "HTTP/1.1 200", 12) != 0) {
            client->failures++;
            close(fd);
            fd = connect_to(client->settings->port);
            continue;
        }
        if (client->n < MAX_SAMPLES)
            client->latencies_us[client->n++] = (uint32_t)((clock_now_ns() - begin) / 1000);
        client->tokens += header_number(head, "x-compute-tokens");
        client->bytes += len;
    }
    close(fd);
    return NULL;
}

/* The sum of a histogram, 0 when the server does not answer. */
static double metric(int port, const char *name)
{
    static char text[65536];
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    int fd = connect_to(port);
    size_t have = 0;
    ssize_t n = send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
    while (n > 0 && have < sizeof text - 1 && (n = recv(fd, text + have, sizeof text - 1 - have, 0)) > 0)
        have += (size_t)n;
    close(fd);
    text[have] = '\0';
    const char *found = strstr(text, name);
    return found ? strtod(found + strlen(name), NULL) : 0;
}

static double float_ns(void)
{
    enum { N = 1 << 16, ROUNDS = 20 };
    static float values[N];
    struct buf buf = {0};
    for (uint32_t i = 0; i < N; i++)
        values[i] = ((float)(i * 2654435761u >> 8) / 16777216.0f - 0.5f) * 0.25f;
    uint64_t begin = clock_now_ns();
    for (int r = 0; r < ROUNDS; r++) {
        buf.len = 0;
        wire_write_floats(&buf, values, N);
    }
    double ns = (double)(clock_now_ns() - begin) / N / ROUNDS;
    buf_finish(&buf);
    return ns;
}

static void bench_floats(void)
{
    enum { N = 1 << 16, ROUNDS = 20 };
    static float values[N];
    char text[64];
    size_t bytes = 0;
    for (uint32_t i = 0; i < N; i++)
        values[i] = ((float)(i * 2654435761u >> 8) / 16777216.0f - 0.5f) * 0.25f;
    for (uint32_t i = 0; i < N; i++)
        bytes += (size_t)(wire_float_write(text, values[i]) - text) + 1;
    double ours = float_ns();
    uint64_t begin = clock_now_ns();
    size_t theirs_bytes = 0;
    for (uint32_t i = 0; i < N; i++)
        theirs_bytes += (size_t)snprintf(text, sizeof text, "%.9g", (double)values[i]) + 1;
    double theirs = (double)(clock_now_ns() - begin) / N;
    printf("wire_write_floats  %6.1f ns/float  %7.0f MB/s  %.1f bytes/float\n", ours, (double)bytes / N / ours * 1000,
           (double)bytes / N);
    printf("snprintf %%.9g      %6.1f ns/float  %7.0f MB/s  %.1f bytes/float\n", theirs,
           (double)theirs_bytes / N / theirs * 1000, (double)theirs_bytes / N);
}

static void run_cell(const struct settings *settings, int connections, int words)
{
    struct client *clients = calloc((size_t)connections, sizeof *clients);
    double duration = metric(settings->port, "te_request_duration_sum ");
    double waited = metric(settings->port, "te_request_queue_duration_sum ") +
                    metric(settings->port, "te_request_inference_duration_sum ");
    uint64_t begin = clock_now_ns();
    for (int i = 0; i < connections; i++) {
        clients[i] = (struct client){.settings = settings,
                                     .words = words,
                                     .random = (uint64_t)i * 2654435761u + begin,
                                     .end_ns = begin + (uint64_t)(settings->seconds * 1e9)};
        clients[i].latencies_us = malloc(MAX_SAMPLES * sizeof(uint32_t));
        make_request(&clients[i], (uint64_t)i);
        pthread_create(&clients[i].thread, NULL, run_client, &clients[i]);
    }
    uint64_t n = 0;
    uint64_t tokens = 0;
    uint64_t bytes = 0;
    int failures = 0;
    for (int i = 0; i < connections; i++) {
        pthread_join(clients[i].thread, NULL);
        n += clients[i].n;
        tokens += clients[i].tokens;
        bytes += clients[i].bytes;
        failures += clients[i].failures;
    }
    double seconds = (double)(clock_now_ns() - begin) * 1e-9;
    uint32_t *all = malloc((n + 1) * sizeof *all);
    uint64_t at = 0;
    for (int i = 0; i < connections; i++) {
        memcpy(all + at, clients[i].latencies_us, clients[i].n * sizeof *all);
        at += clients[i].n;
        free(clients[i].latencies_us);
        free(clients[i].request);
    }
    qsort(all, n, sizeof *all, compare);
    duration = metric(settings->port, "te_request_duration_sum ") - duration;
    waited = metric(settings->port, "te_request_queue_duration_sum ") +
             metric(settings->port, "te_request_inference_duration_sum ") - waited;
    double each_us = n ? (duration - waited) / (double)n * 1e6 : 0;
    double write_us = n ? (double)bytes / (double)n / 12.1 * float_ns() * 1e-3 : 0; /* 12.1 bytes a float */
    printf("%5d connections %4d words x %d: %9.1f requests/s %10.0f tokens/s  p50 %8.2f ms  p99 %8.2f ms  "
           "around the boards %6.0f us, of it floats %5.0f us  failed %d\n",
           connections, words, settings->batch, (double)n / seconds, (double)tokens / seconds,
           n ? all[n / 2] * 1e-3 : 0, n ? all[n * 99 / 100] * 1e-3 : 0, each_us, write_us, failures);
    free(all);
    free(clients);
}

static int usage(FILE *file, int status)
{
    fprintf(file, "usage: bench-http --port PORT [--connections N,..] [--words N,..] [--batch N] [--seconds S] "
                  "[--key KEY] [--texts N] | --floats\n");
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"port", 1, 0, 'p'},  {"connections", 1, 0, 'c'}, {"words", 1, 0, 'w'},
                                            {"batch", 1, 0, 'b'}, {"seconds", 1, 0, 's'},     {"key", 1, 0, 'k'},
                                            {"texts", 1, 0, 't'}, {"floats", 0, 0, 'f'},      {"help", 0, 0, 'h'},
                                            {0, 0, 0, 0}};
    struct settings settings = {
        .connections = {1, 4, 16}, .n_connections = 3, .words = {8, 64}, .n_words = 2, .batch = 1, .seconds = 5};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 'f')
            return bench_floats(), 0;
        if (option == 'h')
            return usage(stdout, 0);
        if (option == 'p')
            settings.port = atoi(optarg);
        else if (option == 'c')
            settings.n_connections = parse_list(optarg, settings.connections);
        else if (option == 'w')
            settings.n_words = parse_list(optarg, settings.words);
        else if (option == 'b')
            settings.batch = atoi(optarg);
        else if (option == 's')
            settings.seconds = atof(optarg);
        else if (option == 'k')
            settings.key = optarg;
        else if (option == 't')
            settings.texts = atoi(optarg);
        else
            return usage(stderr, 2);
    }
    if (!settings.port || settings.texts < 0)
        return usage(stderr, 2);
    if (settings.texts > 0)
        make_cumulative(&settings);
    for (int w = 0; w < settings.n_words; w++)
        for (int c = 0; c < settings.n_connections; c++)
            run_cell(&settings, settings.connections[c], settings.words[w]);
    return 0;
}
