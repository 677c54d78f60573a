#include <stdio.h>
#include <string.h>

#include "server/wire/fields.h"

enum accepted { TEXTS = 1, IDS = 2 };

/* What is being read, for the words of errors. */
struct place {
    const char *name;
    const struct wire_limits *limits;
    unsigned accepted;
};

static const char *one_input(const struct place *place)
{
    if (place->accepted == TEXTS)
        return "a string";
    return place->accepted == IDS ? "an array of token ids" : "a string or an array of token ids";
}

static bool wrong_kind(struct wire_json *json, const struct place *place, int64_t index, int64_t position,
                       const char *expected)
{
    char what[96];
    int n = snprintf(what, sizeof what, "`%s", place->name);
    if (index >= 0)
        n += snprintf(what + n, sizeof what - (size_t)n, "[%lld]", (long long)index);
    if (position >= 0)
        n += snprintf(what + n, sizeof what - (size_t)n, "[%lld]", (long long)position);
    snprintf(what + n, sizeof what - (size_t)n, "`");
    return wire_json_expected(json, what, expected);
}

/* Items of an array of numbers, at most: numbers hold no commas. */
static size_t count_items(const struct wire_json *json)
{
    size_t commas = 0;
    for (const char *c = json->at; c < json->end && *c != ']'; c++)
        commas += *c == ',';
    return commas + 1;
}

static bool read_id(struct wire_json *json, const struct place *place, int64_t index, uint32_t position, uint32_t *ret)
{
    static const char expected[] = "a token id (an integer from 0 to 4294967295)";
    if (wire_json_peek(json) != WIRE_JSON_NUMBER)
        return wrong_kind(json, place, index, position, expected);
    const char *before = json->at;
    uint64_t value = 0;
    bool integer = false;
    if (!wire_json_read_uint(json, &value, &integer))
        return false;
    if (!integer || value > UINT32_MAX) {
        json->at = before;
        return wrong_kind(json, place, index, position, expected);
    }
    *ret = (uint32_t)value;
    return true;
}

/* `index` is -1 for the only input, and for an array without any. */
static bool is_empty(struct wire_json *json, const struct place *place, int64_t index)
{
    if (index < 0)
        return wire_json_fail(json, STATUS_EMPTY, "`%s` cannot be empty", place->name);
    return wire_json_fail(json, STATUS_EMPTY, "`%s[%lld]` cannot be empty", place->name, (long long)index);
}

/* The array has been entered; `index` is its place among the inputs, -1 where it is the only one. */
static bool read_ids(struct wire_json *json, const struct place *place, int64_t index, struct wire_input *ret)
{
    uint32_t *ids = arena_alloc_array(json->arena, count_items(json), sizeof *ids, sizeof *ids);
    if (!ids)
        return wire_json_fail(json, STATUS_NO_MEMORY, "no memory for the token ids");
    uint32_t n = 0;
    while (wire_json_next_item(json)) {
        if (!read_id(json, place, index, n, &ids[n]))
            return false;
        n++;
    }
    if (json->status != STATUS_OK)
        return false;
    if (n == 0)
        return is_empty(json, place, index);
    *ret = (struct wire_input){.ids = ids, .n_ids = n};
    return true;
}

static bool read_text(struct wire_json *json, const struct place *place, int64_t index, struct wire_input *ret)
{
    struct wire_input input = {0};
    if (!wire_json_read_string(json, &input.text))
        return false;
    if (input.text.len == 0)
        return is_empty(json, place, index);
    *ret = input;
    return true;
}

static bool read_input(struct wire_json *json, const struct place *place, uint32_t index, struct wire_input *ret)
{
    enum wire_json_kind kind = wire_json_peek(json);
    if (kind == WIRE_JSON_STRING && place->accepted & TEXTS)
        return read_text(json, place, index, ret);
    if (kind == WIRE_JSON_ARRAY && place->accepted & IDS)
        return wire_json_enter_array(json) && read_ids(json, place, index, ret);
    return wrong_kind(json, place, index, -1, one_input(place));
}

