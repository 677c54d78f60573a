/* When requests are sent again, where, and how long a client waits: told from what servers saw, not by a clock. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/clients/kinds.h"

TestSuite(retries, .timeout = 120);

enum { SERVERS = 3 };

static const char *const some[] = {"one", "two"};

/* Servers that may each be ill. */
static struct server {
    struct stand stand;
    atomic_int status; /* what it answers to requests that embed; 0: it is well */
    atomic_int left;   /* so often */
    const char *retry_after;
    atomic_uint refused;
    atomic_uint embedded;
} servers[SERVERS];

static struct bertd_client *client;
static struct bertd_error err;

static void answer(void *cookie, const struct stand_request *request, struct stand_reply *reply)
{
    struct server *server = cookie;
    kinds_bertd(NULL, request, reply);
    if (!strstr(request->path, "EmbedBatch"))
        return;
    if (server->status == 0 || atomic_fetch_sub(&server->left, 1) <= 0) {
        server->embedded++;
        return;
    }
    server->refused++;
    stand_say(reply, server->status, "application/json", "{\"code\":\"unavailable\",\"message\":\"not now\"}");
    if (server->retry_after)
        snprintf(reply->headers, sizeof reply->headers, "Retry-After: %s\r\n", server->retry_after);
}

static void begin(size_t n, struct bertd_options *options)
{
    const char *addresses[SERVERS];
    for (size_t i = 0; i < n; i++) {
        stand_start(&servers[i].stand, &(struct stand_options){.handler = answer, .cookie = &servers[i]});
        addresses[i] = servers[i].stand.address;
    }
    options->endpoints = addresses;
    options->n_endpoints = n;
    cr_assert_eq(bertd_client_create(&client, options, &err), BERTD_OK);
}

static void finish(size_t n)
{
    bertd_client_destroy(&client);
    for (size_t i = 0; i < n; i++)
        stand_stop(&servers[i].stand);
}

static struct bertd_options quick(void)
{
    struct bertd_options options = bertd_options_default();
    options.backoff_ms = 1;
    options.breaker_rest_ms = 1;
    return options;
}

static enum bertd_status embed(const struct bertd_call_options *call)
{
    struct bertd_embeddings *found = NULL;
    enum bertd_status status = bertd_embed(client, some, NULL, 2, call, &found, &err);
    if (status == BERTD_OK)
        kinds_check(found, some, NULL, 2);
    bertd_free(found);
    return status;
}

static void fall_ill(struct server *server, int status, int left, const char *retry_after)
{
    server->retry_after = retry_after;
    server->left = left;
    server->status = status;
}

Test(retries, storms_pass)
{
    static const int statuses[] = {429, 503, 502, 499};
    struct bertd_options options = quick();
    begin(1, &options);
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        fall_ill(&servers[0], statuses[i], 4, NULL);
        cr_assert_eq(embed(NULL), BERTD_OK, "%s", err.message);
        fall_ill(&servers[0], statuses[i], 5, NULL);
        cr_assert_neq(embed(NULL), BERTD_OK);
        cr_assert_eq(err.attempts, 5);
    }
    finish(1);
}

Test(retries, none_where_none_are_wanted)
{
    struct bertd_options options = quick();
    options.retries = BERTD_NO_RETRIES;
    begin(1, &options);
    fall_ill(&servers[0], 503, 1000, NULL);
    cr_assert_eq(embed(NULL), BERTD_UNAVAILABLE);
    cr_assert_eq(servers[0].refused, 1);
    finish(1);
}

Test(retries, retry_after_beyond_the_deadline_is_not_waited_for)
{
    struct bertd_options options = quick();
    struct bertd_call_options call = bertd_call_options_default();
    begin(1, &options);
    call.timeout_ms = 50000; /* the suite's time would not do */
    fall_ill(&servers[0], 429, 1000, "60");
    cr_assert_eq(embed(&call), BERTD_OVERLOADED);
    cr_assert_eq(err.retry_after_ms, 60000);
    cr_assert_eq(servers[0].refused, 1);
    cr_assert_eq(embed(&call), BERTD_OVERLOADED); /* nor is it asked before */
    cr_assert_eq(servers[0].refused, 1);
    finish(1);
}

Test(retries, retry_after_is_waited_for)
{
    struct bertd_options options = quick();
    struct bertd_call_options call = bertd_call_options_default();
    struct bertd_queue *queue = NULL;
    struct bertd_call *made = NULL;
    begin(1, &options);
    fall_ill(&servers[0], 503, 1, "20");
    cr_assert_eq(bertd_queue_create(client, &queue, &err), BERTD_OK);
    cr_assert_eq(bertd_submit_embed(queue, some, NULL, 2, &call, NULL, &made, &err), BERTD_OK);
    while (servers[0].refused == 0 || bertd_queue_timeout_ms(queue) < 10000)
        cr_assert_null(bertd_queue_wait(queue, 10));
    cr_assert_leq(bertd_queue_timeout_ms(queue), 20000);
    cr_assert_null(bertd_queue_poll(queue));
    cr_assert_eq(servers[0].refused, 1);
    bertd_queue_destroy(&queue);
    finish(1);
}

Test(retries, another_endpoint_is_asked_at_once)
{
    struct bertd_options options = bertd_options_default();
    options.backoff_ms = 60000; /* the suite's time would not do */
    begin(2, &options);
    fall_ill(&servers[0], 503, 1000, "60");
    cr_assert_eq(embed(NULL), BERTD_OK, "%s", err.message);
    cr_assert_eq(servers[0].refused, 1);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(embed(NULL), BERTD_OK, "%s", err.message);
    cr_assert_eq(servers[0].refused, 1); /* it rests */
    cr_assert_eq(servers[1].embedded, 11);
    finish(2);
}

