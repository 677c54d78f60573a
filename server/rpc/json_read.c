#include <errno.h>
#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "server/rpc/json.h"

#define MAX_EXACT 9007199254740992.0 /* 2^53: whole numbers below it are exact in binary64 */

struct reader {
    struct rpc_memory *memory;
    struct error *err;
    const ProtobufCMessageDescriptor *message; /* that is being read, for the words of errors */
    const ProtobufCFieldDescriptor *field;
    int depth;
};

static bool read_message(struct reader *reader, const json_t *object, const ProtobufCMessageDescriptor *descriptor,
                         ProtobufCMessage **ret);

static bool wrong(const struct reader *reader, const char *expected)
{
    error_set(reader->err, STATUS_MALFORMED, "JSON: %s.%s: expected %s", reader->message->short_name,
              reader->field->name, expected);
    return false;
}

/* A whole number between `least` and `most`, also as a string or written as a real one. */
static bool read_signed(const struct reader *reader, const json_t *json, int64_t least, int64_t most, int64_t *ret)
{
    int64_t value = 0;
    if (json_is_integer(json)) {
        value = json_integer_value(json);
    } else if (json_is_real(json)) {
        double real = json_real_value(json);
        if (fabs(real) > MAX_EXACT || real != trunc(real))
            return wrong(reader, "a whole number");
        value = (int64_t)real;
    } else {
        const char *text = json_string_value(json);
        char *end = NULL;
        errno = 0;
        if (!text || (*text != '-' && (*text < '0' || *text > '9')))
            return wrong(reader, "a whole number");
        value = strtoll(text, &end, 10);
        if (errno || *end || (size_t)(end - text) != json_string_length(json))
            return wrong(reader, "a whole number");
    }
    if (value < least || value > most)
        return wrong(reader, "a smaller number");
    *ret = value;
    return true;
}

static bool read_unsigned(const struct reader *reader, const json_t *json, uint64_t most, uint64_t *ret)
{
    const char *text = json_string_value(json);
    if (text && *text >= '0' && *text <= '9') { /* may be more than fits a signed one */
        char *end = NULL;
        errno = 0;
        uint64_t value = strtoull(text, &end, 10);
        if (errno || *end || (size_t)(end - text) != json_string_length(json) || value > most)
            return wrong(reader, "a whole number that is not negative and fits");
        *ret = value;
        return true;
    }
    int64_t value = 0;
    if (!read_signed(reader, json, 0, most > INT64_MAX ? INT64_MAX : (int64_t)most, &value))
        return false;
    *ret = (uint64_t)value;
    return true;
}

static bool read_real(const struct reader *reader, const json_t *json, double *ret)
{
    const char *text = json_string_value(json);
    if (json_is_number(json)) {
        *ret = json_number_value(json);
    } else if (text && strcmp(text, "NaN") == 0) {
        *ret = NAN;
    } else if (text && (strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0)) {
        *ret = *text == '-' ? -INFINITY : INFINITY;
    } else {
        char *end = NULL;
        if (!text || (*text != '-' && (*text < '0' || *text > '9')))
            return wrong(reader, "a number");
        *ret = strtod(text, &end);
        if (*end || (size_t)(end - text) != json_string_length(json) || !isfinite(*ret))
            return wrong(reader, "a number");
    }
    return true;
}

static bool read_float(const struct reader *reader, const json_t *json, float *ret)
{
    double value = 0;
    if (!read_real(reader, json, &value))
        return false;
    *ret = (float)value;
    return isfinite(value) && !isfinite(*ret) ? wrong(reader, "a number that fits binary32") : true;
}

static bool read_enum(const struct reader *reader, const json_t *json, int *ret)
{
    int64_t value = 0;
    const char *name = json_string_value(json);
    const ProtobufCEnumValue *known =
        name ? protobuf_c_enum_descriptor_get_value_by_name(reader->field->descriptor, name) : NULL;
    if (known)
        *ret = known->value;
    else if (name)
        return wrong(reader, "one of its enum's names");
    else if (read_signed(reader, json, INT32_MIN, INT32_MAX, &value))
        *ret = (int)value;
    else
        return false;
    return true;
}

static char *copy_text(const struct reader *reader, const json_t *json)
{
    size_t len = json_string_length(json);
    char *copy = rpc_memory_alloc(reader->memory, len + 1);
    if (copy)
        memcpy(copy, json_string_value(json), len + 1);
    return copy;
}

static bool read_text(const struct reader *reader, const json_t *json, char **ret)
{
    if (!json_is_string(json))
        return wrong(reader, "a string");
    *ret = copy_text(reader, json);
    return *ret != NULL;
}

