#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

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
