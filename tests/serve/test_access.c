/* API keys: the file, who is known, limits, reloading while calls run. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/serve/call.h"
#include "server/serve/server.h"

#define SHA256_OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct serve_server server;
static char path[64];
static const unsigned char here[4] = {127, 0, 0, 1}, there[4] = {127, 0, 0, 2};

static void begin(void)
{
    struct error err;
    server = (struct serve_server){.seed = 1, .options.metrics = metrics_registry_create()};
    cr_assert_eq(serve_access_init(&server, &err), STATUS_OK);
    snprintf(path, sizeof path, "/tmp/bertd-keys-XXXXXX");
    close(mkstemp(path));
}

static void end(void)
{
    unlink(path);
    serve_access_finish(&server.access);
    metrics_registry_destroy(&server.options.metrics);
}

TestSuite(access, .init = begin, .fini = end);

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

static void load(const char *key, const char *text)
{
    struct error err = {0};
    if (text)
        write_file(text);
    cr_assert_eq(serve_access_load(&server, key, text ? path : NULL, &err), STATUS_OK, "%s", err.message);
}

/* The account that is found, "" for none; NULL: refused. `call` must be finished. */
static const char *identify_from(struct serve_call *call, const char *authorization, const unsigned char *address)
{
    struct error err = {0};
    serve_call_init(call, &server);
    enum status status = serve_access_identify(call, authorization, address, 4, &err);
    if (status == STATUS_OK)
        return serve_access_name(call) ? serve_access_name(call) : "";
    cr_expect_eq(status, STATUS_UNAUTHENTICATED);
    cr_expect_null(call->account);
    cr_expect_eq(call->credential, 0u);
    return NULL;
}

static void expect_name(const char *authorization, const char *want)
{
    struct serve_call call;
    const char *got = identify_from(&call, authorization, here);
    cr_expect(got == want || (got && want && strcmp(got, want) == 0), "%s: %s", authorization, got ? got : "(refused)");
    serve_call_finish(&call);
}

Test(access, no_keys_let_everybody_in)
{
    load(NULL, NULL);
    expect_name(NULL, "");
    expect_name("Bearer whatever", "");
    cr_expect_eq(serve_access_keys(&server), 0u);
}

