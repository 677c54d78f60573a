#include "tests/rpc/conformance/service.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "connectrpc/conformance/v1/service.pb-c.h"
#include "server/net/net.h"
#include "server/rpc/codec.h"

enum { ARENA_LIMIT = 64 << 20, MAX_REQUESTS = 1024, MAX_HEADERS = 256, MAX_DETAILS = 16 };

#define PAYLOAD(name) Connectrpc__Conformance__V1__ConformancePayload##name
typedef Connectrpc__Conformance__V1__Header Header;
typedef Connectrpc__Conformance__V1__Error Error;
typedef Connectrpc__Conformance__V1__UnaryResponseDefinition UnaryDefinition;
typedef Connectrpc__Conformance__V1__StreamResponseDefinition StreamDefinition;
typedef PAYLOAD() Payload;
typedef PAYLOAD(__RequestInfo) RequestInfo;

/* What a request asks for, whichever of the two definitions it has. */
struct wish {
    Header **headers;
    size_t n_headers;
    Header **trailers;
    size_t n_trailers;
    ProtobufCBinaryData *answers;
    size_t n_answers;
    Error *error;
    uint64_t delay_ns;
};

struct state {
    struct arena *arena;
    Google__Protobuf__Any *requests[MAX_REQUESTS];
    size_t n_requests;
    size_t n_told; /* of these, in answers */
    struct wish wish;
    bool full_duplex;
    bool half_closed;
    bool waiting; /* for the time of the next answer */
    size_t n_answered;
};

static void *need(void *ptr)
{
    if (!ptr)
        abort();
    return ptr;
}

static void *take(struct state *state, size_t size)
{
    return need(arena_alloc(state->arena, size));
}

/* Requests -------------------------------------------------------------------------------------------------------- */

static void read_unary(struct wish *wish, const UnaryDefinition *definition)
{
    if (!definition)
        return;
    wish->headers = definition->response_headers;
    wish->n_headers = definition->n_response_headers;
    wish->trailers = definition->response_trailers;
    wish->n_trailers = definition->n_response_trailers;
    wish->delay_ns = definition->response_delay_ms * 1000000ull;
    if (definition->response_case == CONNECTRPC__CONFORMANCE__V1__UNARY_RESPONSE_DEFINITION__RESPONSE_ERROR)
        wish->error = definition->error;
    if (definition->response_case == CONNECTRPC__CONFORMANCE__V1__UNARY_RESPONSE_DEFINITION__RESPONSE_RESPONSE_DATA) {
        wish->answers = (ProtobufCBinaryData *)&definition->response_data;
        wish->n_answers = 1;
    }
}

static void read_stream(struct wish *wish, const StreamDefinition *definition)
{
    if (!definition)
        return;
    *wish = (struct wish){.headers = definition->response_headers,
                          .n_headers = definition->n_response_headers,
                          .trailers = definition->response_trailers,
                          .n_trailers = definition->n_response_trailers,
                          .answers = definition->response_data,
                          .n_answers = definition->n_response_data,
                          .error = definition->error,
                          .delay_ns = definition->response_delay_ms * 1000000ull};
}

static void read_wish(struct state *state, const ProtobufCMessage *message)
{
    if (message->descriptor == &connectrpc__conformance__v1__unary_request__descriptor) {
        read_unary(&state->wish, ((const Connectrpc__Conformance__V1__UnaryRequest *)message)->response_definition);
    } else if (message->descriptor == &connectrpc__conformance__v1__idempotent_unary_request__descriptor) {
        read_unary(&state->wish,
                   ((const Connectrpc__Conformance__V1__IdempotentUnaryRequest *)message)->response_definition);
    } else if (message->descriptor == &connectrpc__conformance__v1__client_stream_request__descriptor) {
        read_unary(&state->wish,
                   ((const Connectrpc__Conformance__V1__ClientStreamRequest *)message)->response_definition);
    } else if (message->descriptor == &connectrpc__conformance__v1__server_stream_request__descriptor) {
        read_stream(&state->wish,
                    ((const Connectrpc__Conformance__V1__ServerStreamRequest *)message)->response_definition);
    } else {
        const Connectrpc__Conformance__V1__BidiStreamRequest *bidi =
            (const Connectrpc__Conformance__V1__BidiStreamRequest *)message;
        read_stream(&state->wish, bidi->response_definition);
        state->full_duplex = bidi->full_duplex;
    }
}

