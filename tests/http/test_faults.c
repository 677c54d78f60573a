/* Faults through HTTP: the admin route and the schedule, what /boards, /metrics and /health tell, and that answers keep
 * their bits. Each test that injects has a server of its own. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/client.h"
#include "tests/http/process.h"

static const char text[] = "{\"inputs\":\"the boards of this pool fail one by one\"}";
static const char pair[] = "{\"inputs\":[\"the boards of this pool fail one by one\",\"and come back by themselves\"]}";

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 2 --drain-seconds 0");
}

static json_t *boards_of(int port)
{
    struct answer answer = client_ask(port, "GET", "/boards", NULL);
    cr_assert_eq(answer.code, 200);
    json_t *boards = client_json(&answer);
    client_free(&answer);
    return boards;
}

/* A number of one board, or with `board` -1 of the whole. */
static json_int_t number_of(int port, int board, const char *name)
{
    json_t *all = boards_of(port);
    json_t *object = board < 0 ? all : json_array_get(json_object_get(all, "boards"), (size_t)board);
    json_t *number = json_object_get(object, name);
    cr_assert(json_is_integer(number), "no %s", name);
    json_int_t value = json_integer_value(number);
    json_decref(all);
    return value;
}

#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        for (int tries = 0; !(condition); tries++) {                                                                   \
            cr_assert_lt(tries, 6000, "never: " #condition);                                                           \
            usleep(10000);                                                                                             \
        }                                                                                                              \
    } while (0)

static struct answer inject(int port, const char *body)
{
    return client_post(port, "/admin/faults", body);
}

static char *answer_to(int port, const char *body)
{
    struct answer answer = client_post(port, "/embed", body);
    cr_assert_eq(answer.code, 200, "%s", answer.body);
    char *copy = strndup(answer.body, answer.len);
    client_free(&answer);
    return copy;
}

static void expect_same(int port, const char *body, const char *right)
{
    char *now = answer_to(port, body);
    cr_expect_str_eq(now, right);
    free(now);
}

Test(faults, none_on_request_unless_enabled)
{
    struct answer answer = inject(process_shared(), "{\"board\":0,\"kind\":\"fail\"}");
    client_expect_error(answer, 403, "Forbidden", "--enable-fault-injection");
    client_expect_error(inject(process_shared(), "rubbish"), 403, "Forbidden", "--enable-fault-injection");
    client_expect_error(client_ask(process_shared(), "GET", "/admin/faults", NULL), 405, "MethodNotAllowed", "POST");
    cr_expect_eq(number_of(process_shared(), 0, "faults_injected"), 0);
}

Test(faults, what_boards_tell)
{
    free(answer_to(process_shared(), text));
    json_t *all = boards_of(process_shared());
    cr_expect_eq(json_integer_value(json_object_get(all, "in_service")), 2);
    json_t *boards = json_object_get(all, "boards");
    cr_assert_eq(json_array_size(boards), 2u);
    static const char *const counts[] = {"layer_begin", "layer_end", "queue",       "layers",       "rows",
                                         "flights",     "splits",    "quarantines", "readmissions", "faults_injected"};
    for (size_t b = 0; b < 2; b++) {
        json_t *board = json_array_get(boards, b);
        char name[8];
        snprintf(name, sizeof name, "emu%zu", b);
        cr_expect_str_eq(json_string_value(json_object_get(board, "name")), name);
        cr_expect_str_eq(json_string_value(json_object_get(board, "kind")), "emu");
        const char *state = json_string_value(json_object_get(board, "state"));
        cr_expect(strcmp(state, "idle") == 0 || strcmp(state, "busy") == 0, "%s", state);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            cr_expect(json_is_integer(json_object_get(board, counts[i])), "%s", counts[i]);
        cr_expect_eq(json_integer_value(json_object_get(board, "layer_end")), 6);
        json_t *tasks = json_object_get(board, "tasks");
        cr_expect_eq(json_integer_value(json_object_get(tasks, "failed")), 0);
        cr_expect(json_is_integer(json_object_get(tasks, "done")) &&
                  json_is_integer(json_object_get(tasks, "cancelled")));
        double share = json_number_value(json_object_get(board, "busy_share"));
        cr_expect(share >= 0 && share <= 1, "%g", share);
        cr_expect(json_is_real(json_object_get(board, "busy_seconds")));
        cr_expect(json_is_null(json_object_get(board, "last_error")));
        cr_expect(json_is_null(json_object_get(board, "temperature")));
    }
    json_decref(all);
}

