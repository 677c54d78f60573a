/* What libbertd costs. Closed-loop load like bench-http's, through one client that all threads share; then calls of one
 * text by the library and by libcurl alone in turn, on a server with nothing else to do.
 *
 *   bench-client --port 3000 [--connections 1,4,16] [--words 8,64] [--batch 1] [--seconds 5] [--calls 20000]
 *
 * The cells are those of bench-http, so the two can be held against each other. --calls 0 leaves the second part out.
 */
#include <curl/curl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "clients/c/bertd.h"
#include "clients/c/proto.h"
#include "tests/bench/closed_loop.h"

enum { MAX_WIDTH = 4096, WARM_UP = 200 };

struct settings {
    char address[64];
    int connections[MAX_LIST];
    int n_connections;
    int words[MAX_LIST];
    int n_words;
    int batch;
    double seconds;
    int calls;
};

struct worker {
    pthread_t thread;
    struct bertd_client *client;
    char **texts; /* [batch] */
    int batch;
    uint64_t end_ns;
    uint32_t *latencies_us; /* [MAX_SAMPLES] */
    uint32_t n;
    uint64_t tokens;
    int failures;
};

/* The words that bench-http sends. */
static char *make_text(int words, uint64_t seed)
{
    struct buf text = {0};
    size_t len = 0;
    write_text(&text, words, seed);
    buf_append(&text, "", 1);
    return buf_take(&text, &len);
}

static struct bertd_client *connect_to(const struct settings *settings)
{
    struct bertd_options options = bertd_options_default();
    struct bertd_client *client = NULL;
    struct bertd_error err;
    const char *address = settings->address;
    options.endpoints = &address;
    options.n_endpoints = 1;
    options.retries = BERTD_NO_RETRIES;
    if (bertd_client_create(&client, &options, &err) != BERTD_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    return client;
}

static void *run_worker(void *cookie)
{
    struct worker *worker = cookie;
    while (clock_now_ns() < worker->end_ns) {
        struct bertd_embeddings *found = NULL;
        uint64_t begin = clock_now_ns();
        if (bertd_embed(worker->client, (const char *const *)worker->texts, NULL, (size_t)worker->batch, NULL, &found,
                        NULL) != BERTD_OK) {
            worker->failures++;
            continue;
        }
        if (worker->n < MAX_SAMPLES)
            worker->latencies_us[worker->n++] = (uint32_t)((clock_now_ns() - begin) / 1000);
        worker->tokens += found->total_tokens;
        bertd_free(found);
    }
    return NULL;
}

static void start(struct worker *worker, const struct settings *settings, struct bertd_client *client, int words,
                  uint64_t seed)
{
    *worker = (struct worker){.client = client, .batch = settings->batch};
    worker->end_ns = clock_now_ns() + (uint64_t)(settings->seconds * 1e9);
    worker->texts = calloc((size_t)settings->batch, sizeof *worker->texts);
    worker->latencies_us = malloc(MAX_SAMPLES * sizeof *worker->latencies_us);
    for (int t = 0; t < settings->batch; t++)
        worker->texts[t] = make_text(words, seed << 32 | (uint64_t)t);
    pthread_create(&worker->thread, NULL, run_worker, worker);
}

static void run_cell(const struct settings *settings, int connections, int words)
{
    struct bertd_client *client = connect_to(settings);
    struct worker *workers = calloc((size_t)connections, sizeof *workers);
    uint32_t *all = malloc((size_t)connections * MAX_SAMPLES * sizeof *all);
    uint64_t n = 0, tokens = 0, begin = clock_now_ns();
    double cpu = cpu_seconds();
    int failures = 0;
    for (int i = 0; i < connections; i++)
        start(&workers[i], settings, client, words, (uint64_t)i);
    for (int i = 0; i < connections; i++) {
        struct worker *worker = &workers[i];
        pthread_join(worker->thread, NULL);
        memcpy(all + n, worker->latencies_us, worker->n * sizeof *all);
        n += worker->n;
        tokens += worker->tokens;
        failures += worker->failures;
        for (int t = 0; t < worker->batch; t++)
            mem_free(worker->texts[t]);
        free(worker->texts);
        free(worker->latencies_us);
    }
    double seconds = (double)(clock_now_ns() - begin) * 1e-9;
    qsort(all, n, sizeof *all, compare);
    printf("%5d connections %4d words x %d: %9.1f requests/s %10.0f tokens/s  p50 %8.2f ms  p99 %8.2f ms  "
           "client's CPU %6.0f us a request  failed %d\n",
           connections, words, settings->batch, (double)n / seconds, (double)tokens / seconds,
           n ? all[n / 2] * 1e-3 : 0, n ? all[n * 99 / 100] * 1e-3 : 0, n ? (cpu_seconds() - cpu) / (double)n * 1e6 : 0,
           failures);
    free(all);
    free(workers);
    bertd_client_destroy(&client);
}

static size_t count_bytes(char *data, size_t size, size_t n, void *cookie)
{
    (void)data;
    *(size_t *)cookie += size * n;
    return size * n;
}

/* libcurl alone, with the request that the library sends. */
static CURL *open_raw(const struct settings *settings, struct bertd_bytes *body, struct curl_slist **headers,
                      size_t *received)
{
    char url[128];
    CURL *easy = curl_easy_init();
    snprintf(url, sizeof url, "%s/bertd.v1.Embeddings/EmbedBatch", settings->address);
    *headers = curl_slist_append(NULL, "Content-Type: application/proto");
    *headers = curl_slist_append(*headers, "Connect-Protocol-Version: 1");
    *headers = curl_slist_append(*headers, "Connect-Timeout-Ms: 60000");
    *headers = curl_slist_append(*headers, "Expect:");
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body->data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, received);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    return easy;
}