static bool read_bytes(const struct reader *reader, const json_t *json, ProtobufCBinaryData *ret)
{
    if (!json_is_string(json))
        return wrong(reader, "a string of base64");
    size_t len = json_string_length(json);
    ret->data = rpc_memory_alloc(reader->memory, len / 4 * 3 + 3);
    if (!ret->data)
        return false;
    return base64_decode(json_string_value(json), len, ret->data, &ret->len) ? true : wrong(reader, "base64");
}

static bool read_boolean(const struct reader *reader, const json_t *json, protobuf_c_boolean *ret)
{
    if (!json_is_boolean(json))
        return wrong(reader, "true or false");
    *ret = json_is_true(json);
    return true;
}

static bool read_value(struct reader *reader, const json_t *json, void *to)
{
    int64_t number = 0;
    uint64_t count = 0;
    switch (reader->field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return read_signed(reader, json, INT32_MIN, INT32_MAX, &number) && (*(int32_t *)to = (int32_t)number, true);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return read_unsigned(reader, json, UINT32_MAX, &count) && (*(uint32_t *)to = (uint32_t)count, true);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return read_signed(reader, json, INT64_MIN, INT64_MAX, to);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return read_unsigned(reader, json, UINT64_MAX, to);
    case PROTOBUF_C_TYPE_FLOAT:
        return read_float(reader, json, to);
    case PROTOBUF_C_TYPE_DOUBLE:
        return read_real(reader, json, to);
    case PROTOBUF_C_TYPE_BOOL:
        return read_boolean(reader, json, to);
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(reader, json, to);
    case PROTOBUF_C_TYPE_STRING:
        return read_text(reader, json, to);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(reader, json, to);
    case PROTOBUF_C_TYPE_MESSAGE:
        return read_message(reader, json, reader->field->descriptor, to);
    }
    return wrong(reader, "another type");
}

static ProtobufCMessage *make_message(const struct reader *reader, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = rpc_memory_alloc(reader->memory, descriptor->sizeof_message);
    if (message)
        protobuf_c_message_init(descriptor, message);
    return message;
}

static bool make_list(const struct reader *reader, ProtobufCMessage *message, size_t n, char **ret)
{
    *ret = NULL;
    if (n > 0) {
        *ret = rpc_memory_alloc(reader->memory, n * rpc_json_size(reader->field->type));
        if (!*ret)
            return false;
    }
    *(char **)rpc_json_member(message, reader->field) = *ret;
    *(size_t *)rpc_json_quantifier(message, reader->field) = n;
    return true;
}

static bool read_list(struct reader *reader, const json_t *json, ProtobufCMessage *message)
{
    const struct reader here = *reader;
    char *values = NULL;
    if (!json_is_array(json))
        return wrong(reader, "an array");
    size_t n = json_array_size(json), size = rpc_json_size(here.field->type);
    if (!make_list(reader, message, n, &values))
        return false;
    for (size_t i = 0; i < n; i++) {
        *reader = here;
        if (!read_value(reader, json_array_get(json, i), values + i * size))
            return false;
    }
    return true;
}

/* A boolean or a number is a string where it is a key. */
static bool read_key(struct reader *reader, const char *text, ProtobufCMessage *entry)
{
    bool boolean = reader->field->type == PROTOBUF_C_TYPE_BOOL;
    if (boolean && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return wrong(reader, "true or false");
    json_t *json = boolean ? json_boolean(*text == 't') : json_string_nocheck(text);
    bool ok = json && read_value(reader, json, rpc_json_member(entry, reader->field));
    reader->memory->exhausted |= !json;
    json_decref(json);
    return ok;
}

static bool read_map(struct reader *reader, const json_t *json, ProtobufCMessage *message)
{
    const struct reader here = *reader;
    const ProtobufCMessageDescriptor *type = here.field->descriptor;
    const char *key;
    json_t *value;
    char *entries = NULL;
    if (!json_is_object(json))
        return wrong(reader, "an object");
    if (!make_list(reader, message, json_object_size(json), &entries))
        return false;
    size_t i = 0;
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        *reader = here;
        ProtobufCMessage *entry = make_message(reader, type);
        if (!entry)
            return false;
        ((ProtobufCMessage **)(void *)entries)[i++] = entry;
        reader->field = &type->fields[0];
        if (!read_key(reader, key, entry))
            return false;
        *reader = here;
        reader->field = &type->fields[1];
        if (!read_value(reader, value, rpc_json_member(entry, reader->field)))
            return false;
    }
    return true;
}

