/* Messages to bytes and back, in protobuf's binary encoding or its JSON mapping, by protobuf-c's descriptors. */
#ifndef BERTD_RPC_CODEC_H
#define BERTD_RPC_CODEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "server/rpc/stream.h"

/** Decode; the message and all it points to live in the arena (never protobuf_c_message_free_unpacked it). JSON is
 *  protobuf's mapping: lowerCamelCase or original names, unknown fields ignored, 64-bit integers as strings too, bytes
 *  in base64, enums by name or number, NaN and Infinity as strings. Strings are valid UTF-8 in both.
 *  Errors: MALFORMED (what and where), NO_MEMORY */
enum status rpc_decode(ProtobufCMessage **ret, enum rpc_codec codec, const ProtobufCMessageDescriptor *descriptor,
                       const char *bytes, size_t len, struct arena *arena, struct error *err);
/** Append the message; sets out->failed where memory is short. */
void rpc_encode(struct buf *out, enum rpc_codec codec, const ProtobufCMessage *message);

#endif
