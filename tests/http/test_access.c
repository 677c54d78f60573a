/* Several API keys: who is let in where, limits, keys read again while requests run. And traces, from a request's
 * header to a collector. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/client.h"
#include "tests/http/process.h"
#include "tests/trace/collector.h"

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 1 --drain-seconds 0");
}

static const char good[] = "{\"inputs\":\"hello\"}";
static char path[64];

static void write_keys(const char *text)
{
    char fresh[80];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "w");
    fputs(text, file);
    fclose(file);
    cr_assert_eq(rename(fresh, path), 0);
}

static struct process start(const char *keys, const char *more)
{
    char options[256];
    snprintf(path, sizeof path, "/tmp/bertd-keys-%d", (int)getpid());
    write_keys(keys);
    snprintf(options, sizeof options, "--boards 1 --drain-seconds 0 --log-level debug --api-keys-file %s %s", path,
             more);
    return process_start(options);
}

static void stop(struct process *process)
{
    cr_expect_not(process_logged(process, "s3cret"), "a key is in the log");
    process_stop(process);
    unlink(path);
}

static struct answer ask(int port, const char *method, const char *route, const char *key)
{
    char header[128];
    snprintf(header, sizeof header, "Authorization: Bearer %s", key);
    bool post = strcmp(method, "POST") == 0;
    return client_ask(port, method, route, &(struct sending){.body = post ? good : NULL, .headers = {header}});
}

static long code_of(int port, const char *key)
{
    struct answer answer = ask(port, "POST", "/embed", key);
    long code = answer.code;
    client_free(&answer);
    return code;
}

Test(keys, are_asked_for_on_every_route_but_the_public)
{
    static const struct {
        const char *method, *route;
        long open; /* without a key */
        long code; /* with one */
    } rows[] = {{"POST", "/embed", 401, 200},    {"POST", "/embed_all", 401, 200},
                {"POST", "/tokenize", 401, 200}, {"POST", "/decode", 401, 422},
                {"POST", "/", 401, 200},         {"GET", "/info", 401, 200},
                {"GET", "/boards", 401, 200},    {"POST", "/admin/faults", 401, 403},
                {"GET", "/nothing", 401, 404},   {"GET", "/embed", 401, 405},
                {"GET", "/", 200, 200},          {"GET", "/health", 200, 200},
                {"GET", "/ping", 200, 200},      {"GET", "/metrics", 200, 200}};
    struct process process = start("alice s3cret-1\nbob sha256:"
                                   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n",
                                   "--api-key s3cret-3");
    static const char *const right[] = {"s3cret-1", "abc", "s3cret-3"}, *const wrong[] = {"s3cret-2", "s3cret-", ""};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int k = 0; k < 3; k++) {
            struct answer answer = ask(process.port, rows[i].method, rows[i].route, right[k]);
            cr_expect_eq(answer.code, rows[i].code, "%s: %ld", rows[i].route, answer.code);
            client_free(&answer);
            answer = ask(process.port, rows[i].method, rows[i].route, wrong[k]);
            cr_expect_eq(answer.code, rows[i].open, "%s: %ld", rows[i].route, answer.code);
            client_free(&answer);
        }
    }
    process_await_log(&process, "\"key\":\"alice\"");
    process_await_log(&process, "\"key\":\"bob\"");
    cr_expect_eq(client_metric(process.port, "bertd_key_requests_total{key=\"bob\"}"), 5);
    cr_expect_eq(client_metric(process.port, "bertd_key_tokens_total{key=\"default\"}"), 9);
    stop(&process);
}

/* The detail is a google.rpc.ErrorInfo with the reason UNAUTHENTICATED and the domain bertd. */
Test(keys, are_asked_for_by_services_too)
{
    static const char *const routes[] = {"/tei.v1.Embed/Embed", "/tei.v1.Tokenize/Tokenize"};
    static const char detail[] = "\"type\":\"google.rpc.ErrorInfo\",\"value\":\"Cg9VTkFVVEhFTlRJQ0FURUQSBWJlcnRk\"";
    struct process process = start("alice s3cret-1\n", "");
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        struct answer answer = ask(process.port, "POST", routes[i], "s3cret-1");
        cr_expect_eq(answer.code, 200, "%.300s", answer.body);
        client_free(&answer);
        answer = ask(process.port, "POST", routes[i], "s3cret-2");
        cr_expect_eq(answer.code, 401, "%.300s", answer.body);
        cr_expect(strstr(answer.body, detail) != NULL, "%s", answer.body);
        client_free(&answer);
    }
    process_await_log(&process, "\"status\":\"UNAUTHENTICATED\"");
    stop(&process);
}