static Google__Protobuf__Any *as_any(struct state *state, const ProtobufCMessage *message)
{
    Google__Protobuf__Any *any = take(state, sizeof *any);
    size_t size = protobuf_c_message_get_packed_size(message);
    size_t url_size = strlen(message->descriptor->name) + sizeof "type.googleapis.com/";
    google__protobuf__any__init(any);
    any->type_url = take(state, url_size);
    snprintf(any->type_url, url_size, "type.googleapis.com/%s", message->descriptor->name);
    any->value = (ProtobufCBinaryData){size, take(state, size)};
    protobuf_c_message_pack(message, any->value.data);
    return any;
}

/* What was seen --------------------------------------------------------------------------------------------------- */

struct headers {
    struct state *state;
    Header **items;
    size_t n;
};

static void add_value(void *cookie, const char *name, const char *value)
{
    struct headers *headers = cookie;
    struct state *state = headers->state;
    size_t i = 0;
    while (i < headers->n && strcasecmp(headers->items[i]->name, name) != 0)
        i++;
    if (i == MAX_HEADERS)
        return;
    if (i == headers->n) {
        headers->items[headers->n++] = take(state, sizeof(Header));
        connectrpc__conformance__v1__header__init(headers->items[i]);
        headers->items[i]->name = need(arena_copy(state->arena, name, strlen(name)));
        headers->items[i]->value = take(state, MAX_HEADERS * sizeof(char *));
    }
    if (headers->items[i]->n_value < MAX_HEADERS)
        headers->items[i]->value[headers->items[i]->n_value++] = need(arena_copy(state->arena, value, strlen(value)));
}

static char *unescape(struct state *state, const char *text, size_t len)
{
    char *out = need(arena_copy(state->arena, text, len));
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char digits[3] = {0};
        if (text[i] == '%' && i + 2 < len) {
            memcpy(digits, text + i + 1, 2);
            out[n++] = (char)strtol(digits, NULL, 16);
            i += 2;
        } else {
            out[n++] = text[i] == '+' ? ' ' : text[i];
        }
    }
    out[n] = '\0';
    return out;
}

static void tell_query(struct state *state, const char *query, RequestInfo *info)
{
    PAYLOAD(__ConnectGetInfo) *get = take(state, sizeof *get);
    connectrpc__conformance__v1__conformance_payload__connect_get_info__init(get);
    struct headers parameters = {state, take(state, MAX_HEADERS * sizeof(Header *)), 0};
    while (query && *query) {
        size_t len = strcspn(query, "&"), name_len = strcspn(query, "=&");
        const char *value = query + name_len + (query[name_len] == '=');
        add_value(&parameters, unescape(state, query, name_len),
                  unescape(state, value, (size_t)(query + len - value)));
        query += len + (query[len] == '&');
    }
    get->query_params = parameters.items;
    get->n_query_params = parameters.n;
    info->connect_get_info = get;
}

static RequestInfo *tell(struct rpc_stream *stream, struct state *state, bool all)
{
    struct net_exchange *exchange = rpc_exchange_of(stream);
    RequestInfo *info = take(state, sizeof *info);
    connectrpc__conformance__v1__conformance_payload__request_info__init(info);
    size_t until = state->full_duplex && state->n_told < state->n_requests ? state->n_told + 1 : state->n_requests;
    info->requests = state->requests + state->n_told;
    info->n_requests = until - state->n_told;
    state->n_told = until;
    if (!all)
        return info;
    struct headers headers = {state, take(state, MAX_HEADERS * sizeof(Header *)), 0};
    net_exchange_each_header(exchange, add_value, &headers);
    info->request_headers = headers.items;
    info->n_request_headers = headers.n;
    if (rpc_deadline_ns(stream)) {
        uint64_t now = clock_now_ns(), deadline = rpc_deadline_ns(stream);
        info->has_timeout_ms_case =
            CONNECTRPC__CONFORMANCE__V1__CONFORMANCE_PAYLOAD__REQUEST_INFO__HAS_TIMEOUT_MS_TIMEOUT_MS;
        info->timeout_ms = deadline > now ? (int64_t)((deadline - now) / 1000000u) : 0;
    }
    if (strcmp(net_exchange_method(exchange), "GET") == 0)
        tell_query(state, net_exchange_query(exchange), info);
    return info;
}

