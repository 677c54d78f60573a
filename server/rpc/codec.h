/* Messages to bytes and back, in protobuf's binary encoding or its JSON mapping, by protobuf-c's descriptors. */
#ifndef BERTD_RPC_CODEC_H
#define BERTD_RPC_CODEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "server/rpc/stream.h"

enum { RPC_MAX_DEPTH = 100 }; /* messages in messages */

/** Decode; the message and all it points to live in the arena (never protobuf_c_message_free_unpacked it). JSON is
 *  protobuf's mapping: lowerCamelCase or original names, unknown fields ignored, 64-bit integers as strings too, bytes
 *  in base64, enums by name or number, NaN and Infinity as strings. Of the well-known types only Any is special, for
 *  the types of rpc_codec_set_types. Strings are valid UTF-8 in both. No bytes at all are an empty message.
 *  Errors: MALFORMED (what and where), NO_MEMORY; `ret` untouched. Thread: any */
enum status rpc_decode(ProtobufCMessage **ret, enum rpc_codec codec, const ProtobufCMessageDescriptor *descriptor,
                       const char *bytes, size_t len, struct arena *arena, struct error *err);
/** Bytes of a string in a message that rpc_decode made. It may hold NUL, where protobuf-c's own functions see its end.
 */
size_t rpc_text_len(const char *text);
/** Append the message; sets out->failed where memory is short. Thread: any. */
void rpc_encode(struct buf *out, enum rpc_codec codec, const ProtobufCMessage *message);

/** The types [n] that an Any may hold in JSON; borrowed. Without it: none. Before other threads exist. */
void rpc_codec_set_types(const ProtobufCMessageDescriptor *const *types, size_t n);

#endif
