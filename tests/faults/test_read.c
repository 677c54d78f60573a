/* Schedules of faults as JSON: what they mean, and what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/faults/faults.h"

static enum status read_text(struct faults_schedule *faults, const char *text, struct error *err)
{
    return faults_read_schedule(faults, text, strlen(text), 2, err);
}

static struct faults_schedule faults_of(const char *text)
{
    struct faults_schedule faults = {0};
    struct error err = {0};
    enum status status = read_text(&faults, text, &err);
    cr_assert_eq(status, STATUS_OK, "%s: %s", text, err.message);
    return faults;
}

Test(faults, a_schedule)
{
    struct faults_schedule faults =
        faults_of("{\"seed\": 7, \"faults\": ["
                  "{\"board\": 1, \"kind\": \"hang\", \"after_ms\": 2000},"
                  "{\"board\": \"any\", \"kind\": \"slow\", \"factor\": 2.5, \"for_ms\": 500,"
                  " \"random_ms\": 3000},"
                  "{\"board\": 0, \"kind\": \"load\", \"count\": 3, \"every_ms\": 10000,"
                  " \"times\": 5}]}");
    cr_assert_eq(faults.n, 3u);
    cr_expect_eq(faults.seed, 7u);
    const struct faults_rule *rule = &faults.rules[0];
    cr_expect_eq(rule->board, 1);
    cr_expect_eq(rule->fault.kind, BOARD_FAULT_HANG);
    cr_expect_eq(rule->fault.count, 1u);
    cr_expect(rule->after_ns == 2000000000u && rule->every_ns == 0 && !rule->random && rule->times == 0);
    rule = &faults.rules[1];
    cr_expect_eq(rule->board, FAULTS_ANY_BOARD);
    cr_expect_eq(rule->fault.kind, BOARD_FAULT_SLOW);
    cr_expect(rule->fault.factor == 2.5 && rule->fault.for_ns == 500000000u);
    cr_expect(rule->every_ns == 3000000000u && rule->random);
    rule = &faults.rules[2];
    cr_expect(rule->fault.kind == BOARD_FAULT_LOAD && rule->fault.count == 3);
    cr_expect(rule->every_ns == 10000000000u && !rule->random && rule->times == 5);
    faults_schedule_finish(&faults);
    cr_expect_null(faults.rules);
    faults = faults_of("{\"faults\":[]}");
    cr_expect_eq(faults.n, 0u);
    faults_schedule_finish(&faults);
}

Test(faults, every_kind_has_its_word)
{
    for (int kind = 0; kind < BOARD_FAULTS; kind++) {
        char text[160];
        snprintf(text, sizeof text, "{\"faults\":[{\"board\":0,\"kind\":\"%s\"%s}]}",
                 board_fault_name((enum board_fault_kind)kind),
                 kind == BOARD_FAULT_SLOW ? ",\"factor\":2,\"for_ms\":1" : "");
        struct faults_schedule faults = faults_of(text);
        cr_expect_eq((int)faults.rules[0].fault.kind, kind);
        faults_schedule_finish(&faults);
    }
}

static void refused(const char *text, enum status want, const char *words)
{
    struct faults_schedule faults = {.n = 77};
    struct error err = {0};
    enum status status = read_text(&faults, text, &err);
    cr_expect_eq(status, want, "%s: %s, %s", text, status_name(status), err.message);
    cr_expect(strstr(err.message, words), "%s: \"%s\" does not say \"%s\"", text, err.message, words);
    cr_expect_eq(faults.n, 77u, "ret is untouched on failure");
}

/* One fault with these fields more. */
static void refused_fields(const char *fields, const char *words)
{
    char text[512];
    snprintf(text, sizeof text, "{\"faults\":[{\"board\":0,\"kind\":\"fail\"},{%s}]}", fields);
    refused(text, STATUS_VALIDATION, words);
}

