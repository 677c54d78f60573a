/* Messages in protobuf's JSON mapping. Private to the room. */
#ifndef BERTD_RPC_JSON_H
#define BERTD_RPC_JSON_H

#include "server/rpc/codec.h"
#include "server/rpc/memory.h"

/** See rpc_decode; where memory is short, memory->exhausted is set and the status is any. */
enum status rpc_json_read(ProtobufCMessage **ret, const ProtobufCMessageDescriptor *descriptor, const char *bytes,
                          size_t len, struct rpc_memory *memory, struct error *err);
void rpc_json_write(struct buf *out, const ProtobufCMessage *message);

enum { RPC_JSON_NAME = 128 }; /* longest name of a field, with its NUL */
/** The name of a field in JSON, "promptName". */
void rpc_json_name(const char *name, char ret[RPC_JSON_NAME]);
/** A map is a list of messages with a key and a value. */
bool rpc_json_is_map(const ProtobufCFieldDescriptor *field);
bool rpc_json_is_any(const ProtobufCMessageDescriptor *descriptor);
/** The type that an Any's URL names; NULL: not known. */
const ProtobufCMessageDescriptor *rpc_json_type(const char *url);
/** Where a field's value is in its message, and where the number or the case that goes with it. */
static inline void *rpc_json_member(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (char *)(uintptr_t)message + field->offset;
}
static inline void *rpc_json_quantifier(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (char *)(uintptr_t)message + field->quantifier_offset;
}
/** Bytes of one value of a type, as protobuf-c keeps it. */
size_t rpc_json_size(ProtobufCType type);

#endif
