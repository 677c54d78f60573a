/* Spans to a collector that takes them, is not there, is slow, or refuses: who has spans never waits for it. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/trace/trace.h"
#include "tests/trace/collector.h"

static struct collector *collector;
static struct trace_exporter *exporter;
static char endpoint[64];
static atomic_int gone, back;

static const char *get_env(const char *name)
{
    static const char *const variables[] = {
        "OTEL_BSP_SCHEDULE_DELAY",        "20", "OTEL_BSP_MAX_QUEUE_SIZE",    "10",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4",  "OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=me"};
    if (strcmp(name, "OTEL_EXPORTER_OTLP_ENDPOINT") == 0)
        return endpoint;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i += 2) {
        if (strcmp(name, variables[i]) == 0)
            return variables[i + 1];
    }
    return NULL;
}

static void on_change(const char *reason)
{
    atomic_fetch_add(reason ? &gone : &back, 1);
}

static void begin(void)
{
    struct error err;
    unsetenv("http_proxy");
    collector = collector_start();
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", collector_port(collector));
    cr_assert_eq(trace_exporter_create(&exporter, "1.2.3", get_env, on_change, &err), STATUS_OK, "%s", err.message);
    cr_assert_not_null(exporter);
}

static void end(void)
{
    trace_exporter_destroy(&exporter);
    collector_stop(collector);
}

TestSuite(export, .init = begin, .fini = end);

static void submit(const char *name)
{
    struct trace_context context;
    trace_begin(&context, exporter, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "a=1,b=\"\\");
    cr_assert(context.sampled);
    const struct trace_attribute attributes[] = {{"http.route", "/e\"m\\b\xC3\xA9", 0}, {"bertd.tokens", NULL, -7}};
    uint64_t now = clock_now_ns();
    const struct trace_span spans[] = {
        {name, TRACE_SERVER, context.span_id, context.parent_id, now - 2000000, now, attributes, 2, true},
        {"queue", TRACE_INTERNAL, trace_span_id(), context.span_id, now - 1000, now, NULL, 0, false}};
    trace_exporter_submit(exporter, &context, spans, 2);
    trace_finish(&context);
}

static struct trace_stats await(uint64_t spans)
{
    struct trace_stats stats;
    do {
        usleep(1000);
        trace_exporter_get_stats(exporter, &stats);
    } while (stats.sent + stats.dropped < spans);
    return stats;
}

static const char *text_of(const json_t *span, const char *field)
{
    const char *text = json_string_value(json_object_get(span, field));
    cr_assert(text, "%s", field);
    return text;
}

Test(export, spans_have_the_shape_of_otlp)
{
    submit("POST /embed");
    cr_expect_eq(await(2).sent, 2u);
    json_t *spans = collector_spans(collector);
    cr_assert_eq(json_array_size(spans), 2u);
    json_t *span = json_array_get(spans, 0), *child = json_array_get(spans, 1);
    cr_expect_str_eq(text_of(span, "traceId"), "4bf92f3577b34da6a3ce929d0e0e4736");
    cr_expect_str_eq(text_of(span, "parentSpanId"), "00f067aa0ba902b7");
    cr_expect_str_eq(text_of(span, "traceState"), "a=1,b=\"\\");
    cr_expect_str_eq(text_of(span, "name"), "POST /embed");
    cr_expect_str_eq(text_of(child, "parentSpanId"), text_of(span, "spanId"));
    cr_expect_str_neq(text_of(child, "spanId"), text_of(span, "spanId"));
    cr_expect_eq(json_integer_value(json_object_get(span, "kind")), 2);
    cr_expect_eq(json_integer_value(json_object_get(json_object_get(span, "status"), "code")), 2);
    uint64_t from = strtoull(text_of(span, "startTimeUnixNano"), NULL, 10);
    uint64_t to = strtoull(text_of(span, "endTimeUnixNano"), NULL, 10);
    cr_expect_eq(to - from, 2000000u);
    cr_expect(from / 1000000000u > 1600000000u, "since 1970");
    char *attributes = json_dumps(json_object_get(span, "attributes"), JSON_COMPACT);
    cr_expect_str_eq(attributes, "[{\"key\":\"http.route\",\"value\":{\"stringValue\":\"/e\\\"m\\\\b??\"}},"
                                 "{\"key\":\"bertd.tokens\",\"value\":{\"intValue\":\"-7\"}}]");
    free(attributes);
    json_decref(spans);
    const char *head = collector_head(collector);
    cr_expect(strncmp(head, "POST /v1/traces HTTP/1.1\r\n", 26) == 0, "%s", head);
    cr_expect(strstr(head, "\r\nContent-Type: application/json\r\n") && strstr(head, "\r\nx-tenant: me\r\n"), "%s",
              head);
}

Test(export, a_slow_collector_holds_nobody_up)
{
    collector_hold(collector, true);
    submit("first");
    collector_await(collector, 1);
    for (int i = 0; i < 20; i++) /* 10 spans wait at most */
        submit("more");
    struct trace_stats stats;
    trace_exporter_get_stats(exporter, &stats);
    cr_expect_eq(stats.dropped, 30u);
    cr_expect_eq(stats.sent, 0u);
    collector_hold(collector, false);
    cr_expect_eq(await(42).sent, 12u);
    cr_expect_eq(collector_requests(collector), 4, "batches of up to 4 spans");
}

