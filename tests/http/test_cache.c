/* --cache-bytes of a running server: the same bytes as without, headers and metrics that tell of it. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/client.h"
#include "tests/http/process.h"

#define OPTIONS "--boards 2 --drain-seconds 0 --request-timeout-ms 0 "
#define WORDS   "the quick brown fox jumps over the lazy dog "

PROCESS_MAIN
{
    return process_main(argc, argv, OPTIONS "--cache-bytes 1000000");
}

static const struct request {
    const char *path, *body;
    int inputs; /* whose vectors are kept */
} requests[] = {
    {"/embed", "{\"inputs\":\"a text\"}", 1},
    {"/embed", "{\"inputs\":[\"a text\",\"another\",\"a text\",\"one more\"]}", 4},
    {"/embed", "{\"inputs\":[\"another\"],\"normalize\":false}", 1},
    {"/embed", "{\"inputs\":[\"another\",\"a text\"],\"dimensions\":7}", 2},
    {"/embed", "{\"inputs\":[[101,1037,3793,102]]}", 1},
    {"/embed", "{\"inputs\":\"" WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS "\"}", 1},
    {"/embed",
     "{\"chunk\":true,\"inputs\":[\"short\",\"" WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS
         WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS
             WORDS WORDS WORDS WORDS "\"]}",
     2},
    {"/embed_all", "{\"inputs\":\"a text\"}", 0},
};
enum { N_REQUESTS = sizeof requests / sizeof *requests };

static struct answer ask(int port, int index)
{
    struct answer answer = client_post(port, requests[index].path, requests[index].body);
    cr_assert_eq(answer.code, 200, "%d: %s", index, answer.body);
    return answer;
}

static void expect_same(struct answer answer, const struct answer *right, int index)
{
    cr_expect(answer.len == right->len && memcmp(answer.body, right->body, right->len) == 0, "%d", index);
    client_free(&answer);
}

/* And what it costs, by the header. */
static void expect_same_cost(int port, const struct answer *right, int index, int cached)
{
    struct answer answer = ask(port, index);
    int tokens = atoi(client_header(right, "x-compute-tokens"));
    cr_expect_eq(atoi(client_header(&answer, "x-compute-tokens")), tokens, "%d", index);
    cr_expect_eq(atoi(client_header(&answer, "x-cached-count")), cached, "%d", index);
    expect_same(answer, right, index);
}

static void learn(struct answer *right)
{
    struct process plain = process_start(OPTIONS);
    for (int i = 0; i < N_REQUESTS; i++)
        right[i] = ask(plain.port, i);
    cr_expect_str_eq(client_header(&right[0], "x-cached-count"), "", "there is no cache");
    cr_expect_eq(client_metric(plain.port, "bertd_cache_bytes"), 0);
    cr_expect_eq(client_metric(plain.port, "bertd_cache_misses_total"), 0);
    process_stop(&plain);
}

static void forget(struct answer *right)
{
    for (int i = 0; i < N_REQUESTS; i++)
        client_free(&right[i]);
}

Test(cache, the_same_bytes_as_without)
{
    struct answer right[N_REQUESTS];
    int port = process_shared();
    learn(right);
    for (int times = 0; times < 3; times++)
        for (int i = 0; i < N_REQUESTS; i++)
            expect_same(ask(port, i), &right[i], i);
    for (int i = 0; i < N_REQUESTS; i++)
        expect_same_cost(port, &right[i], i, requests[i].inputs);
    cr_expect_gt(client_metric(port, "bertd_cache_hits_total"), 20);
    cr_expect_gt(client_metric(port, "bertd_cache_entries"), 5);
    cr_expect_leq(client_metric(port, "bertd_cache_bytes"), client_metric(port, "bertd_limit_cache_bytes"));
    cr_expect_eq(client_metric(port, "bertd_limit_cache_bytes"), 1000000);
    forget(right);
}

struct visitor {
    pthread_t thread;
    int port, first;
    const struct answer *right;
};

static void *visit(void *cookie)
{
    const struct visitor *visitor = cookie;
    for (int n = 0; n < 3 * N_REQUESTS; n++) {
        int i = (visitor->first + n * 3) % N_REQUESTS;
        expect_same(ask(visitor->port, i), &visitor->right[i], i);
    }
    return NULL;
}

/* The least that is taken holds a few texts only. */
Test(cache, many_at_once_and_a_cache_that_is_too_small)
{
    enum { VISITORS = 6 };
    struct answer right[N_REQUESTS];
    struct visitor visitors[VISITORS];
    learn(right);
    struct process process = process_start(OPTIONS "--cache-bytes 60000");
    for (int v = 0; v < VISITORS; v++) {
        visitors[v] = (struct visitor){.port = process.port, .first = v, .right = right};
        cr_assert_eq(pthread_create(&visitors[v].thread, NULL, visit, &visitors[v]), 0);
    }
    for (int v = 0; v < VISITORS; v++)
        pthread_join(visitors[v].thread, NULL);
    cr_expect_gt(client_metric(process.port, "bertd_cache_hits_total"), 0);
    cr_expect_leq(client_metric(process.port, "bertd_cache_bytes"), 60000);
    process_stop(&process);
    forget(right);
}

Test(cache, a_size_of_no_use_is_refused)
{
    char options[512], output[8192];
    if (!process_model())
        cr_skip_test("no model");
    snprintf(options, sizeof options, "--model-id %s --port 0 --boards 1 --cache-bytes 1000", process_model());
    cr_expect_eq(process_run(options, output, sizeof output), 2);
    cr_expect(strstr(output, "--cache-bytes 1000 is too little to be of use: at least "), "%s", output);
}
