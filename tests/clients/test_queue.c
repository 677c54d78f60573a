/* Calls that do not wait, cancellation, and many threads. */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/clients/kinds.h"

TestSuite(queue, .timeout = 120);

enum { CALLS = 40, THREADS = 8 };

static struct stand stand;
static struct bertd_client *client;
static struct bertd_error err;
static atomic_bool silent;
static atomic_uint arrived;

static void answer(void *cookie, const struct stand_request *request, struct stand_reply *reply)
{
    kinds_bertd(cookie, request, reply);
    if (silent && strstr(request->path, "EmbedBatch")) {
        reply->fault = STAND_SILENT;
        arrived++;
    }
}

static void begin(void)
{
    stand_start(&stand, &(struct stand_options){.handler = answer});
    const char *addresses[] = {stand.address};
    client = kinds_client(addresses, 1);
}

static void finish(void)
{
    bertd_client_destroy(&client);
    stand_stop(&stand);
}

static void check_call(struct bertd_call *call, const char *const *texts, size_t n)
{
    struct bertd_embeddings *found = NULL;
    struct bertd_tokens *tokens = NULL;
    cr_assert_eq(bertd_call_status(call, &err), BERTD_OK, "%s", err.message);
    cr_assert_eq(bertd_call_tokens(call, &tokens, &err), BERTD_INVALID);
    cr_assert_eq(bertd_call_embeddings(call, &found, &err), BERTD_OK, "%s", err.message);
    kinds_check(found, texts, NULL, n);
    bertd_free(found);
    cr_assert_eq(bertd_call_embeddings(call, &found, &err), BERTD_INVALID);
    bertd_call_destroy(&call);
    cr_assert_null(call);
}

Test(queue, in_an_event_loop)
{
    char **texts = kinds_texts(CALLS);
    struct bertd_queue *queue = NULL;
    struct bertd_call *call = NULL;
    size_t done = 0;
    begin();
    cr_assert_eq(bertd_queue_create(client, &queue, &err), BERTD_OK);
    cr_assert_eq(bertd_queue_timeout_ms(queue), -1);
    for (size_t i = 0; i < CALLS; i++)
        cr_assert_eq(bertd_submit_embed(queue, (const char *const *)&texts[i], NULL, 1, NULL, &texts[i], &call, &err),
                     BERTD_OK);
    cr_assert_eq(bertd_queue_pending(queue), (size_t)CALLS);
    while (done < CALLS) {
        struct pollfd fd = {.fd = bertd_queue_fd(queue), .events = POLLIN};
        poll(&fd, 1, bertd_queue_timeout_ms(queue));
        for (; (call = bertd_queue_poll(queue)); done++)
            check_call(call, bertd_call_cookie(call), 1);
    }
    cr_assert_eq(bertd_queue_pending(queue), 0);
    cr_assert_null(bertd_queue_wait(queue, -1));
    bertd_queue_destroy(&queue);
    cr_assert_null(queue);
    kinds_free_texts(texts, CALLS);
    finish();
}

Test(queue, waits_for_calls_of_every_kind)
{
    static const char *const some[] = {"one", "two"};
    struct bertd_queue *queue = NULL;
    struct bertd_call *calls[3], *call = NULL;
    struct bertd_embeddings *embeddings = NULL;
    struct bertd_token_embeddings *all = NULL;
    struct bertd_tokens *tokens = NULL;
    begin();
    cr_assert_eq(bertd_queue_create(client, &queue, &err), BERTD_OK);
    cr_assert_eq(bertd_submit_embed(queue, some, NULL, 2, NULL, NULL, &calls[0], &err), BERTD_OK);
    cr_assert_eq(bertd_submit_embed_all(queue, some, NULL, 2, NULL, NULL, &calls[1], &err), BERTD_OK);
    cr_assert_eq(bertd_submit_tokenize(queue, some, NULL, 2, NULL, NULL, &calls[2], &err), BERTD_OK);
    cr_assert_eq(bertd_call_embeddings(calls[0], &embeddings, &err), BERTD_INVALID);
    for (int i = 0; i < 3; i++) {
        call = bertd_queue_wait(queue, -1);
        cr_assert(call == calls[0] || call == calls[1] || call == calls[2]);
    }
    cr_assert_eq(bertd_call_embeddings(calls[0], &embeddings, &err), BERTD_OK);
    cr_assert_eq(bertd_call_token_embeddings(calls[1], &all, &err), BERTD_OK);
    cr_assert_eq(bertd_call_tokens(calls[2], &tokens, &err), BERTD_OK);
    cr_assert_eq(all->begin[2], 6);
    cr_assert_eq(tokens->begin[2], 6);
    bertd_free(embeddings);
    bertd_free(all);
    bertd_queue_destroy(&queue); /* with its calls */
    bertd_free(tokens);
    finish();
}

