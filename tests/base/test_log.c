#include <criterion/criterion.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

Test(log, json_lines)
{
    char line[4096];
    int len = log_render(line, sizeof line, LOG_WARN, LOG_JSON, "odd \"thing\"",
                         LOG_FIELDS(log_str("path", "a\\b\n\x01 \xC3\xA9"), log_int("n", -5), log_real("x", 0.5),
                                    log_bool("yes", true), log_str("none", NULL)));
    cr_assert_eq(line[len - 1], '\n');
    json_error_t error;
    json_t *json = json_loadb(line, (size_t)len, 0, &error);
    cr_assert(json, "%.*s: %s", len, line, error.text);
    cr_expect_str_eq(json_string_value(json_object_get(json, "level")), "WARN");
    cr_expect_str_eq(json_string_value(json_object_get(json, "message")), "odd \"thing\"");
    cr_expect_str_eq(json_string_value(json_object_get(json, "path")), "a\\b\n\x01 \xC3\xA9");
    cr_expect_eq(json_integer_value(json_object_get(json, "n")), -5);
    cr_expect(json_is_true(json_object_get(json, "yes")));
    cr_expect(json_is_null(json_object_get(json, "none")));
    const char *time = json_string_value(json_object_get(json, "time"));
    cr_expect_eq(strlen(time), strlen("2026-01-02T03:04:05.123456Z"), "%s", time);
    cr_expect(time[4] == '-' && time[10] == 'T' && time[26] == 'Z', "%s", time);
    json_decref(json);
}

Test(log, long_fields_are_left_out_whole)
{
    char text[5000];
    char line[4096];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    int len = log_render(line, sizeof line, LOG_INFO, LOG_JSON, "m", LOG_FIELDS(log_int("a", 1), log_str("b", text)));
    json_t *json = json_loadb(line, (size_t)len, 0, NULL);
    cr_assert(json, "%.*s", len, line);
    cr_expect_eq(json_integer_value(json_object_get(json, "a")), 1);
    cr_expect_null(json_object_get(json, "b"));
    json_decref(json);
}

Test(log, human_lines)
{
    char line[256];
    int len = log_render(line, sizeof line, LOG_ERROR, LOG_HUMAN, "broken", LOG_FIELDS(log_str("why", "a b")));
    line[len] = '\0';
    cr_expect(strstr(line, " ERROR broken why=\"a b\"\n"), "%s", line);
}

Test(log, levels)
{
    log_init(LOG_WARN, LOG_JSON);
    cr_expect(log_enabled(LOG_ERROR) && log_enabled(LOG_WARN));
    cr_expect_not(log_enabled(LOG_INFO));
}

Test(log, bytes_that_are_not_utf8_are_replaced)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"/models/\xff/x", "/models/\xEF\xBF\xBD/x"},
        {"\xC3", "\xEF\xBF\xBD"},
        {"a\xE2\x82", "a\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xC3\xA9\x80\xC3\xA9", "\xC3\xA9\xEF\xBF\xBD\xC3\xA9"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[4096];
        int len = log_render(line, sizeof line, LOG_INFO, LOG_JSON, "m", LOG_FIELDS(log_str("path", cases[i].text)));
        json_t *json = json_loadb(line, (size_t)len, 0, NULL);
        cr_assert(json, "%.*s", len, line);
        cr_expect_str_eq(json_string_value(json_object_get(json, "path")), cases[i].shown);
        json_decref(json);
    }
}

/* stderr is a pipe that nobody reads until the test does. */
static int unread_stderr(void)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_assert_neq(dup2(ends[1], STDERR_FILENO), -1);
    close(ends[1]);
    log_init(LOG_DEBUG, LOG_JSON);
    struct error err;
    cr_assert_eq(log_start(&err), STATUS_OK, "%s", err.message);
    return ends[0];
}

/* All that is in the pipe: whole lines of JSON, each with a number one above the one before but for what is said to be
 * dropped. Returns how many were written or dropped. */
static int64_t count_lines(FILE *file, int64_t *ret_dropped)
{
    char line[8192];
    int64_t next = 0;
    *ret_dropped = 0;
    while (fgets(line, sizeof line, file)) {
        json_t *json = json_loads(line, 0, NULL);
        cr_assert(json, "%s", line);
        const json_t *number = json_object_get(json, "number"), *lines = json_object_get(json, "lines");
        if (number)
            cr_assert_eq(json_integer_value(number), next++, "%s", line);
        *ret_dropped += json_integer_value(lines);
        next += json_integer_value(lines);
        json_decref(json);
    }
    return next;
}

enum { LINES = 20000 };

static void *finish(void *unused)
{
    log_stop(600000);
    dup2(STDIN_FILENO, STDERR_FILENO); /* that was the last end to write to: now the reader sees the end */
    return unused;
}

Test(log, a_pipe_that_nobody_reads_stops_nobody_and_what_is_dropped_is_counted)
{
    pthread_t thread;
    int64_t dropped;
    int fd = unread_stderr();
    for (int i = 0; i < LINES; i++)
        log_debug("a line that is a little longer than the shortest ones", log_int("number", i));
    /* Now somebody reads. */
    cr_assert_eq(pthread_create(&thread, NULL, finish, NULL), 0);
    FILE *file = fdopen(fd, "r");
    cr_expect_eq(count_lines(file, &dropped), LINES);
    cr_expect_geq(dropped, LINES / 2);
    cr_expect_eq(log_dropped(), (uint64_t)dropped);
    pthread_join(thread, NULL);
    fclose(file);
}

Test(log, stopping_waits_no_longer_than_it_may)
{
    int fd = unread_stderr();
    for (int i = 0; i < LINES; i++)
        log_debug("x", log_int("number", i));
    log_stop(20);
    log_debug("x", log_int("number", LINES)); /* nobody waits for it */
    close(fd);
}

Test(log, what_is_queued_is_written_in_order_before_the_end)
{
    int fd = unread_stderr();
    for (int i = 0; i < 200; i++)
        log_debug("x", log_int("number", i));
    log_stop(100000);
    log_debug("direct", log_int("number", 200));
    dup2(STDIN_FILENO, STDERR_FILENO);
    FILE *file = fdopen(fd, "r");
    int64_t dropped;
    cr_expect_eq(count_lines(file, &dropped), 201);
    cr_expect_eq(dropped, 0);
    fclose(file);
}