Test(keys, have_limits)
{
    struct process process = start("few s3cret-1 requests_per_second=0.01\n"
                                   "small s3cret-2 tokens_per_minute=4\n"
                                   "other s3cret-3\n",
                                   "");
    cr_expect_eq(code_of(process.port, "s3cret-1"), 200);
    struct answer answer = ask(process.port, "POST", "/embed", "s3cret-1");
    int wait = atoi(client_header(&answer, "Retry-After"));
    cr_expect(wait > 1 && wait <= 100, "%d", wait);
    client_expect_error(answer, 429, "Overloaded", "the API key few has made its 0.01 requests a second");
    client_expect_error(ask(process.port, "POST", "/tokenize", "s3cret-1"), 429, "Overloaded", "few");
    client_expect_ok(ask(process.port, "GET", "/info", "s3cret-1"));
    cr_expect_eq(code_of(process.port, "s3cret-2"), 200);
    answer = ask(process.port, "POST", "/embed", "s3cret-2");
    wait = atoi(client_header(&answer, "Retry-After"));
    cr_expect(wait > 1 && wait <= 60, "%d", wait);
    client_expect_error(answer, 429, "Overloaded", "the API key small has used its 4 tokens a minute");
    client_expect_error(client_ask(process.port, "POST", "/embed",
                                   &(struct sending){.body = "{\"inputs\":[\"a\",\"b\"]}",
                                                     .headers = {"Authorization: Bearer s3cret-2"}}),
                        422, "Validation", "6 tokens, more than the 4 a minute of the API key small");
    for (int i = 0; i < 20; i++)
        cr_expect_eq(code_of(process.port, "s3cret-3"), 200);
    cr_expect_eq(client_metric(process.port, "bertd_key_refused_total{key=\"few\",limit=\"requests\"}"), 2);
    cr_expect_eq(client_metric(process.port, "bertd_key_refused_total{key=\"small\",limit=\"tokens\"}"), 2);
    process_await_log(&process, "\"key\":\"few\"");
    stop(&process);
}

enum { ASKERS = 3, RELOADS = 12 };

struct asker {
    pthread_t thread;
    int port;
    int failed;
    int done;
};

static atomic_bool enough;

static void *ask_on(void *cookie)
{
    struct asker *asker = cookie;
    void *handle = NULL;
    while (!atomic_load(&enough)) {
        struct answer answer =
            client_ask_kept(&handle, asker->port, "POST", "/embed",
                            &(struct sending){.body = good, .headers = {"Authorization: Bearer s3cret-stays"}});
        asker->failed += answer.code != 200;
        asker->done++;
        client_free(&answer);
    }
    client_close(&handle);
    return NULL;
}

/* The keys that a file in turn brings work as soon as it is read, and a bad file changes nothing. No request fails. */
Test(keys, are_read_again_under_load)
{
    char text[128], words[128], key[32];
    struct process process = start("alice s3cret-stays\n", "");
    struct asker askers[ASKERS] = {{0}};
    atomic_store(&enough, false);
    for (int i = 0; i < ASKERS; i++) {
        askers[i].port = process.port;
        cr_assert_eq(pthread_create(&askers[i].thread, NULL, ask_on, &askers[i]), 0);
    }
    for (int i = 1; i <= RELOADS; i++) {
        snprintf(key, sizeof key, "s3cret-%d", i);
        snprintf(text, sizeof text, "bob %s\nalice s3cret-stays\n", key);
        write_keys(text);
        cr_expect_eq(code_of(process.port, key), 401);
        kill(process.pid, SIGHUP);
        while (code_of(process.port, key) != 200)
            usleep(1000);
        memset(text, '\n', (size_t)i); /* so that each mistake is on another line */
        snprintf(text + i, sizeof text - (size_t)i, "alice s3cret-stays\nbob s3cret-0 s3cret-0\n");
        write_keys(text);
        kill(process.pid, SIGHUP);
        snprintf(words, sizeof words, "%s: line %d: behind name and key", path, i + 2);
        process_await_log(&process, words);
    }
    process_await_log(&process, "\"message\":\"API keys read again\",\"keys\":2");
    snprintf(key, sizeof key, "s3cret-%d", RELOADS);
    cr_expect_eq(code_of(process.port, key), 200, "a bad file leaves the keys");
    cr_expect_eq(code_of(process.port, "s3cret-1"), 401);
    atomic_store(&enough, true);
    for (int i = 0; i < ASKERS; i++) {
        pthread_join(askers[i].thread, NULL);
        cr_expect_eq(askers[i].failed, 0);
        cr_expect_gt(askers[i].done, 0);
    }
    stop(&process);
}

