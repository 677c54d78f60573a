/* What is told of a call that has been answered: whose fault it was, in its span. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "server/serve/call.h"
#include "server/serve/record.h"
#include "server/serve/server.h"
#include "tests/trace/collector.h"

static char endpoint[64];

static const char *get_env(const char *name)
{
    return strcmp(name, "OTEL_EXPORTER_OTLP_ENDPOINT") == 0 ? endpoint : NULL;
}

Test(record, spans_say_what_was_the_servers_fault)
{
    static const struct {
        enum status status;
        bool failed;
    } rows[] = {{STATUS_OK, false},      {STATUS_VALIDATION, false}, {STATUS_CANCELLED, false}, {STATUS_BACKEND, true},
                {STATUS_INTERNAL, true}, {STATUS_TIMEOUT, true},     {STATUS_UNHEALTHY, true}};
    enum { ROWS = sizeof rows / sizeof *rows };
    static const struct serve_method method = {0};
    struct serve_server server = {0};
    struct trace_exporter *exporter = NULL;
    struct error err;
    struct collector *collector = collector_start();
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", collector_port(collector));
    cr_assert_eq(trace_exporter_create(&exporter, "1", get_env, NULL, &err), STATUS_OK, "%s", err.message);
    server.options.traces = exporter;
    for (int i = 0; i < ROWS; i++) {
        struct serve_call call;
        serve_call_init(&call, &server);
        serve_call_trace(&call, NULL, NULL);
        call.method = &method;
        call.answered = true;
        call.status = rows[i].status;
        serve_record(&call, &(struct serve_record){.route = "/a", .client = "b", .name = status_name(rows[i].status)});
        serve_call_finish(&call);
    }
    trace_exporter_destroy(&exporter);
    json_t *spans = collector_spans(collector);
    cr_assert_eq(json_array_size(spans), (size_t)ROWS);
    for (int i = 0; i < ROWS; i++) {
        const json_t *code = json_object_get(json_object_get(json_array_get(spans, (size_t)i), "status"), "code");
        cr_expect_eq(json_integer_value(code), rows[i].failed ? 2 : 0, "%s", status_name(rows[i].status));
    }
    json_decref(spans);
    collector_stop(collector);
}