Test(access, one_key)
{
    load("abc", NULL);
    expect_name("Bearer abc", "default");
    expect_name("bEARER abc", "default");
    static const char *const wrong[] = {
        NULL,          "",          "abc",         "Bearer",      "Bearer ",   "Bearer ab",
        "Bearer abcd", "bearerabc", "Bearer  abc", "Bearer abc ", "Basic abc", "Bearer aaa"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_name(wrong[i], NULL);
}

Test(access, several_keys_plain_and_hashed)
{
    load("first", "# who may call\n\nalice  one\t requests_per_second=2.5 tokens_per_minute=600 priority=bulk\r\n"
                  "  bob sha256:" SHA256_OF_ABC "\nalice two\n bob.2 x=y");
    cr_expect_eq(serve_access_keys(&server), 5u);
    expect_name("Bearer first", "default");
    expect_name("Bearer one", "alice");
    expect_name("Bearer two", "alice");
    expect_name("Bearer abc", "bob");
    expect_name("Bearer x=y", "bob.2");
    expect_name("Bearer sha256:" SHA256_OF_ABC, NULL);
    expect_name("Bearer onetwo", NULL);
    struct serve_call call;
    identify_from(&call, "Bearer two", here);
    cr_expect_eq(atomic_load(&call.account->requests.per_second), 2.5);
    cr_expect_eq(atomic_load(&call.account->tokens.per_second), 10.0);
    cr_expect(atomic_load(&call.account->bulk));
    serve_call_finish(&call);
}

/* What fairness and the separation of answers go by. */
Test(access, numbers_of_client_and_credential)
{
    struct serve_call a, b, c;
    load(NULL, "alice one\nbob two\nalice three\n");
    identify_from(&a, "Bearer one", here);
    identify_from(&b, "Bearer three", there);
    identify_from(&c, "Bearer two", here);
    cr_expect_eq(a.client, b.client, "an account is one client, wherever it comes from");
    cr_expect_neq(a.client, c.client);
    cr_expect_eq(a.credential, b.credential);
    cr_expect_neq(a.credential, c.credential);
    cr_expect_neq(a.credential, 0u);
    serve_call_finish(&a);
    serve_call_finish(&b);
    serve_call_finish(&c);
    load("abc", NULL);
    identify_from(&a, "Bearer abc", here);
    identify_from(&b, "Bearer abc", there);
    identify_from(&c, NULL, here);
    cr_expect_neq(a.client, b.client, "where all share a key, it says nothing");
    cr_expect_eq(a.credential, b.credential);
    cr_expect_eq(c.client, a.client);
    cr_expect_eq(c.credential, 0u);
    serve_call_finish(&a);
    serve_call_finish(&b);
    serve_call_finish(&c);
}

static void refused(const char *text, const char *words)
{
    struct error err = {0};
    write_file(text);
    cr_expect_eq(serve_access_load(&server, "the-default", path, &err), STATUS_USAGE, "%s", text);
    cr_expect(strstr(err.message, words), "%s: %s", text, err.message);
    cr_expect(strstr(err.message, path), "%s", err.message);
    cr_expect_null(strstr(err.message, "s3cret"), "%s", err.message);
}

Test(access, mistakes_in_the_file_are_named_without_a_key)
{
    static char text[100000];
    load("abc", NULL);
    refused("", "there is no key in it");
    refused("# nothing\n\n", "there is no key in it");
    refused("a s3cret\nb\n", "line 2: there is no key behind the name");
    refused("s3cret/ a", "line 1: a name has 1 to 64 letters");
    refused("default s3cret", "line 1: the name default is that of --api-key");
    refused("a s3cret b", "line 1: behind name and key there may stand requests_per_second=N");
    refused("\n\na s3cret requests_per_second=0", "line 3: a limit is a number above 0");
    refused("a s3cret requests_per_second=", "line 1: a limit is a number");
    refused("a s3cret requests_per_second=1e3", "line 1: a limit is a number");
    refused("a s3cret tokens_per_minute=-1", "line 1: a limit is a number");
    refused("a s3cret tokens_per_minute=1.2.3", "line 1: a limit is a number");
    refused("a s3cret tokens_per_minute=9 tokens_per_minute=9", "line 1: a limit is a number");
    refused("a s3cret priority=interactive", "a priority is bulk");
    refused("a s3cret\x01", "line 1: the key has a control character");
    refused("a sha256:12", "line 1: behind sha256: stand the 64 hexadecimal digits");
    refused("a sha256:" SHA256_OF_ABC "0", "line 1: behind sha256:");
    refused("a s3cret\nb s3cret\n", "line 2: the key is that of line 1");
    refused("a abc\nb sha256:" SHA256_OF_ABC "\n", "line 2: the key is that of line 1");
    refused("a the-default\n", "line 1: the key is that of --api-key");
    refused("a s3cret\na other priority=bulk", "line 2: the limits of a stand on its first line, 1");
    memset(text, 'n', 65);
    strcpy(text + 65, " s3cret");
    refused(text, "line 1: a name has");
    size_t len = 0;
    for (int i = 0; i < SERVE_MAX_KEYS; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "a s3cret%d\n", i);
    refused(text, "line 1024: there are more than 1024 keys");
    expect_name("Bearer abc", "default"); /* all the time */
    struct error err;
    cr_expect_eq(serve_access_load(&server, NULL, "/nowhere/keys", &err), STATUS_IO);
    cr_expect(strstr(err.message, "--api-keys-file: /nowhere/keys"), "%s", err.message);
}

Test(access, memory_runs_out)
{
    struct error err;
    load(NULL, "alice one\n");
    write_file("alice two\nbob three\n");
    for (long n = 0;; n++) {
        mem_fail_after(n);
        enum status status = serve_access_load(&server, "key", path, &err);
        mem_fail_after(-1);
        if (status == STATUS_OK)
            break;
        cr_assert_eq(status, STATUS_NO_MEMORY, "%ld: %s", n, err.message);
        expect_name("Bearer one", "alice");
        expect_name("Bearer two", NULL);
    }
    expect_name("Bearer one", NULL);
    expect_name("Bearer two", "alice");
}

/* What was used stays used, and who has a call keeps it. */
Test(access, reload)
{
    struct serve_call call, again;
    struct error err;
    load(NULL, "alice one requests_per_second=0.001\nbob two\n");
    identify_from(&call, "Bearer one", here);
    cr_expect_eq(serve_account_admit(&call, &err), STATUS_OK);
    load(NULL, "carol three\nalice four requests_per_second=0.001\n");
    expect_name("Bearer one", NULL);
    expect_name("Bearer two", NULL);
    identify_from(&again, "Bearer four", here);
    cr_expect_eq(again.credential, call.credential);
    cr_expect_eq(serve_account_admit(&again, &err), STATUS_OVERLOADED);
    serve_call_finish(&again);
    load(NULL, "carol three\n");
    cr_expect_str_eq(serve_access_name(&call), "alice");
    serve_call_finish(&call);
    load(NULL, "alice one\n");
    identify_from(&again, "Bearer one", here);
    cr_expect_neq(again.credential, 1u, "it was gone: another account");
    cr_expect_eq(serve_account_admit(&again, &err), STATUS_OK);
    serve_call_finish(&again);
}

Test(access, limits_name_themselves_and_the_key)
{
    struct serve_call call;
    struct error err;
    load(NULL, "alice one requests_per_second=2 tokens_per_minute=100 priority=bulk\nbob two\n");
    identify_from(&call, "Bearer one", here);
    enum status status = STATUS_OK;
    for (int i = 0; i < 1000000 && status == STATUS_OK; i++)
        status = serve_account_admit(&call, &err);
    cr_expect_eq(status, STATUS_OVERLOADED);
    cr_expect_str_eq(err.message, "the API key alice has made its 2 requests a second (requests_per_second): try again "
                                  "in 1 s");
    cr_expect(call.has_class && call.class == BATCH_BULK);
    cr_expect(call.retry_after_ns > 0 && call.retry_after_ns <= 500000000u);
    call.status = STATUS_OVERLOADED;
    cr_expect_eq(serve_call_retry_after_s(&call), 1u);
    cr_expect_eq(serve_account_take_tokens(&call, 101, &err), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "101 tokens, more than the 100 a minute of the API key alice"), "%s", err.message);
    cr_expect_eq(serve_account_take_tokens(&call, 100, &err), STATUS_OK);
    cr_expect_eq(serve_account_take_tokens(&call, 99, &err), STATUS_OVERLOADED);
    cr_expect(strstr(err.message, "alice has used its 100 tokens a minute (tokens_per_minute)"), "%s", err.message);
    cr_expect(call.retry_after_ns > 1000000000u && call.retry_after_ns <= 59400000000u);
    serve_call_finish(&call);
    identify_from(&call, "Bearer two", here);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(serve_account_admit(&call, &err), STATUS_OK);
    cr_expect_eq(serve_account_take_tokens(&call, 1000000000, &err), STATUS_OK);
    cr_expect_not(call.has_class);
    serve_call_finish(&call);
}

