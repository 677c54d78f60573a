/* W3C Trace Context: what is read, what is ignored, what is made anew. And what the environment says. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/trace/exporter.h"
#include "tests/config/environment.h"

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

Test(parent, is_read_as_specified)
{
    static const struct {
        const char *text;
        int sampled; /* -1: to be ignored */
    } rows[] = {
        {"00-" TRACE "-" PARENT "-01", 1},
        {"00-" TRACE "-" PARENT "-00", 0},
        {"00-" TRACE "-" PARENT "-ff", 1},
        {"00-" TRACE "-" PARENT "-02", 0},
        {"cc-" TRACE "-" PARENT "-01", 1},
        {"cc-" TRACE "-" PARENT "-01-what-comes-later", 1},
        {"cc-" TRACE "-" PARENT "-01.what", -1},
        {"00-" TRACE "-" PARENT "-01-more", -1},
        {"00-" TRACE "-" PARENT "-01-", -1},
        {"ff-" TRACE "-" PARENT "-01", -1},
        {"00-00000000000000000000000000000000-" PARENT "-01", -1},
        {"00-" TRACE "-0000000000000000-01", -1},
        {"00-4BF92f3577b34da6a3ce929d0e0e4736-" PARENT "-01", -1},
        {"00-" TRACE "-" PARENT "-0", -1},
        {"00-" TRACE "-" PARENT "-0x", -1},
        {"00-" TRACE "-" PARENT, -1},
        {"0-" TRACE "-" PARENT "-01", -1},
        {"00_" TRACE "-" PARENT "-01", -1},
        {"00-" TRACE "-" PARENT "_01", -1},
        {" 00-" TRACE "-" PARENT "-01", -1},
        {"00-" TRACE "-" PARENT "-01 ", -1},
        {"", -1},
        {"00-", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t trace[2] = {1, 2}, parent = 3;
        bool sampled = false;
        bool read = trace_parse_parent(rows[i].text, trace, &parent, &sampled);
        cr_expect_eq(read ? sampled : -1, rows[i].sampled, "%s", rows[i].text);
        cr_expect_eq(trace[0], read ? 0x4bf92f3577b34da6u : 1u, "%s", rows[i].text);
        cr_expect_eq(trace[1], read ? 0xa3ce929d0e0e4736u : 2u, "%s", rows[i].text);
        cr_expect_eq(parent, read ? 0x00f067aa0ba902b7u : 3u, "%s", rows[i].text);
    }
}

