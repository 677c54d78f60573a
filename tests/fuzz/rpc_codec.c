/* Both decoders of messages on arbitrary bytes: no crash, no leak, bounded memory, and what is accepted comes back the
 * same from what it is encoded as. The first byte chooses the message and the encoding. */
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "bertd.pb-c.h"
#include "health.pb-c.h"
#include "reflection.pb-c.h"
#include "server/rpc/codec.h"
#include "tei.pb-c.h"
#include "tests/fuzz/require.h"

/* All requests, and answers that have what requests have not. */
static const ProtobufCMessageDescriptor *const types[] = {
    &bertd__v1__embed_batch_request__descriptor,
    &bertd__v1__list_boards_request__descriptor,
    &bertd__v1__list_boards_response__descriptor,
    &bertd__v1__watch_boards_request__descriptor,
    &grpc__health__v1__health_check_request__descriptor,
    &grpc__health__v1__health_list_request__descriptor,
    &grpc__health__v1__health_list_response__descriptor,
    &grpc__reflection__v1__server_reflection_request__descriptor,
    &grpc__reflection__v1__server_reflection_response__descriptor,
    &tei__v1__decode_request__descriptor,
    &tei__v1__embed_request__descriptor,
    &tei__v1__embed_all_request__descriptor,
    &tei__v1__embed_all_response__descriptor,
    &tei__v1__embed_sparse_request__descriptor,
    &tei__v1__encode_request__descriptor,
    &tei__v1__encode_response__descriptor,
    &tei__v1__info_request__descriptor,
    &tei__v1__info_response__descriptor,
    &tei__v1__predict_request__descriptor,
    &tei__v1__predict_pair_request__descriptor,
    &tei__v1__rerank_request__descriptor,
    &tei__v1__rerank_stream_request__descriptor,
};
enum { TYPES = sizeof types / sizeof *types };

/* Its keys may come twice, which JSON does not allow. */
static bool has_map(const ProtobufCMessageDescriptor *type)
{
    return type == &grpc__health__v1__health_list_response__descriptor;
}

static struct buf encode(enum rpc_codec codec, const ProtobufCMessage *message)
{
    struct buf out = {0};
    rpc_encode(&out, codec, message);
    REQUIRE(!out.failed);
    return out;
}

static void check_round_trip(enum rpc_codec codec, const ProtobufCMessage *message, struct arena *arena)
{
    struct error err;
    ProtobufCMessage *back = NULL;
    struct buf first = encode(codec, message);
    REQUIRE(codec != RPC_JSON || utf8_valid(first.data, first.len) == first.len);
    REQUIRE(rpc_decode(&back, codec, message->descriptor, first.data, first.len, arena, &err) == STATUS_OK);
    struct buf second = encode(codec, back);
    REQUIRE(first.len == second.len && (first.len == 0 || memcmp(first.data, second.data, first.len) == 0));
    buf_finish(&first);
    buf_finish(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned type = data[0] % TYPES;
    enum rpc_codec codec = data[0] / TYPES % 2 ? RPC_JSON : RPC_PROTO;
    struct arena *arena = arena_create(1 << 26), *others = arena_create(1 << 28);
    struct error err = {0};
    ProtobufCMessage *message = NULL;
    enum status status = rpc_decode(&message, codec, types[type], (const char *)data + 1, size - 1, arena, &err);
    REQUIRE(arena_used(arena) <= 256 * size + 16384);
    if (status == STATUS_OK) {
        check_round_trip(RPC_PROTO, message, others);
        if (!has_map(types[type]))
            check_round_trip(RPC_JSON, message, others);
    } else {
        REQUIRE(status == STATUS_MALFORMED && err.status == status && err.message[0]);
        REQUIRE(utf8_valid(err.message, strlen(err.message)) == strlen(err.message));
    }
    arena_destroy(&arena);
    arena_destroy(&others);
    return 0;
}