Test(keys, of_the_other_file_are_read_again)
{
    char options[128];
    snprintf(path, sizeof path, "/tmp/bertd-key-%d", (int)getpid());
    write_keys("s3cret-1\n");
    snprintf(options, sizeof options, "--boards 1 --drain-seconds 0 --api-key-file %s", path);
    struct process process = process_start(options);
    cr_expect_eq(code_of(process.port, "s3cret-1"), 200);
    write_keys("s3cret-2\n");
    kill(process.pid, SIGHUP);
    while (code_of(process.port, "s3cret-2") != 200)
        usleep(1000);
    cr_expect_eq(code_of(process.port, "s3cret-1"), 401);
    stop(&process);
}

Test(keys, a_bad_file_at_the_start)
{
    char options[256], output[4096];
    snprintf(path, sizeof path, "/tmp/bertd-keys-%d", (int)getpid());
    write_keys("alice s3cret\nbob\n");
    snprintf(options, sizeof options, "--model-id %s --port 0 --json-output --boards 1 --api-keys-file %s",
             process_model(), path);
    cr_expect_eq(process_run(options, output, sizeof output), 2);
    cr_expect(strstr(output, "line 2: there is no key behind the name"), "%s", output);
    cr_expect_null(strstr(output, "s3cret"));
    unlink(path);
}

/* What is for operators is not there for others where operators have a listener of their own. */
Test(admin, its_routes_are_nowhere_else)
{
    static const char slow[] = "{\"board\":0,\"kind\":\"slow\",\"factor\":1,\"for_ms\":1}";
    static const char *const rows[][3] = {
        {"GET", "/metrics", NULL}, {"GET", "/boards", NULL}, {"POST", "/admin/faults", slow}};
    struct process process =
        process_start("--boards 1 --drain-seconds 0 --admin-port 0 --enable-fault-injection --log-level debug");
    int admin = process_admin_port(&process);
    cr_assert_gt(admin, 0);
    cr_assert_neq(admin, process.port);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const struct sending sending = {.body = rows[r][2]};
        client_expect_error(client_ask(process.port, rows[r][0], rows[r][1], &sending), 404, "NotFound", "operators");
        client_expect_ok(client_ask(admin, rows[r][0], rows[r][1], &sending));
    }
    client_expect_ok(client_post(process.port, "/embed", good));
    client_expect_ok(client_post(admin, "/embed", good));
    process_stop(&process);
}

/* Traces ----------------------------------------------------------------------------------------------------------- */

static json_t *find_span(json_t *spans, const char *name)
{
    size_t i;
    json_t *span;
    json_array_foreach(spans, i, span)
    {
        if (strcmp(json_string_value(json_object_get(span, "name")), name) == 0)
            return span;
    }
    return NULL;
}

static const char *text_of(const json_t *span, const char *field)
{
    const char *text = json_string_value(json_object_get(span, field));
    return text ? text : "";
}

/* The text or number of an attribute, "" where there is none. */
static const char *attribute(const json_t *span, const char *key)
{
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(span, "attributes"), i, item)
    {
        const json_t *value = json_object_get(item, "value");
        if (strcmp(text_of(item, "key"), key) == 0)
            return json_object_get(value, "stringValue") ? text_of(value, "stringValue") : text_of(value, "intValue");
    }
    return "";
}

static struct process start_traced(struct collector *collector)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", collector_port(collector));
    setenv("OTEL_BSP_SCHEDULE_DELAY", "50", 1);
    setenv("OTEL_SERVICE_NAME", "tested", 1);
    return process_start_with("--boards 1 --drain-seconds 0 --log-level debug --api-key s3cret",
                              "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
}

static void embed(int port, const char *body, const char *parent, const char *id)
{
    client_free(&(struct answer[]){
        client_ask(port, "POST", "/embed",
                   &(struct sending){.body = body,
                                     .headers = {"Authorization: Bearer s3cret", parent, "tracestate: a=1", id}})}[0]);
}

