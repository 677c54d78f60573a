#include "server/rpc/codec.h"

#include "base/utf8.h"
#include "server/rpc/json.h"
#include "server/rpc/memory.h"
#include "server/rpc/wire.h"

static void leave_to_arena(void *cookie, void *ptr)
{
    (void)cookie;
    (void)ptr;
}

static enum status no_memory(size_t len, struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "no memory to decode a message of %zu bytes", len);
}

/* What protobuf-c does not check: that strings are UTF-8, and how deep messages are nested. */
static enum status check(const ProtobufCMessageDescriptor *descriptor, const char *bytes, size_t len, int depth,
                         struct error *err)
{
    struct rpc_wire wire;
    struct rpc_wire_field field;
    if (depth > RPC_MAX_DEPTH)
        return error_set(err, STATUS_MALFORMED, "protobuf: messages are nested deeper than %d", RPC_MAX_DEPTH);
    rpc_wire_init(&wire, bytes, len);
    while (rpc_wire_next(&wire, &field)) {
        const ProtobufCFieldDescriptor *known = protobuf_c_message_descriptor_get_field(descriptor, field.number);
        if (!known || !field.bytes)
            continue;
        if (known->type == PROTOBUF_C_TYPE_STRING && utf8_valid(field.bytes, field.len) != field.len)
            return error_set(err, STATUS_MALFORMED, "protobuf: %s.%s is not valid UTF-8", descriptor->short_name,
                             known->name);
        if (known->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        enum status status = check(known->descriptor, field.bytes, field.len, depth + 1, err);
        if (status != STATUS_OK)
            return status;
    }
    if (wire.broken)
        return error_set(err, STATUS_MALFORMED, "protobuf: %s cannot be read at byte %zu of %zu",
                         descriptor->short_name, (size_t)(wire.at - bytes), len);
    return STATUS_OK;
}

static enum status decode_proto(ProtobufCMessage **ret, const ProtobufCMessageDescriptor *descriptor, const char *bytes,
                                size_t len, struct rpc_memory *memory, struct error *err)
{
    enum status status = check(descriptor, bytes, len, 1, err);
    if (status != STATUS_OK)
        return status;
    ProtobufCAllocator allocator = {rpc_memory_alloc, leave_to_arena, memory};
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, len, (const uint8_t *)bytes);
    if (message) {
        *ret = message;
        return STATUS_OK;
    }
    if (memory->exhausted)
        return no_memory(len, err);
    return error_set(err, STATUS_MALFORMED, "protobuf: a field of %s has another type", descriptor->short_name);
}

enum status rpc_decode(ProtobufCMessage **ret, enum rpc_codec codec, const ProtobufCMessageDescriptor *descriptor,
                       const char *bytes, size_t len, struct arena *arena, struct error *err)
{
    struct rpc_memory memory = {arena, false};
    if (codec == RPC_PROTO || len == 0)
        return decode_proto(ret, descriptor, bytes, len, &memory, err);
    enum status status = rpc_json_read(ret, descriptor, bytes, len, &memory, err);
    return memory.exhausted ? no_memory(len, err) : status;
}

void rpc_encode(struct buf *out, enum rpc_codec codec, const ProtobufCMessage *message)
{
    if (codec == RPC_JSON) {
        rpc_json_write(out, message);
        return;
    }
    char *to = buf_reserve(out, protobuf_c_message_get_packed_size(message) + 1); /* an empty one is no failure */
    if (to)
        out->len += protobuf_c_message_pack(message, (uint8_t *)to);
}