Test(access, metrics_by_name)
{
    struct serve_call call;
    struct error err;
    struct buf text = {0};
    load("abc", "alice one requests_per_second=0.001\nalice two\n");
    identify_from(&call, "Bearer two", here);
    serve_account_admit(&call, &err);
    serve_account_admit(&call, &err);
    serve_account_take_tokens(&call, 7, &err);
    serve_call_finish(&call);
    metrics_registry_write(server.options.metrics, &text);
    buf_append(&text, "", 1);
    static const char *const lines[] = {
        "bertd_key_requests_total{key=\"default\"} 0\n", "bertd_key_requests_total{key=\"alice\"} 1\n",
        "bertd_key_tokens_total{key=\"alice\"} 7\n", "bertd_key_refused_total{key=\"alice\",limit=\"requests\"} 1\n",
        "bertd_key_refused_total{key=\"alice\",limit=\"tokens\"} 0\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *line = strstr(text.data, lines[i]);
        cr_assert(line, "%s: %s", lines[i], text.data);
        cr_expect_null(strstr(line + 1, lines[i]), "once");
    }
    buf_finish(&text);
}

/* Limits by themselves -------------------------------------------------------------------------------------------- */

static const uint64_t second = 1000000000u;

Test(limit, gives_back_with_time)
{
    struct serve_limit limit = {.per_second = 10};
    uint64_t wait = 7, now = 1000 * second;
    for (int i = 0; i < 10; i++)
        cr_assert_eq(serve_limit_take(&limit, 1, 1, now, &wait), SERVE_TAKEN, "%d", i);
    cr_expect_eq(wait, 7u);
    cr_expect_eq(serve_limit_take(&limit, 1, 1, now, &wait), SERVE_TAKE_LATER);
    cr_expect_eq(wait, second / 10);
    cr_expect_eq(serve_limit_take(&limit, 4, 1, now + second / 20, &wait), SERVE_TAKE_LATER);
    cr_expect_eq(wait, second * 4 / 10 - second / 20);
    cr_expect_eq(serve_limit_take(&limit, 1, 1, now + second / 10 - 1, &wait), SERVE_TAKE_LATER);
    cr_expect_eq(serve_limit_take(&limit, 1, 1, now + second / 10, &wait), SERVE_TAKEN);
    cr_expect_eq(serve_limit_take(&limit, 11, 1, now + 9 * second, &wait), SERVE_TAKE_NEVER);
    cr_expect_eq(serve_limit_take(&limit, 10, 1, now + 9 * second, &wait), SERVE_TAKEN);
}