static bool read_field(struct reader *reader, const json_t *json, ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *field = reader->field;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return rpc_json_is_map(field) ? read_map(reader, json, message) : read_list(reader, json, message);
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        uint32_t *chosen = rpc_json_quantifier(message, field);
        if (*chosen && *chosen != field->id)
            return wrong(reader, "one of its oneof alone");
        *chosen = field->id;
    } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING &&
               field->type != PROTOBUF_C_TYPE_MESSAGE) {
        *(protobuf_c_boolean *)rpc_json_quantifier(message, field) = true;
    }
    return read_value(reader, json, rpc_json_member(message, field));
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *descriptor, const char *key)
{
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        char name[RPC_JSON_NAME];
        rpc_json_name(descriptor->fields[i].name, name);
        if (strcmp(key, name) == 0 || strcmp(key, descriptor->fields[i].name) == 0)
            return &descriptor->fields[i];
    }
    return NULL;
}

static bool read_fields(struct reader *reader, const json_t *object, ProtobufCMessage *message)
{
    const struct reader here = *reader;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        const ProtobufCFieldDescriptor *field = find_field(message->descriptor, key);
        if (!field || json_is_null(value))
            continue;
        *reader = here;
        reader->message = message->descriptor;
        reader->field = field;
        if (!read_field(reader, value, message))
            return false;
    }
    return true;
}

/* What it holds is read as its type, and encoded again. */
static bool read_any(struct reader *reader, const json_t *object, ProtobufCMessage *any)
{
    const ProtobufCFieldDescriptor *url = &any->descriptor->fields[0], *value = &any->descriptor->fields[1];
    reader->message = any->descriptor;
    reader->field = url;
    const json_t *name = json_object_get(object, "@type");
    if (!name)
        return json_object_size(object) == 0 ? true : wrong(reader, "\"@type\"");
    const ProtobufCMessageDescriptor *type = json_is_string(name) ? rpc_json_type(json_string_value(name)) : NULL;
    if (!type)
        return wrong(reader, "a known type");
    ProtobufCMessage *inner = make_message(reader, type);
    if (!inner || !read_text(reader, name, rpc_json_member(any, url)) || !read_fields(reader, object, inner))
        return false;
    ProtobufCBinaryData *bytes = rpc_json_member(any, value);
    bytes->len = protobuf_c_message_get_packed_size(inner);
    bytes->data = rpc_memory_alloc(reader->memory, bytes->len);
    if (!bytes->data)
        return false;
    protobuf_c_message_pack(inner, bytes->data);
    return true;
}

static bool read_message(struct reader *reader, const json_t *object, const ProtobufCMessageDescriptor *descriptor,
                         ProtobufCMessage **ret)
{
    if (!json_is_object(object))
        return wrong(reader, "an object");
    if (reader->depth >= RPC_MAX_DEPTH)
        return wrong(reader, "messages that are nested less deep");
    ProtobufCMessage *message = make_message(reader, descriptor);
    if (!message)
        return false;
    *ret = message;
    reader->depth++;
    bool ok = rpc_json_is_any(descriptor) ? read_any(reader, object, message) : read_fields(reader, object, message);
    reader->depth--;
    return ok;
}

/* Integers of more than 64 bits are numbers, too: read as real ones where there is one. */
static json_t *parse(const char *bytes, size_t len, json_error_t *why)
{
    size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_t *root = json_loadb(bytes, len, flags, why);
    if (!root && json_error_code(why) == json_error_numeric_overflow)
        root = json_loadb(bytes, len, flags | JSON_DECODE_INT_AS_REAL, why);
    return root;
}

static enum status malformed(const ProtobufCMessageDescriptor *descriptor, const json_error_t *why, struct error *err)
{
    /* The parser's words may quote bytes that are no text. */
    return error_set(err, STATUS_MALFORMED, "JSON: not a %s: line %d, column %d: %s", descriptor->short_name, why->line,
                     why->column,
                     json_error_code(why) == json_error_invalid_utf8 ? "not valid UTF-8" : "cannot be parsed");
}

enum status rpc_json_read(ProtobufCMessage **ret, const ProtobufCMessageDescriptor *descriptor, const char *bytes,
                          size_t len, struct rpc_memory *memory, struct error *err)
{
    json_error_t why;
    json_t *root = parse(bytes, len, &why);
    if (!root) {
        memory->exhausted = json_error_code(&why) == json_error_out_of_memory;
        return malformed(descriptor, &why, err);
    }
    struct error own;
    struct reader reader = {memory, err ? err : &own, descriptor, NULL, 0};
    enum status status = STATUS_OK;
    ProtobufCMessage *message = NULL;
    if (!json_is_object(root))
        status = error_set(err, STATUS_MALFORMED, "JSON: %s: expected an object", descriptor->short_name);
    else if (!read_message(&reader, root, descriptor, &message))
        status = STATUS_MALFORMED;
    json_decref(root);
    if (status == STATUS_OK)
        *ret = message;
    return status;
}
