#include "server/rpc/json.h"

#include <string.h>

static const ProtobufCMessageDescriptor *const *types;
static size_t n_types;

void rpc_codec_set_types(const ProtobufCMessageDescriptor *const *list, size_t n)
{
    types = list;
    n_types = n;
}

const ProtobufCMessageDescriptor *rpc_json_type(const char *url)
{
    const char *slash = strrchr(url, '/');
    for (size_t i = 0; slash && i < n_types; i++)
        if (strcmp(types[i]->name, slash + 1) == 0)
            return types[i];
    return NULL;
}

void rpc_json_name(const char *name, char ret[RPC_JSON_NAME])
{
    size_t len = 0;
    bool upper = false;
    for (; *name && len < RPC_JSON_NAME - 1; name++) {
        bool letter = *name >= 'a' && *name <= 'z';
        if (*name != '_')
            ret[len++] = upper && letter ? (char)(*name - 'a' + 'A') : *name;
        upper = *name == '_';
    }
    ret[len] = '\0';
}

bool rpc_json_is_map(const ProtobufCFieldDescriptor *field)
{
    if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label != PROTOBUF_C_LABEL_REPEATED)
        return false;
    const ProtobufCMessageDescriptor *entry = field->descriptor;
    size_t len = strlen(entry->short_name);
    return len > 5 && strcmp(entry->short_name + len - 5, "Entry") == 0 && entry->n_fields == 2 &&
           strcmp(entry->fields[0].name, "key") == 0 && strcmp(entry->fields[1].name, "value") == 0;
}

bool rpc_json_is_any(const ProtobufCMessageDescriptor *descriptor)
{
    return strcmp(descriptor->name, "google.protobuf.Any") == 0;
}

size_t rpc_json_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
    default:
        return 4;
    }
}
