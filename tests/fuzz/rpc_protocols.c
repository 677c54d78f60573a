/* Every protocol of RPC on arbitrary bodies: envelopes, base64, compressed messages, in pieces of arbitrary length. No
 * crash, no leak; each exchange gets one answer, and the messages are those of the envelopes, however they are cut. The
 * first bytes choose protocol, method, and pieces. */
#include <stdint.h>

#include "server/rpc/status.h"
#include "tests/fuzz/require.h"
#include "tests/rpc/fake_exchange.h"

enum { LIMIT = 4096, MAX_IN_HAND = 3 };

struct state {
    uint32_t n;
    bool ended;
};

static struct rpc_stream *open_stream; /* that waits for its end */

static void on_start(struct rpc_stream *stream)
{
    open_stream = stream;
    if (rpc_method_of(stream)->kind == RPC_BIDI_STREAM)
        rpc_hold(stream, MAX_IN_HAND);
}

static void answer(struct rpc_stream *stream, const char *bytes, size_t len)
{
    char *copy = mem_alloc(len);
    REQUIRE(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    rpc_send(stream, copy, len);
}

static void on_message(struct rpc_stream *stream, const char *bytes, size_t len)
{
    struct state *state = rpc_state(stream);
    REQUIRE(len <= LIMIT && !state->ended);
    state->n++;
    answer(stream, bytes, len);
    if (rpc_method_of(stream)->kind == RPC_BIDI_STREAM && len % 2)
        rpc_consume(stream); /* the others stay in hand */
}

static void on_half_close(struct rpc_stream *stream)
{
    struct state *state = rpc_state(stream);
    REQUIRE(!state->ended);
    REQUIRE(state->n == 1 || rpc_method_of(stream)->kind == RPC_CLIENT_STREAM ||
            rpc_method_of(stream)->kind == RPC_BIDI_STREAM);
    state->ended = true;
    open_stream = NULL;
    rpc_finish(stream, 0, NULL, NULL, 0);
}

static void on_cancel(struct rpc_stream *stream)
{
    open_stream = NULL;
    rpc_finish(stream, RPC_CANCELLED, NULL, NULL, 0);
}

#define METHOD(name_, kind_)                                                                                           \
    {                                                                                                                  \
        .name = name_, .kind = kind_, .no_side_effects = true, .state_size = sizeof(struct state),                     \
        .on_start = on_start, .on_message = on_message, .on_half_close = on_half_close, .on_cancel = on_cancel         \
    }
static const struct rpc_method methods[] = {METHOD("U", RPC_UNARY), METHOD("S", RPC_SERVER_STREAM),
                                            METHOD("C", RPC_CLIENT_STREAM), METHOD("B", RPC_BIDI_STREAM)};
static const struct rpc_service service = {"p.S", methods, sizeof methods / sizeof *methods};

static const char *const paths[] = {"/p.S/U", "/p.S/S", "/p.S/C", "/p.S/B", "/p.S/None"};
static const struct {
    const char *type;
    const char *coding;
} contents[] = {
    {"application/grpc", "grpc-encoding"},          {"application/grpc-web+json", "grpc-encoding"},
    {"application/grpc-web-text", "grpc-encoding"}, {"application/connect+proto", "connect-content-encoding"},
    {"application/json", "content-encoding"},
};
static const char *const codings[] = {"identity", "gzip", "zstd", "deflate"};
enum { PATHS = 5, CONTENTS = 5, CODINGS = 4 };

static void check_answer(const struct net_exchange *exchange)
{
    REQUIRE(exchange->given);
    if (exchange->code != 200)
        return;
    const char *type = fake_find(exchange->fields, exchange->n_fields, "content-type");
    REQUIRE(type != NULL);
    if (strcmp(type, "application/grpc") == 0)
        REQUIRE((fake_find(exchange->fields, exchange->n_fields, "grpc-status") != NULL) !=
                (fake_find(exchange->trailers, exchange->n_trailers, "grpc-status") != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpc_options options = {.payload_limit = LIMIT, .services = &service, .n_services = 1};
    static struct rpc_server *server;
    if (!server)
        REQUIRE(rpc_server_create(&server, NULL, &options, NULL) == STATUS_OK);
    if (size < 4)
        return 0;
    const char *content = contents[data[0] % CONTENTS].type;
    struct net_exchange exchange = {.method = "POST", .path = paths[data[1] % PATHS]};
    char query[512];
    exchange.headers[0][0] = "content-type";
    exchange.headers[0][1] = content;
    exchange.headers[1][0] = contents[data[0] % CONTENTS].coding;
    exchange.headers[1][1] = codings[data[2] % CODINGS];
    exchange.headers[2][0] = "grpc-accept-encoding";
    exchange.headers[2][1] = "gzip";
    size_t piece = data[3] ? data[3] : size;
    data += 4;
    size -= 4;
    if (data[-4] >= 128) { /* Connect's GET */
        snprintf(query, sizeof query, "%.*s", (int)(size < 500 ? size : 500), (const char *)data);
        exchange.method = "GET";
        exchange.query = query;
        size = 0;
    }
    fake_begin(&exchange, server);
    for (size_t at = 0; at < size; at += piece)
        fake_body(&exchange, (const char *)data + at, size - at < piece ? size - at : piece);
    fake_end(&exchange);
    REQUIRE(exchange.consumed <= size);
    if (!exchange.given) { /* messages stay in hand */
        REQUIRE(open_stream != NULL);
        fake_gone(&exchange);
    }
    check_answer(&exchange);
    fake_close(&exchange);
    open_stream = NULL;
    return 0;
}