Test(limit, rare_and_odd_rates)
{
    struct serve_limit limit = {.per_second = 0.25};
    uint64_t wait = 0;
    cr_expect_eq(serve_limit_take(&limit, 1, 1, 0, &wait), SERVE_TAKEN, "one at least");
    cr_expect_eq(serve_limit_take(&limit, 1, 1, second, &wait), SERVE_TAKE_LATER);
    cr_expect_eq(wait, 3 * second);
    for (unsigned rate = 1; rate < 3000; rate++) { /* exactly a minute's worth at once, whatever the rounding */
        struct serve_limit tokens = {.per_second = rate / 60.0};
        cr_assert_eq(serve_limit_take(&tokens, rate, 60, 5 * second, &wait), SERVE_TAKEN, "%u", rate);
        cr_assert_neq(serve_limit_take(&tokens, 1, 60, 5 * second, &wait), SERVE_TAKEN, "%u", rate);
    }
    struct serve_limit none = {0};
    cr_expect_eq(serve_limit_take(&none, UINT64_MAX, 1, 0, &wait), SERVE_TAKEN);
}

enum { TAKERS = 4, EACH = 20000 };
static struct serve_limit shared = {.per_second = 1000};

static void *take_many(void *cookie)
{
    uint64_t wait;
    for (int i = 0; i < EACH; i++)
        *(int *)cookie += serve_limit_take(&shared, 1, 60, second, &wait) == SERVE_TAKEN;
    return NULL;
}

Test(limit, several_threads_take_no_more)
{
    pthread_t threads[TAKERS];
    int taken[TAKERS] = {0}, sum = 0;
    for (int i = 0; i < TAKERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, take_many, &taken[i]), 0);
    for (int i = 0; i < TAKERS; i++) {
        pthread_join(threads[i], NULL);
        sum += taken[i];
    }
    cr_expect_eq(sum, 60000);
}

/* While keys are read again and again, a key that all files have is always known. */

static atomic_bool stop;

static void *ask(void *cookie)
{
    struct serve_call call;
    while (!atomic_load(&stop)) {
        const char *name = identify_from(&call, "Bearer one", here);
        *(int *)cookie += !name || strcmp(name, "alice") != 0;
        serve_call_finish(&call);
    }
    return NULL;
}

Test(access, reload_under_load)
{
    enum { RELOADS = 300, ASKERS = 3 };
    pthread_t threads[ASKERS];
    int failed[ASKERS] = {0};
    struct error err;
    load(NULL, "alice one\n");
    atomic_store(&stop, false);
    for (int i = 0; i < ASKERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, ask, &failed[i]), 0);
    for (int i = 0; i < RELOADS; i++) {
        write_file(i % 3 == 0 ? "bob two\nalice one\n" : i % 3 == 1 ? "alice one requests_per_second=1\n" : "bad");
        cr_expect_eq(serve_access_load(&server, i % 2 ? "key" : NULL, path, &err),
                     i % 3 == 2 ? STATUS_USAGE : STATUS_OK);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < ASKERS; i++) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(failed[i], 0);
    }
}