Test(faults, what_is_not_json)
{
    refused("", STATUS_MALFORMED, "line 1");
    refused("{\n  \"faults\": [\n    {\"board\": 0,, }\n]}", STATUS_MALFORMED, "line 3");
    refused("{\"faults\":[]} []", STATUS_MALFORMED, "line 1, column");
    refused("{\"faults\":[],\"faults\":[]}", STATUS_MALFORMED, "duplicate");
    refused("{\"faults\":[{\"board\":0,\"board\":1}]}", STATUS_MALFORMED, "duplicate");
    refused("{\"seed\": \"\xFF\xFE\"}", STATUS_MALFORMED, "line 1");
    refused("{\"seed\": 99999999999999999999}", STATUS_VALIDATION, "`seed`: expected a whole number");
    char *deep = malloc(100001);
    memset(deep, '[', 100000);
    deep[100000] = '\0';
    struct faults_schedule faults;
    struct error err = {0};
    cr_expect_eq(read_text(&faults, deep, &err), STATUS_MALFORMED);
    free(deep);
    static const char with_nul[] = "{\"faults\":[]\0}";
    cr_expect_eq(faults_read_schedule(&faults, with_nul, sizeof with_nul - 1, 2, &err), STATUS_MALFORMED);
}

Test(faults, wrong_shapes)
{
    refused("[]", STATUS_VALIDATION, "expected an object");
    refused("null", STATUS_MALFORMED, "line 1");
    refused("{}", STATUS_VALIDATION, "`faults`: expected an array");
    refused("{\"faults\":{}}", STATUS_VALIDATION, "`faults`: expected an array");
    refused("{\"faults\":[3]}", STATUS_VALIDATION, "`faults[0]`: expected an object");
    refused("{\"faults\":[],\"sede\":1}", STATUS_VALIDATION, "`sede`: unknown here; known are: seed, faults");
    refused("{\"faults\":[],\"seed\":-1}", STATUS_VALIDATION, "`seed`: expected a whole number");
    refused("{\"faults\":[],\"seed\":1.5}", STATUS_VALIDATION, "`seed`: expected a whole number");
    char *many = calloc(1, 64 * 1024);
    strcat(many, "{\"faults\":[");
    size_t len = strlen(many);
    for (int i = 0; i < FAULTS_MAX_RULES + 1; i++)
        len += (size_t)sprintf(many + len, "%s{\"board\":0,\"kind\":\"fail\"}", i ? "," : "");
    strcpy(many + len, "]}");
    struct faults_schedule faults;
    struct error err = {0};
    cr_expect_eq(read_text(&faults, many, &err), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "at most 1024"), "%s", err.message);
    free(many);
}