Test(faults, what_metrics_tell)
{
    free(answer_to(process_shared(), text));
    static const char *const lines[] = {
        "\nbertd_board_tasks_total{board=\"emu0\",result=\"done\"} ",
        "\nbertd_board_tasks_total{board=\"emu1\",result=\"cancelled\"} 0\n",
        "\nbertd_board_tasks_total{board=\"emu1\",result=\"failed\"} 0\n",
        "\nbertd_board_busy_share{board=\"emu0\"} ",
        "\nbertd_board_queue_tasks{board=\"emu0\"} ",
        "\nbertd_board_quarantines_total{board=\"emu0\"} 0\n",
        "\nbertd_board_readmissions_total{board=\"emu0\"} 0\n",
        "\nbertd_board_faults_injected_total{board=\"emu0\"} 0\n",
        "\nbertd_board_state{board=\"emu0\",state=\"quarantined\"} 0\n",
        "\n# TYPE bertd_queue_items gauge\n",
        "\nbertd_queue_items{class=\"interactive\"} ",
        "\nbertd_queue_items{class=\"bulk\"} ",
        "\nbertd_queue_tokens{class=\"bulk\"} ",
        "\n# TYPE bertd_flights_total counter\n",
        "\nbertd_flights_total{placement=\"replicate\",class=\"interactive\"} ",
        "\nbertd_flights_total{placement=\"split\",class=\"bulk\"} ",
        "\nbertd_flights_total{placement=\"pipeline\",class=\"bulk\"} 0\n",
        "\nbertd_queue_seconds_bucket{class=\"interactive\",le=\"+Inf\"} ",
        "\nbertd_queue_seconds_count{class=\"bulk\"} ",
        "\nbertd_scrubs_total ",
        "\nbertd_scrub_failures_total 0\n",
    };
    struct answer answer = client_ask(process_shared(), "GET", "/metrics", NULL);
    cr_assert_eq(answer.code, 200);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        cr_expect(strstr(answer.body, lines[i]), "no %s", lines[i]);
    cr_expect_null(strstr(answer.body, "temperature"), "no board has a sensor");
    client_free(&answer);
}

Test(faults, each_kind_on_request)
{
    struct process process =
        process_start("--boards 2 --drain-seconds 0 --placement replicate --enable-fault-injection");
    cr_expect(process_logged(&process, "faults are injected on request"));
    int port = process.port;
    char *right = answer_to(port, text), *right_pair = answer_to(port, pair);
    static const char *const kinds[] = {"fail", "hang", "load", "accumulator", "weight", "activation", "hidden"};
    json_int_t injected = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        char body[96];
        snprintf(body, sizeof body, "{\"board\":0,\"kind\":\"%s\",\"seed\":%zu}", kinds[k], k);
        struct answer answer = inject(port, body);
        if (answer.code == 501) { /* the engine has no checksums that would find it */
            client_expect_error(answer, 501, "Unimplemented", kinds[k]);
            continue;
        }
        client_expect_ok(answer);
        injected++;
        for (int tries = 0; number_of(port, 0, "quarantines") < injected; tries++) {
            cr_assert_lt(tries, 500, "%s is never noticed", kinds[k]);
            expect_same(port, text, right);
            expect_same(port, pair, right_pair);
        }
        WAIT_FOR(number_of(port, 0, "readmissions") == injected);
        expect_same(port, text, right);
    }
    json_t *all = boards_of(port);
    json_t *error = json_object_get(json_array_get(json_object_get(all, "boards"), 0), "last_error");
    cr_expect(strlen(json_string_value(json_object_get(error, "message"))) > 0);
    cr_expect_eq(strlen(json_string_value(json_object_get(error, "time"))), strlen("2026-01-01T00:00:00Z"));
    cr_expect(json_real_value(json_object_get(error, "seconds_ago")) >= 0);
    json_decref(all);
    cr_expect_eq(number_of(port, 0, "faults_injected"), injected);
    cr_expect_eq(number_of(port, 1, "quarantines"), 0);
    client_expect_ok(inject(port, "{\"board\":0,\"kind\":\"slow\",\"factor\":3,\"for_ms\":50}"));
    expect_same(port, text, right);
    cr_expect(process_logged(&process, "fault injected"));
    cr_expect(process_logged(&process, "board out of service"));
    cr_expect(process_logged(&process, "board back in service"));
    free(right);
    free(right_pair);
    process_stop(&process);
}