Test(traces, of_a_request)
{
    struct collector *collector = collector_start();
    struct process process = start_traced(collector);
    embed(process.port, "{\"inputs\":[\"hush\",\"hush\"]}", "traceparent: 00-" TRACE "-" PARENT "-01",
          "x-request-id: r1");
    embed(process.port, "{\"inputs\":\"hush\"}", "traceparent: 00-" TRACE "-" PARENT "-00", "x-request-id: r2");
    embed(process.port, "{\"inputs\":\"\"}", "traceparent: 00-nothing", "x-request-id: r3");
    client_expect_ok(client_ask(process.port, "GET", "/health", NULL));
    cr_expect(client_becomes(process.port, "bertd_spans_sent_total", 5));
    json_t *spans = collector_spans(collector);
    cr_assert_eq(json_array_size(spans), 5u, "r1 with its three parts, r3");
    json_t *span = json_array_get(spans, 0), *refused = json_array_get(spans, 4);
    cr_expect_str_eq(text_of(span, "name"), "POST /embed");
    cr_expect_str_eq(text_of(span, "traceId"), TRACE);
    cr_expect_str_eq(text_of(span, "parentSpanId"), PARENT);
    cr_expect_str_eq(text_of(span, "traceState"), "a=1");
    cr_expect_str_eq(attribute(span, "http.response.status_code"), "200");
    cr_expect_str_eq(attribute(span, "http.route"), "/embed");
    cr_expect_str_eq(attribute(span, "bertd.request_id"), "r1");
    cr_expect_str_eq(attribute(span, "bertd.inputs"), "2");
    cr_expect_str_eq(attribute(span, "bertd.key"), "default");
    cr_expect_gt(atoi(attribute(span, "bertd.tokens")), 5);
    static const char *const parts[] = {"tokenization", "queue", "inference"};
    for (int i = 0; i < 3; i++) {
        json_t *part = find_span(spans, parts[i]);
        cr_assert(part, "%s", parts[i]);
        cr_expect_str_eq(text_of(part, "parentSpanId"), text_of(span, "spanId"));
        cr_expect_str_eq(text_of(part, "traceId"), TRACE);
    }
    cr_expect_str_eq(attribute(refused, "bertd.request_id"), "r3");
    cr_expect_str_eq(attribute(refused, "http.response.status_code"), "400");
    cr_expect_str_neq(text_of(refused, "traceId"), TRACE);
    cr_expect_str_eq(text_of(refused, "parentSpanId"), "");
    char line[256], *all = json_dumps(spans, 0);
    cr_expect(strstr(all, "\"tested\"") && !strstr(all, "hush") && !strstr(all, "s3cret"));
    snprintf(line, sizeof line, "\"trace_id\":\"" TRACE "\",\"span_id\":\"%s\",\"key\":\"default\"",
             text_of(span, "spanId"));
    process_await_log(&process, line);
    free(all);
    json_decref(spans);
    process_stop(&process);
    collector_stop(collector);
}

/* A collector that does not answer, or is not there, is nobody's trouble. */
Test(traces, without_a_collector_requests_are_as_ever)
{
    struct collector *collector = collector_start();
    struct process process = start_traced(collector);
    collector_hold(collector, true);
    for (int i = 0; i < 50; i++)
        client_expect_ok(ask(process.port, "POST", "/embed", "s3cret"));
    collector_await(collector, 1);
    collector_answer(collector, 500);
    collector_hold(collector, false);
    process_await_log(&process,
                      "\"message\":\"spans do not reach the collector\",\"reason\":\"the collector answers 500\"");
    collector_stop(collector);
    for (int i = 0; i < 10; i++)
        client_expect_ok(ask(process.port, "POST", "/embed", "s3cret"));
    process_stop(&process);
}

Test(traces, a_mistake_in_the_environment_ends_nothing_else)
{
    struct process process =
        process_start_with("--boards 1 --drain-seconds 0", "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317");
    process_await_log(&process, "\"message\":\"no spans are sent\",\"error\":\"OTEL_EXPORTER_OTLP_ENDPOINT: it begins");
    client_expect_ok(client_post(process.port, "/embed", good));
    cr_expect_eq(client_metric(process.port, "bertd_spans_sent_total"), -1);
    process_stop(&process);
}