Test(faults, wrong_fields)
{
    refused_fields("\"kind\":\"fail\"", "`faults[1].board`: expected the number of a board, 0 to 1, or \"any\"");
    refused_fields("\"board\":2,\"kind\":\"fail\"", "`faults[1].board`");
    refused_fields("\"board\":-1,\"kind\":\"fail\"", "`faults[1].board`");
    refused_fields("\"board\":\"emu0\",\"kind\":\"fail\"", "`faults[1].board`");
    refused_fields("\"board\":null,\"kind\":\"fail\"", "`faults[1].board`");
    refused_fields("\"board\":0", "`faults[1].kind`: expected one of \"fail\", \"hang\"");
    refused_fields("\"board\":0,\"kind\":\"Fail\"", "`faults[1].kind`");
    refused_fields("\"board\":0,\"kind\":3", "`faults[1].kind`");
    refused_fields("\"board\":0,\"kind\":\"fail\",\"count\":0", "`faults[1].count`: expected a whole number from 1 to");
    refused_fields("\"board\":0,\"kind\":\"fail\",\"count\":1e3", "`faults[1].count`");
    refused_fields("\"board\":0,\"kind\":\"fail\",\"factor\":2", "`faults[1].factor`");
    refused_fields("\"board\":0,\"kind\":\"fail\",\"for_ms\":2", "`faults[1].for_ms`");
    refused_fields("\"board\":0,\"kind\":\"slow\"", "`faults[1].factor`: expected a number from 1");
    refused_fields("\"board\":0,\"kind\":\"slow\",\"factor\":0.5,\"for_ms\":1", "`faults[1].factor`");
    refused_fields("\"board\":0,\"kind\":\"slow\",\"factor\":1e300,\"for_ms\":1", "`faults[1].factor`");
    refused_fields("\"board\":0,\"kind\":\"slow\",\"factor\":2", "`faults[1].for_ms`");
    refused_fields("\"board\":0,\"kind\":\"slow\",\"factor\":2,\"for_ms\":0", "`faults[1].for_ms`");
    refused_fields("\"board\":0,\"kind\":\"slow\",\"factor\":2,\"for_ms\":1,\"count\":2", "`faults[1].count`");
    refused_fields("\"board\":0,\"kind\":\"fail\",\"every_ms\":0", "`faults[1].every_ms`: expected a whole number");
    refused_fields("\"board\":0,\"kind\":\"fail\",\"random_ms\":-5", "`faults[1].random_ms`");
    refused_fields("\"board\":0,\"kind\":\"fail\",\"every_ms\":5,\"random_ms\":5", "`faults[1].random_ms`");
    refused_fields("\"board\":0,\"kind\":\"fail\",\"times\":5", "`faults[1].times`: expected it only beside");
    refused_fields("\"board\":0,\"kind\":\"fail\",\"after_ms\":9223372036854775807", "`faults[1].after_ms`");
    refused_fields("\"board\":0,\"kind\":\"fail\",\"evry_ms\":5", "`faults[1].evry_ms`: unknown here");
    /* a long key is cut at a whole character */
    refused_fields("\"board\":0,\"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
                   "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
                   "a\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\":1",
                   "\xC3\xA9`: unknown here");
}

Test(faults, one_fault_now)
{
    static const char text[] = "{\"board\":1,\"kind\":\"weight\",\"count\":2,\"seed\":9}";
    uint32_t board = 77;
    struct board_fault fault = {0};
    struct error err = {0};
    cr_assert_eq(faults_read_one(&board, &fault, text, sizeof text - 1, 2, &err), STATUS_OK, "%s", err.message);
    cr_expect(board == 1 && fault.kind == BOARD_FAULT_WEIGHT && fault.count == 2 && fault.seed == 9);
    static const struct {
        const char *text;
        enum status status;
        const char *words;
    } wrong[] = {
        {"", STATUS_MALFORMED, "line 1"},
        {"[]", STATUS_VALIDATION, "an object"},
        {"{\"kind\":\"fail\"}", STATUS_VALIDATION, "`board`: expected the number of a board, 0 to 1"},
        {"{\"board\":\"any\",\"kind\":\"fail\"}", STATUS_VALIDATION, "`board`"},
        {"{\"board\":0,\"kind\":\"fail\",\"after_ms\":5}", STATUS_VALIDATION, "`after_ms`: unknown here"},
        {"{\"board\":0,\"kind\":\"fail\",\"seed\":-5}", STATUS_VALIDATION, "`seed`"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        enum status status = faults_read_one(&board, &fault, wrong[i].text, strlen(wrong[i].text), 2, &err);
        cr_expect_eq(status, wrong[i].status, "%s: %s", wrong[i].text, err.message);
        cr_expect(strstr(err.message, wrong[i].words), "%s: %s", wrong[i].text, err.message);
        cr_expect(board == 1 && fault.seed == 9, "untouched");
    }
}

Test(faults, no_memory)
{
    struct faults_schedule faults = {.n = 77};
    mem_fail_after(0);
    cr_expect_eq(read_text(&faults, "{\"faults\":[{\"board\":0,\"kind\":\"fail\"}]}", NULL), STATUS_NO_MEMORY);
    mem_fail_after(-1);
    cr_expect_eq(faults.n, 77u);
}
