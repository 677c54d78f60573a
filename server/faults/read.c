#include "server/faults/faults.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

enum { MAX_COUNT = 1000000, MAX_FACTOR = 1000000 };
#define MAX_MS (7 * 86400 * 1000ll) /* a week */

/* What is read of one fault: members of a JSON object at `path` ("faults[2]", or "" for the whole text). */
struct reader {
    const json_t *object;
    const char *path;
    struct error *err;
};

static enum status wrong(const struct reader *reader, const char *field, const char *expected)
{
    const char *dot = *reader->path && *field ? "." : "";
    return error_set(reader->err, STATUS_VALIDATION, "`%s%s%s`: expected %s", reader->path, dot, field, expected);
}

/* Only what is in `known` [n] may be there. */
static enum status check_names(const struct reader *reader, const char *const *known, size_t n)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)reader->object, key, value)
    {
        size_t i = 0;
        while (i < n && strcmp(known[i], key) != 0)
            i++;
        if (i < n)
            continue;
        char list[256] = "";
        for (size_t k = 0; k < n; k++)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", k ? ", " : "", known[k]);
        int len = (int)utf8_valid(key, strnlen(key, 60));
        return error_set(reader->err, STATUS_VALIDATION, "`%s%s%.*s`: unknown here; known are: %s", reader->path,
                         *reader->path ? "." : "", len, key, list);
    }
    return STATUS_OK;
}

/* An absent field leaves `ret` as it is. */
static enum status read_integer(const struct reader *reader, const char *field, int64_t least, int64_t most,
                                uint64_t *ret)
{
    const json_t *value = json_object_get(reader->object, field);
    if (!value)
        return STATUS_OK;
    json_int_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= least && number <= most) {
        *ret = (uint64_t)number;
        return STATUS_OK;
    }
    char expected[96];
    snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)least, (long long)most);
    return wrong(reader, field, expected);
}

static enum status read_kind(const struct reader *reader, enum board_fault_kind *ret)
{
    const char *word = json_string_value(json_object_get(reader->object, "kind"));
    char expected[160] = "one of";
    for (int kind = 0; kind < BOARD_FAULTS; kind++) {
        const char *name = board_fault_name((enum board_fault_kind)kind);
        if (word && strcmp(word, name) == 0) {
            *ret = (enum board_fault_kind)kind;
            return STATUS_OK;
        }
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%s \"%s\"", kind ? "," : "", name);
    }
    return wrong(reader, "kind", expected);
}

static enum status read_board(const struct reader *reader, uint32_t n_boards, bool may_be_any, int32_t *ret)
{
    const json_t *value = json_object_get(reader->object, "board");
    const char *word = json_string_value(value);
    if (may_be_any && word && strcmp(word, "any") == 0) {
        *ret = FAULTS_ANY_BOARD;
        return STATUS_OK;
    }
    if (json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) < n_boards) {
        *ret = (int32_t)json_integer_value(value);
        return STATUS_OK;
    }
    char expected[96];
    snprintf(expected, sizeof expected, "the number of a board, 0 to %u%s", n_boards - 1,
             may_be_any ? ", or \"any\"" : "");
    return wrong(reader, "board", expected);
}

/* What belongs to the kind: factor and for_ms of a slow board, count of the others. */
static enum status read_parameters(const struct reader *reader, struct board_fault *fault)
{
    const json_t *factor = json_object_get(reader->object, "factor");
    const json_t *for_ms = json_object_get(reader->object, "for_ms");
    uint64_t ms = 0, count = 1;
    if (fault->kind != BOARD_FAULT_SLOW) {
        if (factor || for_ms)
            return wrong(reader, factor ? "factor" : "for_ms", "it only where kind is \"slow\"");
        enum status status = read_integer(reader, "count", 1, MAX_COUNT, &count);
        fault->count = (uint32_t)count;
        return status;
    }
    if (json_object_get(reader->object, "count"))
        return wrong(reader, "count", "it only where kind is not \"slow\"");
    if (!json_is_number(factor) || !(json_number_value(factor) >= 1 && json_number_value(factor) <= MAX_FACTOR))
        return wrong(reader, "factor", "a number from 1 to 1000000: how many times as long tasks take");
    if (!for_ms)
        return wrong(reader, "for_ms", "for how long the board is slow, in milliseconds");
    enum status status = read_integer(reader, "for_ms", 1, MAX_MS, &ms);
    fault->factor = json_number_value(factor);
    fault->for_ns = ms * 1000000;
    return status;
}

