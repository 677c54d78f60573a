#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "server/rpc/json.h"
#include "server/wire/float.h"
#include "server/wire/response.h"

/* Values without a presence of their own are left out where they are zero. */
static bool is_there(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    static const char zeros[sizeof(ProtobufCBinaryData)];
    const void *member = rpc_json_member(message, field);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(size_t *)rpc_json_quantifier(message, field) > 0;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(uint32_t *)rpc_json_quantifier(message, field) == field->id;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(void *const *)member != NULL;
    if (field->label == PROTOBUF_C_LABEL_REQUIRED)
        return true;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)member;
        return text && (text[0] || field->label == PROTOBUF_C_LABEL_OPTIONAL);
    }
    if (field->label == PROTOBUF_C_LABEL_OPTIONAL)
        return *(protobuf_c_boolean *)rpc_json_quantifier(message, field);
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)member)->len > 0;
    return memcmp(member, zeros, rpc_json_size(field->type)) != 0;
}

static void write_not_finite(struct buf *out, double value)
{
    buf_puts(out, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
}

static void write_float(struct buf *out, float value)
{
    if (!isfinite(value)) {
        write_not_finite(out, (double)value);
        return;
    }
    char *to = buf_reserve(out, WIRE_FLOAT_SIZE);
    if (to)
        out->len += (size_t)(wire_float_write(to, value) - to);
}

/* The shortest of 15, 16 or 17 digits that reads back to the same. */
static void write_double(struct buf *out, double value)
{
    char text[32];
    if (!isfinite(value)) {
        write_not_finite(out, value);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buf_puts(out, text);
}

static void write_enum(struct buf *out, const ProtobufCEnumDescriptor *descriptor, int value)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(descriptor, value);
    if (known)
        buf_printf(out, "\"%s\"", known->name);
    else
        buf_printf(out, "%d", value);
}

static void write_bytes(struct buf *out, const ProtobufCBinaryData *bytes)
{
    buf_append(out, "\"", 1);
    base64_encode(out, bytes->data, bytes->len);
    buf_append(out, "\"", 1);
}

static void write_text(struct buf *out, const char *text)
{
    wire_write_string(out, text ? text : "", text ? strlen(text) : 0);
}

static void write_value(struct buf *out, const ProtobufCFieldDescriptor *field, const void *value)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        buf_printf(out, "%d", *(const int32_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        buf_printf(out, "%u", *(const uint32_t *)value);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        buf_printf(out, "\"%lld\"", (long long)*(const int64_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        buf_printf(out, "\"%llu\"", (unsigned long long)*(const uint64_t *)value);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        write_float(out, *(const float *)value);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        write_double(out, *(const double *)value);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        buf_puts(out, *(const protobuf_c_boolean *)value ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_ENUM:
        write_enum(out, field->descriptor, *(const int *)value);
        break;
    case PROTOBUF_C_TYPE_STRING:
        write_text(out, *(char *const *)value);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        write_bytes(out, value);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        rpc_json_write(out, *(ProtobufCMessage *const *)value);
        break;
    }
}

/* Keys are strings in JSON. */
static void write_map_entry(struct buf *out, const ProtobufCMessage *entry)
{
    const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0], *value = &entry->descriptor->fields[1];
    bool quoted = rpc_json_size(key->type) == 8; /* is a string already */
    const char *quote = key->type == PROTOBUF_C_TYPE_STRING || quoted ? "" : "\"";
    buf_puts(out, quote);
    write_value(out, key, rpc_json_member(entry, key));
    buf_puts(out, quote);
    buf_append(out, ":", 1);
    if (value->type == PROTOBUF_C_TYPE_MESSAGE && !*(void **)rpc_json_member(entry, value))
        buf_puts(out, "{}");
    else
        write_value(out, value, rpc_json_member(entry, value));
}

static void write_list(struct buf *out, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    bool map = rpc_json_is_map(field);
    size_t n = *(size_t *)rpc_json_quantifier(message, field), size = rpc_json_size(field->type);
    const char *values = *(char **)rpc_json_member(message, field);
    buf_puts(out, map ? "{" : "[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_append(out, ",", 1);
        if (map)
            write_map_entry(out, *(ProtobufCMessage *const *)(const void *)(values + i * size));
        else
            write_value(out, field, values + i * size);
    }
    buf_puts(out, map ? "}" : "]");
}

static void write_fields(struct buf *out, const ProtobufCMessage *message, bool first)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        if (!is_there(message, field))
            continue;
        char name[RPC_JSON_NAME];
        rpc_json_name(field->name, name);
        buf_printf(out, "%s\"%s\":", first ? "" : ",", name);
        first = false;
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            write_list(out, message, field);
        else
            write_value(out, field, rpc_json_member(message, field));
    }
}

/* {"@type": URL, the fields of what it holds}. Without them where the type is not known. */
static void write_any(struct buf *out, const ProtobufCMessage *any)
{
    const char *url = *(char **)rpc_json_member(any, &any->descriptor->fields[0]);
    const ProtobufCBinaryData *value = rpc_json_member(any, &any->descriptor->fields[1]);
    const ProtobufCMessageDescriptor *type = url ? rpc_json_type(url) : NULL;
    buf_puts(out, "{\"@type\":");
    write_text(out, url);
    ProtobufCMessage *inner = type ? protobuf_c_message_unpack(type, NULL, value->len, value->data) : NULL;
    if (inner) {
        write_fields(out, inner, false);
        protobuf_c_message_free_unpacked(inner, NULL);
    }
    buf_puts(out, "}");
}

void rpc_json_write(struct buf *out, const ProtobufCMessage *message)
{
    if (rpc_json_is_any(message->descriptor)) {
        write_any(out, message);
        return;
    }
    buf_puts(out, "{");
    write_fields(out, message, true);
    buf_puts(out, "}");
}