static uint32_t median(uint32_t *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[n / 2];
}

/* By turns, so that whatever else the machine does meets both. */
static void compare_calls(const struct settings *settings)
{
    static float vector[MAX_WIDTH];
    struct bertd_memory memory = bertd_memory_default();
    struct bertd_bytes body = {.memory = &memory};
    struct bertd_client *client = connect_to(settings);
    struct curl_slist *headers = NULL;
    uint32_t *ours = calloc((size_t)settings->calls, sizeof *ours), *raw = calloc((size_t)settings->calls, sizeof *raw);
    size_t received = 0;
    char *text = make_text(8, 1);
    bertd_proto_write_text(&body, text, strlen(text));
    CURL *easy = open_raw(settings, &body, &headers, &received);
    for (int i = -WARM_UP; i < settings->calls; i++) {
        struct bertd_error err;
        uint64_t begin = clock_now_ns();
        if (bertd_embed_one(client, text, NULL, vector, MAX_WIDTH, NULL, &err) != BERTD_OK) {
            fprintf(stderr, "%s\n", err.message);
            exit(1);
        }
        uint64_t middle = clock_now_ns();
        if (curl_easy_perform(easy) != CURLE_OK) {
            fprintf(stderr, "libcurl alone failed\n");
            exit(1);
        }
        uint64_t end = clock_now_ns();
        if (i < 0)
            continue;
        ours[i] = (uint32_t)(middle - begin);
        raw[i] = (uint32_t)(end - middle);
    }
    double ours_us = median(ours, settings->calls) * 1e-3, raw_us = median(raw, settings->calls) * 1e-3;
    printf("one call, median of %d: libbertd %.1f us, libcurl alone %.1f us: %.1f us more\n", settings->calls, ours_us,
           raw_us, ours_us - raw_us);
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    bertd_bytes_finish(&body);
    mem_free(text);
    free(ours);
    free(raw);
    bertd_client_destroy(&client);
}

static int usage(FILE *file, int status)
{
    fprintf(file, "usage: bench-client --port PORT [--connections N,..] [--words N,..] [--batch N] [--seconds S] "
                  "[--calls N]\n");
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", 1, 0, 'p'},    {"connections", 1, 0, 'c'}, {"words", 1, 0, 'w'}, {"batch", 1, 0, 'b'},
        {"seconds", 1, 0, 's'}, {"calls", 1, 0, 'n'},       {"help", 0, 0, 'h'},  {0, 0, 0, 0}};
    struct settings settings = {.connections = {1, 4, 16},
                                .n_connections = 3,
                                .words = {8, 64},
                                .n_words = 2,
                                .batch = 1,
                                .seconds = 5,
                                .calls = 20000};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 'p')
            snprintf(settings.address, sizeof settings.address, "http://127.0.0.1:%d", atoi(optarg));
        else if (option == 'c')
            settings.n_connections = parse_list(optarg, settings.connections);
        else if (option == 'w')
            settings.n_words = parse_list(optarg, settings.words);
        else if (option == 'b')
            settings.batch = atoi(optarg);
        else if (option == 's')
            settings.seconds = atof(optarg);
        else if (option == 'n')
            settings.calls = atoi(optarg);
        else
            return option == 'h' ? usage(stdout, 0) : usage(stderr, 2);
    }
    if (!settings.address[0] || settings.batch < 1 || settings.calls < 0)
        return usage(stderr, 2);
    for (int w = 0; w < settings.n_words; w++)
        for (int c = 0; c < settings.n_connections; c++)
            run_cell(&settings, settings.connections[c], settings.words[w]);
    if (settings.calls > 0)
        compare_calls(&settings);
    return 0;
}
