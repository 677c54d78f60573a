#include "server/wire/fields.h"

#include <stdio.h>

static const struct wire_field *find(const struct wire_field *fields, uint32_t n, struct wire_string key,
                                     uint32_t *ret_index)
{
    for (uint32_t i = 0; i < n; i++) {
        if (wire_string_is(key, fields[i].name)) {
            *ret_index = i;
            return &fields[i];
        }
    }
    return NULL;
}

static bool skip_unknown(struct wire_json *json, struct wire_string key, struct wire_unknown *unknown)
{
    if (unknown->n < WIRE_UNKNOWN_NAMES)
        unknown->names[unknown->n] = key;
    unknown->n++;
    return wire_json_skip(json);
}

static bool read_member(struct wire_json *json, struct wire_string key, const struct wire_object *object,
                        const struct wire_limits *limits, uint32_t *seen)
{
    uint32_t index = 0;
    const struct wire_field *field = find(object->fields, object->n, key, &index);
    if (!field)
        return skip_unknown(json, key, object->unknown);
    if (*seen & 1u << index)
        return wire_json_fail(json, STATUS_VALIDATION, "`%s` is given twice", field->name);
    *seen |= 1u << index;
    if (!field->required && wire_json_peek(json) == WIRE_JSON_NULL)
        return wire_json_skip(json);
    return field->read(json, field->name, limits, field->target);
}

/* The object has been entered. `ret_seen` has a bit for each field that was there. */
static bool read_members(struct wire_json *json, const struct wire_object *object, const struct wire_limits *limits,
                         uint32_t *ret_seen)
{
    struct wire_string key;
    *ret_seen = 0;
    while (wire_json_next_key(json, &key)) {
        if (!read_member(json, key, object, limits, ret_seen))
            return false;
    }
    return json->status == STATUS_OK;
}

/* The first required field that is not among those seen; NULL: all are. */
static const char *missing(const struct wire_object *object, uint32_t seen)
{
    for (uint32_t i = 0; i < object->n; i++) {
        if (object->fields[i].required && !(seen & 1u << i))
            return object->fields[i].name;
    }
    return NULL;
}

enum status wire_fields_read(const char *body, size_t len, const struct wire_field *fields, uint32_t n,
                             struct wire_unknown *unknown, const struct wire_limits *limits, struct arena *arena,
                             struct error *err)
{
    struct wire_object object = {fields, n, unknown};
    struct wire_json json;
    uint32_t seen = 0;
    wire_json_init(&json, body, len, arena, err);
    if (!wire_json_enter_object(&json)) {
        wire_json_expected(&json, "the body", "an object");
        return json.status;
    }
    read_members(&json, &object, limits, &seen);
    if (!wire_json_end(&json))
        return json.status;
    const char *name = missing(&object, seen);
    return name ? error_set(err, STATUS_VALIDATION, "`%s` is missing", name) : STATUS_OK;
}

static bool expected(struct wire_json *json, const char *name, const char *kind)
{
    char what[64];
    snprintf(what, sizeof what, "`%s`", name);
    return wire_json_expected(json, what, kind);
}

bool wire_field_object(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    uint32_t seen = 0;
    if (!wire_json_enter_object(json))
        return expected(json, name, "an object");
    if (!read_members(json, target, limits, &seen))
        return false;
    const char *field = missing(target, seen);
    return !field || wire_json_fail(json, STATUS_VALIDATION, "`%s.%s` is missing", name, field);
}

bool wire_field_later(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    (void)name;
    (void)limits;
    *(struct wire_json *)target = *json;
    return wire_json_skip(json);
}

bool wire_field_bool(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    (void)limits;
    if (wire_json_peek(json) != WIRE_JSON_BOOLEAN)
        return expected(json, name, "a boolean");
    return wire_json_read_bool(json, target);
}

bool wire_field_string(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    (void)limits;
    if (wire_json_peek(json) != WIRE_JSON_STRING)
        return expected(json, name, "a string");
    return wire_json_read_string(json, target);
}

bool wire_field_direction(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    struct wire_string word;
    if (!wire_field_string(json, name, limits, &word))
        return false;
    bool left = wire_string_is(word, "Left") || wire_string_is(word, "left");
    if (!left && !wire_string_is(word, "Right") && !wire_string_is(word, "right"))
        return wire_json_fail(json, STATUS_VALIDATION, "`%s`: expected \"Left\" or \"Right\"", name);
    *(enum token_direction *)target = left ? TOKEN_LEFT : TOKEN_RIGHT;
    return true;
}

static bool read_integer(struct wire_json *json, const char *name, uint32_t least, uint32_t *ret)
{
    if (wire_json_peek(json) != WIRE_JSON_NUMBER)
        return expected(json, name, least ? "a positive integer" : "an integer");
    uint64_t value = 0;
    bool integer = false;
    if (!wire_json_read_uint(json, &value, &integer))
        return false;
    if (!integer || value < least || value > UINT32_MAX)
        return wire_json_fail(json, STATUS_VALIDATION, "`%s`: expected an integer from %u to %u", name, least,
                              UINT32_MAX);
    *ret = (uint32_t)value;
    return true;
}

bool wire_field_positive(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    (void)limits;
    return read_integer(json, name, 1, target);
}

bool wire_field_count(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    (void)limits;
    return read_integer(json, name, 0, target);
}