Test(faults, what_is_refused)
{
    struct process process =
        process_start("--board fp32 --boards 1 --drain-seconds 0 --enable-fault-injection --api-key k");
    int port = process.port;
    static const char body[] = "{\"board\":0,\"kind\":\"fail\"}";
    client_expect_error(inject(port, body), 401, "Unauthenticated", "API key");
    client_expect_error(client_ask(port, "GET", "/boards", NULL), 401, "Unauthenticated", "API key");
    static const struct {
        const char *body;
        long code;
        const char *type, *words;
    } wrong[] = {
        {"", 400, "Validation", "line 1"},
        {"{\"board\":0,", 400, "Validation", "line 1, column"},
        {"{\"board\":1,\"kind\":\"fail\"}", 422, "Validation", "`board`: expected the number of a board, 0 to 0"},
        {"{\"board\":0,\"kind\":\"explode\"}", 422, "Validation", "`kind`: expected one of \"fail\""},
        {"{\"board\":0,\"kind\":\"slow\",\"factor\":0}", 422, "Validation", "`factor`"},
        {"{\"board\":0,\"kind\":\"fail\",\"every_ms\":5}", 422, "Validation", "`every_ms`: unknown here"},
        {"{\"board\":0,\"kind\":\"weight\"}", 501, "Unimplemented", "fp32-0"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        client_expect_error(
            client_ask(port, "POST", "/admin/faults",
                       &(struct sending){.body = wrong[i].body, .headers = {"Authorization: Bearer k"}}),
            wrong[i].code, wrong[i].type, wrong[i].words);
    process_stop(&process);
}

Test(faults, all_boards_at_once)
{
    struct process process =
        process_start("--boards 2 --drain-seconds 0 --placement replicate --enable-fault-injection");
    int port = process.port;
    char *right = answer_to(port, text);
    client_expect_ok(inject(port, "{\"board\":0,\"kind\":\"load\",\"count\":16}"));
    client_expect_ok(inject(port, "{\"board\":1,\"kind\":\"load\",\"count\":16}"));
    struct answer answer = client_post(port, "/embed", text);
    cr_expect_eq(atoi(client_header(&answer, "Retry-After")) >= 1, 1, "%s", answer.headers);
    client_expect_error(answer, 503, "Unhealthy", "no board is in service");
    client_expect_error(client_ask(port, "GET", "/health", NULL), 503, "Unhealthy", "no board");
    cr_expect_eq(number_of(port, -1, "in_service"), 0);
    struct answer late;
    for (int tries = 0; (late = client_ask(port, "GET", "/health", NULL)).code != 200; tries++) {
        cr_assert_eq(late.code, 503);
        cr_assert_lt(tries, 6000);
        client_free(&late);
        usleep(10000);
    }
    client_free(&late);
    expect_same(port, text, right);
    WAIT_FOR(number_of(port, -1, "in_service") == 2);
    expect_same(port, text, right);
    free(right);
    process_stop(&process);
}

Test(faults, a_damaged_image_is_found_and_loaded_again)
{
    struct process process = process_start("--boards 2 --drain-seconds 0 --enable-fault-injection"
                                           " --scrub-interval-seconds 1");
    int port = process.port;
    char *right = answer_to(port, text);
    client_expect_ok(inject(port, "{\"board\":1,\"kind\":\"image\",\"seed\":4242}"));
    WAIT_FOR(number_of(port, 1, "readmissions") == 1);
    cr_expect_eq(number_of(port, 0, "quarantines"), 0);
    cr_expect(process_logged(&process, "its model image no longer has its checksum"));
    expect_same(port, text, right);
    free(right);
    process_stop(&process);
}

static void write_file(const char *path, const char *words)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(words, file);
    fclose(file);
}

Test(faults, by_a_schedule)
{
    char path[] = "/tmp/bertd-faults-XXXXXX", options[256];
    close(mkstemp(path));
    write_file(path, "{\"seed\":3,\"faults\":["
                     "{\"board\":0,\"kind\":\"fail\",\"every_ms\":20,\"times\":3},"
                     "{\"board\":0,\"kind\":\"slow\",\"factor\":2,\"for_ms\":20,\"random_ms\":30,\"times\":4}]}");
    snprintf(options, sizeof options, "--boards 2 --drain-seconds 0 --fault-file %s", path);
    struct process process = process_start(options);
    int port = process.port;
    WAIT_FOR(number_of(port, 0, "faults_injected") == 7);
    char *first = answer_to(port, text);
    for (int i = 0; i < 20; i++)
        expect_same(port, text, first);
    WAIT_FOR(number_of(port, -1, "in_service") == 2);
    cr_expect_eq(number_of(port, 0, "quarantines"), number_of(port, 0, "readmissions"));
    client_expect_error(inject(port, "{\"board\":0,\"kind\":\"fail\"}"), 403, "Forbidden", "--enable-fault-injection");
    cr_expect(process_logged(&process, "faults are injected by a schedule"));
    free(first);
    process_stop(&process);
    unlink(path);
}

static void refused_file(const char *path, const char *content, const char *words)
{
    char options[700], output[16384];
    if (content)
        write_file(path, content);
    snprintf(options, sizeof options, "--model-id %s --port 0 --boards 1 --json-output --fault-file %s",
             process_model(), path);
    cr_expect_eq(process_run(options, output, sizeof output), 2, "%s", output);
    cr_expect(strstr(output, words), "\"%s\" does not say \"%s\"", output, words);
    cr_expect(strstr(output, path), "\"%s\" does not name the file", output);
}

Test(faults, a_schedule_with_mistakes_is_refused_at_the_start)
{
    char path[] = "/tmp/bertd-faults-XXXXXX";
    close(mkstemp(path));
    refused_file(path, "", "--fault-file: ");
    refused_file(path, "{\n\"faults\": [}", "line 2, column");
    refused_file(path, "{\"faults\":[{\"board\":1,\"kind\":\"fail\"}]}", "`faults[0].board`: expected the number");
    unlink(path);
    refused_file(path, NULL, "No such file");
}