/* Answers --------------------------------------------------------------------------------------------------------- */

static void add_all(struct rpc_stream *stream, Header **headers, size_t n,
                    void (*add)(struct rpc_stream *stream, const char *name, const char *value))
{
    for (size_t i = 0; i < n; i++) {
        char name[256];
        size_t len = 0;
        for (; headers[i]->name[len] && len + 1 < sizeof name; len++)
            name[len] = (char)tolower((unsigned char)headers[i]->name[len]);
        name[len] = '\0';
        for (size_t k = 0; k < headers[i]->n_value; k++)
            add(stream, name, headers[i]->value[k]);
    }
}

static void add_metadata(struct rpc_stream *stream, const struct wish *wish)
{
    add_all(stream, wish->headers, wish->n_headers, rpc_add_header);
    add_all(stream, wish->trailers, wish->n_trailers, rpc_add_trailer);
}

/* All response messages are alike: a payload alone. */
static void send_payload(struct rpc_stream *stream, struct state *state, RequestInfo *info,
                         const ProtobufCBinaryData *data)
{
    Payload payload = CONNECTRPC__CONFORMANCE__V1__CONFORMANCE_PAYLOAD__INIT;
    Connectrpc__Conformance__V1__UnaryResponse response = CONNECTRPC__CONFORMANCE__V1__UNARY_RESPONSE__INIT;
    struct buf out = {0};
    size_t len = 0;
    payload.request_info = info;
    if (data)
        payload.data = *data;
    response.payload = &payload;
    response.base.descriptor = rpc_method_of(stream)->response;
    rpc_encode(&out, rpc_codec_of(stream), &response.base);
    char *bytes = buf_take(&out, &len);
    rpc_send(stream, bytes, len);
    state->n_answered++;
}

static const char *type_of(const char *url)
{
    const char *slash = strrchr(url, '/');
    return slash ? slash + 1 : url;
}

static void finish(struct rpc_stream *stream, struct state *state)
{
    const Error *error = state->wish.error;
    struct rpc_detail details[MAX_DETAILS];
    uint32_t n = 0;
    if (!error) {
        rpc_finish(stream, 0, NULL, NULL, 0);
        return;
    }
    for (; n < error->n_details && n + 1 < MAX_DETAILS; n++)
        details[n] = (struct rpc_detail){type_of(error->details[n]->type_url), error->details[n]->value.data,
                                         error->details[n]->value.len};
    if (state->n_answered == 0) {
        const Google__Protobuf__Any *info = as_any(state, &tell(stream, state, true)->base);
        details[n++] = (struct rpc_detail){type_of(info->type_url), info->value.data, info->value.len};
    }
    const char *message =
        error->has_message_case == CONNECTRPC__CONFORMANCE__V1__ERROR__HAS_MESSAGE_MESSAGE ? error->message : NULL;
    rpc_finish(stream, (rpc_code)error->code, message, details, n);
}

/* The one answer of unary and client-stream methods. */
static void answer_once(struct rpc_stream *stream, struct state *state)
{
    if (!state->wish.error)
        send_payload(stream, state, tell(stream, state, true), state->wish.n_answers ? state->wish.answers : NULL);
    finish(stream, state);
}

static bool is_due(const struct rpc_stream *stream, const struct state *state)
{
    bool asked = state->full_duplex && state->n_told < state->n_requests;
    return rpc_method_of(stream)->kind == RPC_BIDI_STREAM ? asked || state->half_closed : state->half_closed;
}

static void answer_next(struct rpc_stream *stream, struct state *state)
{
    bool first = state->n_answered == 0;
    bool tells = first || (state->full_duplex && state->n_told < state->n_requests);
    send_payload(stream, state, tells ? tell(stream, state, first) : NULL, &state->wish.answers[state->n_answered]);
}

/* Go on as far as time and requests allow. */
static void advance(struct rpc_stream *stream, struct state *state)
{
    while (!state->waiting && is_due(stream, state)) {
        if (state->n_answered == state->wish.n_answers) {
            finish(stream, state);
            return;
        }
        if (state->wish.delay_ns) {
            state->waiting = true;
            rpc_set_time(stream, clock_now_ns() + state->wish.delay_ns);
        } else {
            answer_next(stream, state);
        }
    }
}

/* Callbacks ------------------------------------------------------------------------------------------------------- */