Test(queue, cancelled_in_its_own_thread)
{
    static const char *const some[] = {"one"};
    struct bertd_queue *queue = NULL;
    struct bertd_call *call = NULL, *other = NULL;
    silent = true;
    begin();
    cr_assert_eq(bertd_queue_create(client, &queue, &err), BERTD_OK);
    cr_assert_eq(bertd_submit_embed(queue, some, NULL, 1, NULL, NULL, &call, &err), BERTD_OK);
    cr_assert_eq(bertd_submit_embed(queue, some, NULL, 1, NULL, NULL, &other, &err), BERTD_OK);
    while (arrived < 2)
        cr_assert_null(bertd_queue_wait(queue, 10));
    bertd_call_cancel(call);
    cr_assert_eq(bertd_queue_wait(queue, -1), call);
    cr_assert_eq(bertd_call_status(call, &err), BERTD_CANCELLED);
    bertd_call_destroy(&call);
    bertd_call_destroy(&other); /* while it runs */
    cr_assert_null(bertd_queue_wait(queue, -1));
    bertd_queue_destroy(&queue);
    finish();
}

static void *cancel_when_it_arrived(void *cookie)
{
    while (arrived == 0)
        usleep(1000);
    bertd_cancel_now(cookie);
    return NULL;
}

Test(queue, cancelled_by_a_switch_in_another_thread)
{
    static const char *const some[] = {"one"};
    struct bertd_call_options options = bertd_call_options_default();
    struct bertd_embeddings *found = NULL;
    pthread_t thread;
    silent = true;
    begin();
    cr_assert_eq(bertd_cancel_create(client, &options.cancel, &err), BERTD_OK);
    pthread_create(&thread, NULL, cancel_when_it_arrived, options.cancel);
    cr_assert_eq(bertd_embed(client, some, NULL, 1, &options, &found, &err), BERTD_CANCELLED);
    pthread_join(thread, NULL);
    unsigned before = stand.requests;
    cr_assert_eq(bertd_embed(client, some, NULL, 1, &options, &found, &err), BERTD_CANCELLED);
    cr_assert_eq(stand.requests, before);
    bertd_cancel_destroy(&options.cancel);
    cr_assert_null(options.cancel);
    finish();
}

Test(queue, destroyed_with_calls_under_way)
{
    static const char *const some[] = {"one"};
    struct bertd_queue *queue = NULL;
    struct bertd_call *call = NULL;
    silent = true;
    begin();
    cr_assert_eq(bertd_queue_create(client, &queue, &err), BERTD_OK);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(bertd_submit_embed(queue, some, NULL, 1, NULL, NULL, &call, &err), BERTD_OK);
    while (arrived < 5)
        cr_assert_null(bertd_queue_wait(queue, 10));
    bertd_queue_destroy(&queue);
    bertd_queue_destroy(&queue);
    finish();
}

static void *embed_much(void *cookie)
{
    char **texts = kinds_texts(100);
    for (int i = 0; i < 10; i++) {
        struct bertd_embeddings *found = NULL;
        struct bertd_error own;
        cr_assert_eq(bertd_embed(client, (const char *const *)texts, NULL, 100, NULL, &found, &own), BERTD_OK, "%s",
                     own.message);
        kinds_check(found, (const char *const *)texts, NULL, 100);
        bertd_free(found);
    }
    kinds_free_texts(texts, 100);
    return cookie;
}

Test(queue, a_client_of_many_threads)
{
    pthread_t threads[THREADS];
    begin();
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, embed_much, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    finish();
}
