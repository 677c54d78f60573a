/* GET /metrics of a running server: what is counted where, and text that Prometheus takes. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/client.h"
#include "tests/http/process.h"

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 1 --drain-seconds 0 --max-client-batch-size 7 --payload-limit 100000");
}

static double metric(const char *name)
{
    return client_metric(process_shared(), name);
}

static char *metrics_text(int port)
{
    struct answer answer = client_ask(port, "GET", "/metrics", NULL);
    cr_assert_eq(answer.code, 200);
    char *text = strdup(answer.body);
    client_free(&answer);
    return text;
}

/* Of all reasons. */
static double failures(int port)
{
    char *text = metrics_text(port);
    double sum = 0;
    int n = 0;
    for (const char *at = text; (at = strstr(at, "\nte_request_failure{")) != NULL; at++, n++)
        sum += strtod(strchr(at + 1, ' '), NULL);
    cr_assert_gt(n, 5);
    free(text);
    return sum;
}

/* The text ----------------------------------------------------------------------------------------------------------*/

struct family {
    char name[64];
    char type[16];
};

struct series {
    char last[256]; /* without its value */
    double bucket;
    bool is_last_bucket;
};

static bool has_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name), suffix_len = strlen(suffix);
    return len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

static void check_family(const struct family *family)
{
    bool counter = strcmp(family->type, "counter") == 0;
    bool known = counter || strcmp(family->type, "gauge") == 0 || strcmp(family->type, "histogram") == 0;
    cr_expect(known, "%s: %s", family->name, family->type);
    cr_expect_eq(strspn(family->name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(family->name));
    if (strncmp(family->name, "te_", 3) != 0) /* names that are not ours to choose */
        cr_expect_eq(counter, has_suffix(family->name, "_total"), "%s is a %s", family->name, family->type);
}

static void check_sample(const char *line, const struct family *family, struct series *series)
{
    char name[64];
    size_t len = strcspn(line, "{ ");
    const char *value = strrchr(line, ' ');
    char *end;
    cr_assert(len < sizeof name && value, "%s", line);
    snprintf(name, sizeof name, "%.*s", (int)len, line);
    double number = strtod(value + 1, &end);
    cr_expect(*end == '\0' && !isnan(number), "%s", line);
    bool histogram = strcmp(family->type, "histogram") == 0;
    size_t family_len = strlen(family->name);
    cr_expect(strncmp(name, family->name, family_len) == 0, "%s after the head of %s", line, family->name);
    const char *suffix = name + family_len;
    cr_expect(histogram ? !strcmp(suffix, "_bucket") || !strcmp(suffix, "_sum") || !strcmp(suffix, "_count") : !*suffix,
              "%s", line);
    if (strcmp(suffix, "_bucket") == 0) {
        cr_expect(series->is_last_bucket || number >= series->bucket, "%s is less than the one before", line);
        series->is_last_bucket = strstr(line, "le=\"+Inf\"") != NULL;
        series->bucket = number;
    } else if (strcmp(suffix, "_count") == 0) {
        cr_expect_eq(number, series->bucket, "%s", line);
    }
}

/* Each family once, with its head before its samples; no sample twice. */
Test(metrics, are_well_formed)
{
    enum { MOST = 400 };
    static struct family families[MOST];
    static const char *lines[4000];
    struct series series = {.is_last_bucket = true};
    size_t n = 0, n_lines = 0;
    client_expect_ok(client_post(process_shared(), "/embed", "{\"inputs\":[\"a\",\"b\"]}"));
    char *text = metrics_text(process_shared());
    cr_assert_eq(text[strlen(text) - 1], '\n');
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        struct family *family = &families[n];
        if (strncmp(line, "# HELP ", 7) == 0) {
            cr_assert_lt(n, (size_t)MOST - 1);
            cr_expect_eq(sscanf(line, "# HELP %63s", families[n].name), 1, "%s", line);
            cr_expect(strlen(line) > strlen(families[n].name) + 8, "%s: no words", line);
            for (size_t i = 0; i < n; i++)
                cr_expect_str_neq(families[i].name, families[n].name);
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            char name[64];
            cr_expect_eq(sscanf(line, "# TYPE %63s %15s", name, family->type), 2, "%s", line);
            cr_expect_str_eq(name, family->name);
            check_family(family);
            n++;
        } else {
            cr_assert(n > 0 && n_lines < 4000);
            check_sample(line, &families[n - 1], &series);
            lines[n_lines++] = line;
        }
    }
    cr_expect_gt(n, 50u);
    for (size_t i = 0; i < n_lines; i++) {
        size_t len = (size_t)(strrchr(lines[i], ' ') - lines[i]) + 1;
        for (size_t k = i + 1; k < n_lines; k++)
            cr_expect(strncmp(lines[i], lines[k], len) != 0, "%s twice", lines[i]);
    }
    free(text);
}

/* What is counted ---------------------------------------------------------------------------------------------------*/