Test(retries, an_endpoint_where_nobody_listens)
{
    struct bertd_options options = quick();
    begin(2, &options);
    stand_stop(&servers[0].stand);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(embed(NULL), BERTD_OK, "%s", err.message);
    cr_assert_eq(servers[1].embedded, 3);
    cr_assert_eq(bertd_check_health(client, NULL, &err), BERTD_OK, "%s", err.message);
    bertd_client_destroy(&client);
    stand_stop(&servers[1].stand);
}

Test(retries, the_breaker_lets_an_endpoint_rest_and_tries_it_by_one_request)
{
    struct bertd_options options = quick();
    options.breaker_failures = 3;
    options.breaker_rest_ms = 30000;
    begin(2, &options);
    fall_ill(&servers[0], 503, 1000, NULL);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(embed(NULL), BERTD_OK, "%s", err.message);
    cr_assert_eq(servers[0].refused, 3);
    cr_assert_eq(servers[1].embedded, 20);
    finish(2);
}

/* Else each would have to fail by itself, one after the other; and those that fail together would make the first rest
 * as long as the last one. */
Test(retries, a_trial_that_fails_counts_for_all_who_wait)
{
    enum { CALLS = 40 };
    struct bertd_options options = quick();
    struct bertd_queue *queue = NULL;
    options.breaker_rest_ms = 50;
    begin(1, &options);
    fall_ill(&servers[0], 503, 1000, NULL);
    cr_assert_eq(bertd_queue_create(client, &queue, &err), BERTD_OK);
    for (int i = 0; i < CALLS; i++) {
        struct bertd_call *call = NULL;
        cr_assert_eq(bertd_submit_embed(queue, some, NULL, 2, NULL, NULL, &call, &err), BERTD_OK);
    }
    for (int i = 0; i < CALLS; i++) {
        struct bertd_embeddings *found = NULL;
        struct bertd_call *call = bertd_queue_wait(queue, -1);
        cr_assert_eq(bertd_call_embeddings(call, &found, &err), BERTD_UNAVAILABLE, "%s", err.message);
        bertd_call_destroy(&call);
    }
    cr_assert_geq(servers[0].refused, CALLS + 4, "%u: not all tries were made", servers[0].refused);
    cr_assert_lt(servers[0].refused, 2 * CALLS, "%u: they are tried one by one", servers[0].refused);
    bertd_queue_destroy(&queue);
    finish(1);
}

Test(retries, an_endpoint_that_is_well_again_gets_requests)
{
    struct bertd_options options = quick();
    options.breaker_failures = 2;
    begin(2, &options);
    fall_ill(&servers[0], 503, 5, NULL);
    for (int i = 0; i < 2000 && servers[0].embedded == 0; i++) {
        cr_assert_eq(embed(NULL), BERTD_OK, "%s", err.message);
        usleep(1000);
    }
    cr_assert_eq(servers[0].refused, 5);
    cr_assert_gt(servers[0].embedded, 0);
    finish(2);
}

Test(retries, all_rest_and_the_deadline_is_before_they_wake)
{
    struct bertd_options options = quick();
    struct bertd_call_options call = bertd_call_options_default();
    options.breaker_failures = 1;
    options.breaker_rest_ms = 30000;
    begin(1, &options);
    call.timeout_ms = 10000;
    fall_ill(&servers[0], 503, 1000, NULL);
    cr_assert_eq(embed(&call), BERTD_UNAVAILABLE); /* at once */
    cr_assert_eq(embed(&call), BERTD_UNAVAILABLE);
    cr_assert_eq(servers[0].refused, 1);
    finish(1);
}

Test(retries, parts_are_spread_over_endpoints)
{
    struct bertd_options options = quick();
    struct bertd_embeddings *found = NULL;
    enum { N = 64 * KINDS_BATCH };
    char **texts = kinds_texts(N);
    options.connections = 6;
    begin(3, &options);
    fall_ill(&servers[2], 429, 3, NULL);
    cr_assert_eq(bertd_embed(client, (const char *const *)texts, NULL, N, NULL, &found, &err), BERTD_OK, "%s",
                 err.message);
    kinds_check(found, (const char *const *)texts, NULL, N);
    for (int i = 0; i < 3; i++)
        cr_assert_gt(servers[i].embedded, 0, "server %d", i);
    bertd_free(found);
    kinds_free_texts(texts, N);
    finish(3);
}

Test(retries, endpoints_of_different_kinds)
{
    struct stand tei, openai;
    struct bertd_embeddings *found = NULL;
    enum { N = 3000 };
    char **texts = kinds_texts(N);
    stand_start(&tei, &(struct stand_options){.handler = kinds_tei});
    stand_start(&openai, &(struct stand_options){.handler = kinds_openai});
    const char *addresses[] = {tei.address, openai.address};
    client = kinds_client(addresses, 2);
    cr_assert_eq(bertd_embed(client, (const char *const *)texts, NULL, N, NULL, &found, &err), BERTD_OK, "%s",
                 err.message);
    kinds_check(found, (const char *const *)texts, NULL, N);
    bertd_free(found);
    bertd_client_destroy(&client);
    stand_stop(&tei);
    stand_stop(&openai);
    kinds_free_texts(texts, N);
}