enum status wire_check_count(uint64_t n, const struct wire_limits *limits, struct error *err)
{
    if (n <= limits->max_inputs)
        return STATUS_OK;
    return error_set(err, STATUS_VALIDATION,
                     "batch size %llu > maximum allowed batch size %u (see --max-client-batch-size)",
                     (unsigned long long)n, limits->max_inputs);
}

static bool too_many(struct wire_json *json, const struct place *place)
{
    uint64_t n = place->limits->max_inputs + (uint64_t)1;
    struct error err;
    while (wire_json_skip(json) && wire_json_next_item(json))
        n++;
    enum status status = wire_check_count(n, place->limits, &err);
    return wire_json_fail(json, status, "%s", err.message);
}

static bool grow(struct wire_json *json, struct wire_input **items, uint32_t n, uint32_t *capacity)
{
    if (n < *capacity)
        return true;
    uint32_t larger = *capacity ? *capacity * 4 : 32;
    struct wire_input *copy = arena_alloc_array(json->arena, larger, sizeof *copy, _Alignof(struct wire_input));
    if (!copy)
        return wire_json_fail(json, STATUS_NO_MEMORY, "no memory for the inputs");
    if (n > 0)
        memcpy(copy, *items, n * sizeof *copy);
    *items = copy;
    *capacity = larger;
    return true;
}

/* The array has been entered and stands before its first item, which `first` says there is. */
static bool read_batch(struct wire_json *json, const struct place *place, bool first, struct wire_inputs *ret)
{
    struct wire_input *items = NULL;
    uint32_t n = 0;
    uint32_t capacity = 0;
    for (bool more = first; more; more = wire_json_next_item(json)) {
        if (n == place->limits->max_inputs)
            return too_many(json, place);
        if (!grow(json, &items, n, &capacity) || !read_input(json, place, n, &items[n]))
            return false;
        n++;
    }
    if (json->status != STATUS_OK)
        return false;
    if (n == 0)
        return is_empty(json, place, -1);
    *ret = (struct wire_inputs){.items = items, .n = n};
    return true;
}

static bool read_single(struct wire_json *json, const struct place *place, bool ids, struct wire_inputs *ret)
{
    struct wire_input *item = arena_alloc(json->arena, sizeof *item);
    if (!item)
        return wire_json_fail(json, STATUS_NO_MEMORY, "no memory for the inputs");
    if (ids ? !read_ids(json, place, -1, item) : !read_text(json, place, -1, item))
        return false;
    *ret = (struct wire_inputs){.items = item, .n = 1, .single = true};
    return true;
}

static bool read_inputs(struct wire_json *json, const struct place *place, struct wire_inputs *ret)
{
    static const char *const expected[] = {
        NULL, "a string or an array of strings", "an array of token ids or an array of such arrays",
        "a string, an array of token ids, or an array of strings and arrays of token ids"};
    enum wire_json_kind kind = wire_json_peek(json);
    if (kind == WIRE_JSON_STRING && place->accepted & TEXTS)
        return read_single(json, place, false, ret);
    if (kind != WIRE_JSON_ARRAY)
        return wrong_kind(json, place, -1, -1, expected[place->accepted]);
    if (!wire_json_enter_array(json))
        return false;
    if (wire_json_peek(json) == WIRE_JSON_NUMBER && place->accepted & IDS)
        return read_single(json, place, true, ret);
    return read_batch(json, place, wire_json_next_item(json), ret);
}

bool wire_field_inputs(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    return read_inputs(json, &(struct place){name, limits, TEXTS | IDS}, target);
}

bool wire_field_texts(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    return read_inputs(json, &(struct place){name, limits, TEXTS}, target);
}

bool wire_field_ids(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    return read_inputs(json, &(struct place){name, limits, IDS}, target);
}