Test(metrics, failures_are_of_inference)
{
    static const char other[] = "bertd_http_responses_total{route=\"other\",code=\"404\"}";
    static const char embed[] = "bertd_http_responses_total{route=\"/embed\",code=\"415\"}";
    struct process process = process_start("--boards 1 --drain-seconds 600");
    int port = process.port;
    client_expect_error(client_ask(port, "GET", "/nothing", NULL), 404, "NotFound", "");
    client_expect_error(client_ask(port, "GET", "/embed", NULL), 405, "MethodNotAllowed", "");
    client_expect_error(client_post(port, "/admin/faults", "{}"), 403, "Forbidden", "");
    kill(process.pid, SIGTERM);
    process_await_log(&process, "\"draining\"");
    client_expect_error(client_ask(port, "GET", "/health", NULL), 503, "Unhealthy", "");
    cr_expect_eq(client_metric(port, "bertd_draining"), 1);
    cr_expect_eq(failures(port), 0);
    cr_expect_eq(client_metric(port, other), 1);
    cr_expect_eq(client_metric(port, "bertd_http_responses_total{route=\"/embed\",code=\"405\"}"), 1);
    cr_expect_eq(client_metric(port, "bertd_http_responses_total{route=\"/admin/faults\",code=\"403\"}"), 1);
    cr_expect_eq(client_metric(port, "bertd_http_responses_total{route=\"/health\",code=\"503\"}"), 1);
    client_expect_error(client_post(port, "/tokenize", "{\"inputs\":\"\"}"), 400, "Empty", "");
    cr_expect_eq(client_metric(port, "te_request_failure{err=\"empty\"}"), 1);
    client_expect_error(
        client_ask(port, "POST", "/embed", &(struct sending){.body = "{}", .headers = {"Content-Type: text/plain"}}),
        415, "Validation", "");
    cr_expect_eq(failures(port), 2);
    cr_expect_eq(client_metric(port, embed), 1);
    process_stop(&process);
}

Test(metrics, tell_what_runs)
{
    struct answer answer = client_ask(process_shared(), "GET", "/info", NULL);
    json_t *info = client_json(&answer);
    char name[256];
    snprintf(name, sizeof name,
             "bertd_build_info{version=\"%s\",libmicrohttpd=\"%s\",compute_type=\"%s\",instruction_set=\"%s\"}",
             json_string_value(json_object_get(info, "version")),
             json_string_value(json_object_get(info, "libmicrohttpd")),
             json_string_value(json_object_get(info, "compute_type")),
             json_string_value(json_object_get(info, "instruction_set")));
    char *text = metrics_text(process_shared());
    cr_expect(strstr(text, name), "%s", name);
    cr_expect_eq(metric("bertd_boards"), json_integer_value(json_object_get(info, "boards")));
    cr_expect_eq(metric("bertd_boards"), 1);
    cr_expect_eq(metric("bertd_draining"), 0);
    cr_expect_eq(metric("bertd_limit_request_inputs"), 7);
    cr_expect_eq(metric("bertd_limit_request_body_bytes"), 100000);
    cr_expect_eq(metric("bertd_limit_input_tokens"), 256);
    cr_expect_eq(metric("bertd_limit_request_seconds"), 60);
    cr_expect_eq(metric("bertd_limit_concurrent_requests"), 512);
    free(text);
    json_decref(info);
    client_free(&answer);
}

Test(metrics, truncations_and_unknown_fields)
{
    char body[4000], *to = body + sprintf(body, "{\"colour\":[{}],\"size\":7,\"inputs\":[\"short\",\"");
    for (int i = 0; i < 400; i++)
        to += sprintf(to, "word ");
    sprintf(to, "\"]}");
    double truncated = metric("bertd_truncated_inputs_total");
    double unknown = metric("bertd_unknown_fields_total");
    client_expect_ok(client_post(process_shared(), "/embed", body));
    cr_expect(metric("bertd_truncated_inputs_total") >= truncated + 1);
    cr_expect(metric("bertd_unknown_fields_total") >= unknown + 2);
    client_expect_ok(client_post(process_shared(), "/tokenize", "{\"inputs\":\"a\",\"normalize\":true}"));
    client_expect_ok(client_post(process_shared(), "/decode", "{\"ids\":[101],\"\\u00e4\":null}"));
    cr_expect(metric("bertd_unknown_fields_total") >= unknown + 4);
}

Test(metrics, seconds_by_class)
{
    static const char *const names[] = {"request", "queue", "inference"};
    static const char *const classes[] = {"interactive", "bulk"};
    for (int c = 0; c < 2; c++) {
        char header[64], name[3][128];
        double before[3];
        for (int i = 0; i < 3; i++) {
            snprintf(name[i], sizeof name[i], "bertd_%s_seconds_count{class=\"%s\"}", names[i], classes[c]);
            before[i] = metric(name[i]);
            cr_assert_geq(before[i], 0, "%s", name[i]);
        }
        snprintf(header, sizeof header, "x-bertd-priority: %s", classes[c]);
        client_expect_ok(client_ask(process_shared(), "POST", "/embed",
                                    &(struct sending){.body = "{\"inputs\":\"a\"}", .headers = {header}}));
        for (int i = 0; i < 3; i++)
            cr_expect(metric(name[i]) >= before[i] + 1, "%s", name[i]);
    }
}

/* The end of the last bucket but +Inf. */
static double longest(int port)
{
    char *text = metrics_text(port);
    const char *infinite = strstr(text, "te_request_duration_bucket{le=\"+Inf\"}");
    const char *bucket = infinite;
    cr_assert_not_null(infinite);
    do
        bucket--;
    while (strncmp(bucket, "{le=\"", 5) != 0);
    double end = strtod(bucket + 5, NULL);
    free(text);
    return end;
}

Test(metrics, buckets_reach_the_time_limit)
{
    static const struct {
        const char *options;
        double least, most;
    } rows[] = {{"--boards 1 --drain-seconds 0 --request-timeout-ms 1000", 14, 15},
                {"--boards 1 --drain-seconds 0 --request-timeout-ms 600000", 600, 900},
                {"--boards 1 --drain-seconds 0 --request-timeout-ms 0", 86400, 130000}};
    double by_default = longest(process_shared());
    cr_expect(by_default >= 60 && by_default < 90, "%g", by_default);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct process process = process_start(rows[i].options);
        double end = longest(process.port);
        cr_expect(end >= rows[i].least && end <= rows[i].most, "%s: %g", rows[i].options, end);
        process_stop(&process);
    }
}