static bool has_one_answer(const struct rpc_stream *stream)
{
    return rpc_method_of(stream)->kind == RPC_UNARY || rpc_method_of(stream)->kind == RPC_CLIENT_STREAM;
}

static void on_start(struct rpc_stream *stream)
{
    struct state *state = rpc_state(stream);
    state->arena = need(arena_create(ARENA_LIMIT));
    if (rpc_method_of(stream)->kind == RPC_BIDI_STREAM)
        rpc_hold(stream, 4);
}

static void on_message(struct rpc_stream *stream, const char *bytes, size_t len)
{
    struct state *state = rpc_state(stream);
    ProtobufCMessage *message = NULL;
    struct error err;
    if (rpc_decode(&message, rpc_codec_of(stream), rpc_method_of(stream)->request, bytes, len, state->arena, &err) !=
            STATUS_OK ||
        state->n_requests == MAX_REQUESTS) {
        rpc_finish(stream, 3, message ? "too many messages" : err.message, NULL, 0);
        return;
    }
    state->requests[state->n_requests++] = as_any(state, message);
    if (rpc_method_of(stream)->kind == RPC_BIDI_STREAM)
        rpc_consume(stream);
    if (state->n_requests == 1) {
        read_wish(state, message);
        add_metadata(stream, &state->wish);
        if (state->full_duplex && state->wish.n_answers > 0)
            rpc_send_headers(stream);
    }
    if (state->full_duplex)
        advance(stream, state);
}

static void on_half_close(struct rpc_stream *stream)
{
    struct state *state = rpc_state(stream);
    state->half_closed = true;
    if (!has_one_answer(stream)) {
        if (state->wish.n_answers > 0)
            rpc_send_headers(stream);
        advance(stream, state);
    } else if (state->wish.delay_ns) {
        rpc_set_time(stream, clock_now_ns() + state->wish.delay_ns);
    } else {
        answer_once(stream, state);
    }
}

static void on_time(struct rpc_stream *stream)
{
    struct state *state = rpc_state(stream);
    if (has_one_answer(stream)) {
        answer_once(stream, state);
        return;
    }
    state->waiting = false;
    answer_next(stream, state);
    advance(stream, state);
}

static void on_cancel(struct rpc_stream *stream)
{
    rpc_finish(stream, 1, "cancelled", NULL, 0);
}

static void on_over(struct rpc_stream *stream)
{
    struct state *state = rpc_state(stream);
    arena_destroy(&state->arena);
}

#define METHOD(name_, kind_, proto_, get_)                                                                             \
    {                                                                                                                  \
        .name = name_, .kind = kind_, .request = &connectrpc__conformance__v1__##proto_##_request__descriptor,         \
        .response = &connectrpc__conformance__v1__##proto_##_response__descriptor, .public = true,                     \
        .no_side_effects = get_, .state_size = sizeof(struct state), .on_start = on_start, .on_message = on_message,   \
        .on_half_close = on_half_close, .on_time = on_time, .on_cancel = on_cancel, .on_over = on_over                 \
    }

/* Unimplemented is not among them, as its name says. */
static const struct rpc_method methods[] = {
    METHOD("Unary", RPC_UNARY, unary, false),
    METHOD("ServerStream", RPC_SERVER_STREAM, server_stream, false),
    METHOD("ClientStream", RPC_CLIENT_STREAM, client_stream, false),
    METHOD("BidiStream", RPC_BIDI_STREAM, bidi_stream, false),
    METHOD("IdempotentUnary", RPC_UNARY, idempotent_unary, true),
};

const struct rpc_service conformance_service = {"connectrpc.conformance.v1.ConformanceService", methods,
                                                sizeof methods / sizeof *methods};

const ProtobufCMessageDescriptor *const conformance_types[] = {
    &connectrpc__conformance__v1__unary_request__descriptor,
    &connectrpc__conformance__v1__server_stream_request__descriptor,
    &connectrpc__conformance__v1__client_stream_request__descriptor,
    &connectrpc__conformance__v1__bidi_stream_request__descriptor,
    &connectrpc__conformance__v1__idempotent_unary_request__descriptor,
    &connectrpc__conformance__v1__header__descriptor,
    &connectrpc__conformance__v1__conformance_payload__request_info__descriptor,
};
const size_t conformance_n_types = sizeof conformance_types / sizeof *conformance_types;