Test(state, is_checked)
{
    static const char *const good[] = {
        "a=1", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a=1, b=2 ,\tc=3", "a=1,,b=2", "0a-b_c*d/e@f=x y", "a=1,"};
    static const char *const bad[] = {"", ",", "a", "a=", "=1", "A=1", "a=1,a=2", "a b=1", "a=b=c", "a=\x01", "@a=1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_expect(trace_is_state(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(trace_is_state(bad[i]), "%s", bad[i]);
    char many[512] = "";
    for (int i = 0; i < 32; i++)
        sprintf(many + strlen(many), "%sk%d=v", i ? "," : "", i);
    cr_expect(trace_is_state(many));
    strcat(many, ",k32=v");
    cr_expect_not(trace_is_state(many), "33 members");
    char longest[600] = "a=";
    memset(longest + 2, 'x', 256);
    longest[258] = '\0';
    cr_expect(trace_is_state(longest));
    longest[258] = 'x';
    longest[259] = '\0';
    cr_expect_not(trace_is_state(longest));
    strcpy(longest, "a=");
    memset(longest + 2, 'x', 255);
    strcpy(longest + 257, ",b=");
    memset(longest + 260, 'x', 253);
    longest[513] = '\0';
    cr_expect_not(trace_is_state(longest), "513 characters");
}

Test(context, goes_on_or_begins)
{
    struct trace_context a, b;
    char trace[TRACE_ID_SIZE], span[TRACE_SPAN_ID_SIZE];
    trace_begin(&a, NULL, "00-" TRACE "-" PARENT "-01", "a=1");
    trace_write_ids(&a, trace, span);
    cr_expect_str_eq(trace, TRACE);
    cr_expect_eq(a.parent_id, 0x00f067aa0ba902b7u);
    cr_expect_neq(a.span_id, a.parent_id);
    cr_expect_eq(strlen(span), 16u);
    cr_expect_not(a.sampled, "nobody records");
    cr_expect_null(a.state);
    trace_finish(&a);
    trace_begin(&a, NULL, "00-nothing", "a=1");
    trace_begin(&b, NULL, NULL, NULL);
    cr_expect_eq(a.parent_id, 0u);
    cr_expect((a.trace_id[0] | a.trace_id[1]) && a.span_id);
    cr_expect(a.trace_id[0] != b.trace_id[0] && a.trace_id[1] != b.trace_id[1] && a.span_id != b.span_id);
    trace_finish(&a);
    trace_finish(&b);
}

/* Variables -------------------------------------------------------------------------------------------------------- */

static enum status read_settings(const char *const *variables, struct trace_settings *ret, struct error *err)
{
    environment = variables;
    return trace_settings_read(ret, "1.2.3", get_env, err);
}

static void expect_url(const char *const *variables, const char *want)
{
    struct trace_settings settings;
    struct error err;
    cr_assert_eq(read_settings(variables, &settings, &err), STATUS_OK, "%s", err.message);
    cr_expect(want ? settings.url && strcmp(settings.url, want) == 0 : !settings.url, "%s, not %s", settings.url, want);
    trace_settings_finish(&settings);
}

#define WITH(...) ((const char *const[]){__VA_ARGS__, NULL})

Test(settings, say_where)
{
    expect_url(NULL, NULL);
    expect_url(WITH("OTEL_EXPORTER_OTLP_ENDPOINT", ""), NULL);
    expect_url(WITH("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318"), "http://a:4318/v1/traces");
    expect_url(WITH("OTEL_EXPORTER_OTLP_ENDPOINT", "https://a/b/"), "https://a/b/v1/traces");
    expect_url(WITH("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://b/c/"),
               "http://b/c/");
    expect_url(WITH("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a", "OTEL_SDK_DISABLED", "True"), NULL);
    expect_url(WITH("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a", "OTEL_TRACES_EXPORTER", "none"), NULL);
    expect_url(WITH("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
               "http://a/v1/traces");
}

Test(settings, say_who_and_how)
{
    struct trace_settings s;
    struct error err;
    cr_assert_eq(read_settings(WITH("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"), &s, &err), STATUS_OK);
    cr_expect(s.parent_based && s.sampler == TRACE_ALL && s.max_queue == 2048 && s.delay_ms == 5000);
    cr_expect_str_eq(s.resource, "{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"bertd\"}},"
                                 "{\"key\":\"service.version\",\"value\":{\"stringValue\":\"1.2.3\"}}]}");
    trace_settings_finish(&s);
    static const char list[] = "service.name=x, team=a%20b=c,service.version=9";
    cr_assert_eq(read_settings(WITH("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a", "OTEL_RESOURCE_ATTRIBUTES", list,
                                    "OTEL_EXPORTER_OTLP_HEADERS", "X-Key = s%2C1 ,y=", "OTEL_EXPORTER_OTLP_TIMEOUT",
                                    "77", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "78", "OTEL_TRACES_SAMPLER",
                                    "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "0.25"),
                               &s, &err),
                 STATUS_OK, "%s", err.message);
    cr_expect(strstr(s.resource, "\"stringValue\":\"x\"") && strstr(s.resource, "\"a b=c\"") &&
                  !strstr(s.resource, "\"9\""),
              "%s", s.resource);
    const struct curl_slist *headers = s.headers->next->next;
    cr_expect_str_eq(headers->data, "X-Key: s,1");
    cr_expect_str_eq(headers->next->data, "y;");
    cr_expect_eq(s.timeout_ms, 78u);
    cr_expect(!s.parent_based && s.sampler == TRACE_RATIO && s.ratio == 0.25);
    trace_settings_finish(&s);
    cr_assert_eq(read_settings(WITH("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a", "OTEL_RESOURCE_ATTRIBUTES", list,
                                    "OTEL_SERVICE_NAME", "mine"),
                               &s, &err),
                 STATUS_OK);
    cr_expect(strstr(s.resource, "\"mine\"") && !strstr(s.resource, "\"x\""), "%s", s.resource);
    trace_settings_finish(&s);
}

Test(settings, mistakes_are_named)
{
    static const struct {
        const char *name, *value;
        enum status status;
    } rows[] = {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "localhost:4318", STATUS_USAGE},
                {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", STATUS_UNSUPPORTED},
                {"OTEL_EXPORTER_OTLP_TIMEOUT", "0", STATUS_USAGE},
                {"OTEL_EXPORTER_OTLP_TIMEOUT", "1s", STATUS_USAGE},
                {"OTEL_BSP_SCHEDULE_DELAY", "-1", STATUS_USAGE},
                {"OTEL_TRACES_SAMPLER", "sometimes", STATUS_USAGE},
                {"OTEL_EXPORTER_OTLP_HEADERS", "s3cret", STATUS_USAGE},
                {"OTEL_EXPORTER_OTLP_HEADERS", "a b=s3cret", STATUS_USAGE},
                {"OTEL_EXPORTER_OTLP_HEADERS", "a=s3cret%0d%0ab", STATUS_USAGE},
                {"OTEL_RESOURCE_ATTRIBUTES", "a=\xff", STATUS_USAGE},
                {"OTEL_RESOURCE_ATTRIBUTES", "a", STATUS_USAGE},
                {"OTEL_SERVICE_NAME", "\xff", STATUS_USAGE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct trace_settings s = {.timeout_ms = 99};
        struct error err;
        const char *const variables[] = {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a", rows[i].name, rows[i].value, NULL};
        cr_expect_eq(read_settings(variables, &s, &err), rows[i].status, "%s=%s", rows[i].name, rows[i].value);
        cr_expect(strstr(err.message, rows[i].name), "%s", err.message);
        cr_expect_null(strstr(err.message, "s3cret"), "%s", err.message);
        cr_expect_eq(s.timeout_ms, 99u, "untouched");
    }
}

Test(settings, sample)
{
    struct trace_context child = {.trace_id = {1, 1}, .parent_id = 5, .sampled = true};
    struct trace_context root = {.trace_id = {1, UINT64_MAX / 2}};
    struct trace_settings s = {.sampler = TRACE_NONE, .parent_based = true};
    cr_expect(trace_settings_sample(&s, &child));
    cr_expect_not(trace_settings_sample(&s, &root));
    s.parent_based = false;
    cr_expect_not(trace_settings_sample(&s, &child));
    s = (struct trace_settings){.sampler = TRACE_ALL, .parent_based = true};
    child.sampled = false;
    cr_expect_not(trace_settings_sample(&s, &child));
    cr_expect(trace_settings_sample(&s, &root));
    s = (struct trace_settings){.sampler = TRACE_RATIO, .ratio = 0.51};
    cr_expect(trace_settings_sample(&s, &root));
    s.ratio = 0.49;
    cr_expect_not(trace_settings_sample(&s, &root));
    root.trace_id[1] = UINT64_MAX;
    s.ratio = 1;
    cr_expect(trace_settings_sample(&s, &root));
    root.trace_id[1] = 0;
    s.ratio = 0;
    cr_expect_not(trace_settings_sample(&s, &root));
}