Test(export, what_is_refused_is_not_sent_again)
{
    collector_answer(collector, 500);
    submit("a");
    cr_expect_eq(await(2).dropped, 2u);
    cr_expect_eq(collector_requests(collector), 1);
    cr_expect_eq(atomic_load(&gone), 1);
    collector_answer(collector, 200);
    submit("b");
    cr_expect_eq(await(4).sent, 2u);
    submit("c");
    cr_expect_eq(await(6).sent, 4u);
    cr_expect_eq(atomic_load(&back), 1, "told once");
}

Test(export, a_busy_collector_is_asked_again)
{
    static const int codes[] = {429, 502, 503, 504};
    for (int i = 0; i < 4; i++) {
        collector_answer_once(collector, codes[i]);
        submit("a");
        struct trace_stats stats = await(2 * (uint64_t)(i + 1));
        cr_expect_eq(stats.sent, 2u * (uint64_t)(i + 1), "%d", codes[i]);
        cr_expect_eq(stats.dropped, 0u, "%d", codes[i]);
        cr_expect_eq(collector_requests(collector), 2 * (i + 1), "%d", codes[i]);
    }
}

Test(export, what_is_queued_is_sent_at_the_end)
{
    submit("a");
    submit("b");
    trace_exporter_destroy(&exporter);
    json_t *spans = collector_spans(collector);
    cr_expect_eq(json_array_size(spans), 4u);
    json_decref(spans);
}

/* The state is that of the trace it came with. */
Test(export, a_trace_that_begins_here_has_no_state)
{
    struct trace_context context;
    trace_begin(&context, exporter, "00-nothing", "a=1");
    cr_expect(context.sampled);
    cr_expect_null(context.state);
    trace_finish(&context);
}

/* It ends; the runner's time limit says otherwise. */
Test(export, an_end_does_not_wait_for_a_collector)
{
    collector_hold(collector, true);
    submit("a");
    collector_await(collector, 1);
    submit("b");
    trace_exporter_destroy(&exporter);
    cr_expect_null(exporter);
}

Test(export, nobody_is_there)
{
    struct error err;
    struct trace_exporter *other = NULL;
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:1"); /* a port that nobody has */
    trace_exporter_destroy(&exporter);
    cr_assert_eq(trace_exporter_create(&other, "1.2.3", get_env, on_change, &err), STATUS_OK);
    exporter = other;
    submit("a");
    cr_expect_eq(await(2).dropped, 2u, "after its attempts");
    cr_expect_eq(atomic_load(&gone), 1);
}

Test(exporter, is_none_without_a_collector)
{
    struct error err;
    struct trace_exporter *none = (struct trace_exporter *)endpoint;
    endpoint[0] = '\0';
    cr_expect_eq(trace_exporter_create(&none, "1.2.3", get_env, on_change, &err), STATUS_OK);
    cr_expect_null(none);
    trace_exporter_destroy(&none);
}