static enum status read_times(const struct reader *reader, struct faults_rule *rule)
{
    const json_t *every = json_object_get(reader->object, "every_ms");
    const json_t *random = json_object_get(reader->object, "random_ms");
    if (every && random)
        return wrong(reader, "random_ms", "it only where there is no every_ms");
    if (!every && !random && json_object_get(reader->object, "times"))
        return wrong(reader, "times", "it only beside every_ms or random_ms");
    uint64_t after = 0, gap = 0, times = 0;
    enum status status = read_integer(reader, "after_ms", 0, MAX_MS, &after);
    if (status == STATUS_OK)
        status = read_integer(reader, random ? "random_ms" : "every_ms", 1, MAX_MS, &gap);
    if (status == STATUS_OK)
        status = read_integer(reader, "times", 1, MAX_COUNT, &times);
    rule->after_ns = after * 1000000;
    rule->every_ns = gap * 1000000;
    rule->random = random != NULL;
    rule->times = (uint32_t)times;
    return status;
}

static enum status read_rule(const struct reader *reader, uint32_t n_boards, struct faults_rule *rule)
{
    static const char *const known[] = {"board",    "kind",     "count",     "factor", "for_ms",
                                        "after_ms", "every_ms", "random_ms", "times"};
    if (!json_is_object(reader->object))
        return wrong(reader, "", "an object");
    enum status status = check_names(reader, known, sizeof known / sizeof *known);
    if (status == STATUS_OK)
        status = read_board(reader, n_boards, true, &rule->board);
    if (status == STATUS_OK)
        status = read_kind(reader, &rule->fault.kind);
    if (status == STATUS_OK)
        status = read_parameters(reader, &rule->fault);
    return status == STATUS_OK ? read_times(reader, rule) : status;
}

static enum status parse(json_t **ret, const char *text, size_t len, struct error *err)
{
    enum status status = base_json_parse(ret, text, len, err);
    if (status == STATUS_FORMAT)
        status = err->status = STATUS_MALFORMED;
    return status;
}

static enum status read_rules(struct faults_schedule *faults, const json_t *root, uint32_t n_boards, struct error *err)
{
    static const char *const known[] = {"seed", "faults"};
    struct reader top = {root, "", err};
    const json_t *list = json_object_get(root, "faults");
    if (!json_is_object(root))
        return error_set(err, STATUS_VALIDATION, "expected an object with the fields faults and seed");
    enum status status = check_names(&top, known, sizeof known / sizeof *known);
    if (status == STATUS_OK)
        status = read_integer(&top, "seed", 0, INT64_MAX, &faults->seed);
    if (status != STATUS_OK)
        return status;
    if (!json_is_array(list) || json_array_size(list) > FAULTS_MAX_RULES)
        return wrong(&top, "faults", "an array of at most 1024 faults");
    faults->n = (uint32_t)json_array_size(list);
    faults->rules = mem_calloc(faults->n, sizeof *faults->rules);
    if (!faults->rules)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u faults", faults->n);
    for (uint32_t i = 0; i < faults->n && status == STATUS_OK; i++) {
        char path[32];
        snprintf(path, sizeof path, "faults[%u]", i);
        struct reader reader = {json_array_get(list, i), path, err};
        status = read_rule(&reader, n_boards, &faults->rules[i]);
    }
    return status;
}

enum status faults_read_schedule(struct faults_schedule *ret, const char *text, size_t len, uint32_t n_boards,
                                 struct error *err)
{
    struct faults_schedule faults = {0};
    json_t *root = NULL;
    enum status status = parse(&root, text, len, err);
    if (status == STATUS_OK)
        status = read_rules(&faults, root, n_boards, err);
    json_decref(root);
    if (status == STATUS_OK)
        *ret = faults;
    else
        faults_schedule_finish(&faults);
    return status;
}

void faults_schedule_finish(struct faults_schedule *faults)
{
    mem_free(faults->rules);
    *faults = (struct faults_schedule){0};
}

enum status faults_read_one(uint32_t *ret_board, struct board_fault *ret, const char *text, size_t len,
                            uint32_t n_boards, struct error *err)
{
    static const char *const known[] = {"board", "kind", "count", "factor", "for_ms", "seed"};
    struct board_fault fault = {0};
    int32_t board = 0;
    json_t *root = NULL;
    enum status status = parse(&root, text, len, err);
    struct reader reader = {root, "", err};
    if (status == STATUS_OK && !json_is_object(root))
        status = error_set(err, STATUS_VALIDATION, "expected an object with the fields board and kind");
    if (status == STATUS_OK)
        status = check_names(&reader, known, sizeof known / sizeof *known);
    if (status == STATUS_OK)
        status = read_board(&reader, n_boards, false, &board);
    if (status == STATUS_OK)
        status = read_kind(&reader, &fault.kind);
    if (status == STATUS_OK)
        status = read_parameters(&reader, &fault);
    if (status == STATUS_OK)
        status = read_integer(&reader, "seed", 0, INT64_MAX, &fault.seed);
    json_decref(root);
    if (status != STATUS_OK)
        return status;
    *ret_board = (uint32_t)board;
    *ret = fault;
    return STATUS_OK;
}
