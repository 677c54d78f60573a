/* A stream without a protocol: the test is the client and the event thread. It defines the functions of
 * server/rpc/stream.h, so one file of a program may include it. Before it: emu_server.h. */
#ifndef TESTS_RPC_FAKE_STREAM_H
#define TESTS_RPC_FAKE_STREAM_H

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/net/net.h"
#include "server/rpc/rpc.h"
#include "server/rpc/stream.h"

enum { FAKE_SENT = 256, FAKE_HEADERS = 16, FAKE_DETAILS = 4 };

struct rpc_stream {
    /* Set before fake_open: */
    struct serve_server *server;
    enum rpc_codec codec;
    uint64_t deadline_ns;
    int socket;
    const char *headers[4][2];
    bool slow; /* rpc_send returns false */
    /* What came of it: */
    char *sent[FAKE_SENT];
    size_t sent_len[FAKE_SENT];
    int n_sent;
    char *added[FAKE_HEADERS]; /* "name: value" */
    int n_added;
    bool finished;
    rpc_code code;
    char message[512];
    struct {
        char type[64];
        char bytes[256];
        size_t len;
    } details[FAKE_DETAILS];
    uint32_t n_details;
    uint32_t most; /* of rpc_hold */
    uint32_t consumed;
    /* Its own: */
    const struct rpc_method *method;
    char path[128];
    void *state;
    atomic_int wakes;
    atomic_bool waking;
    uint64_t time_ns;
    uint32_t n_messages;
    pthread_t thread; /* the only one that may answer */
};

/* The functions of stream.h and net.h ------------------------------------------------------------------------------*/

static inline void fake_check(const struct rpc_stream *stream)
{
    cr_assert_not(stream->finished, "touched after rpc_finish");
    cr_assert(pthread_equal(stream->thread, pthread_self()));
}

void *rpc_state(struct rpc_stream *stream)
{
    return stream->state;
}

const struct rpc_method *rpc_method_of(const struct rpc_stream *stream)
{
    return stream->method;
}

struct serve_server *rpc_server_of(const struct rpc_stream *stream)
{
    return stream->server;
}

enum rpc_codec rpc_codec_of(const struct rpc_stream *stream)
{
    return stream->codec;
}

const char *rpc_header(const struct rpc_stream *stream, const char *name)
{
    for (int i = 0; i < 4 && stream->headers[i][0]; i++)
        if (strcmp(stream->headers[i][0], name) == 0)
            return stream->headers[i][1];
    return NULL;
}

uint64_t rpc_deadline_ns(const struct rpc_stream *stream)
{
    return stream->deadline_ns;
}

struct net_exchange *rpc_exchange_of(struct rpc_stream *stream)
{
    return (struct net_exchange *)stream;
}

const void *net_exchange_address(const struct net_exchange *exchange, size_t *ret_len)
{
    (void)exchange;
    *ret_len = 4;
    return "\x7f\0\0\1";
}

const char *net_exchange_path(const struct net_exchange *exchange)
{
    return ((const struct rpc_stream *)exchange)->path;
}

void net_exchange_address_text(const struct net_exchange *exchange, char ret[NET_ADDRESS_SIZE])
{
    (void)exchange;
    strcpy(ret, "127.0.0.1");
}

int net_exchange_socket(const struct net_exchange *exchange)
{
    return ((const struct rpc_stream *)exchange)->socket;
}

void rpc_add_header(struct rpc_stream *stream, const char *name, const char *value)
{
    fake_check(stream);
    cr_assert_eq(stream->n_sent, 0);
    cr_assert_lt(stream->n_added, (int)FAKE_HEADERS);
    cr_assert_gt(asprintf(&stream->added[stream->n_added++], "%s: %s", name, value), 0);
}

bool rpc_send(struct rpc_stream *stream, char *bytes, size_t len)
{
    fake_check(stream);
    cr_assert_lt(stream->n_sent, (int)FAKE_SENT);
    stream->sent[stream->n_sent] = bytes;
    stream->sent_len[stream->n_sent++] = len;
    return !stream->slow;
}

bool rpc_begin_wake(struct rpc_stream *stream)
{
    cr_assert_not(stream->finished);
    return !atomic_exchange(&stream->waking, true);
}

void rpc_end_wake(struct rpc_stream *stream)
{
    cr_assert_not(stream->finished);
    atomic_fetch_add(&stream->wakes, 1);
}

bool rpc_is_waking(struct rpc_stream *stream)
{
    return atomic_load(&stream->waking);
}

void rpc_set_time(struct rpc_stream *stream, uint64_t at_ns)
{
    fake_check(stream);
    stream->time_ns = at_ns;
}

void rpc_hold(struct rpc_stream *stream, uint32_t most)
{
    stream->most = most;
}

void rpc_consume(struct rpc_stream *stream)
{
    fake_check(stream);
    cr_assert(stream->most);
    stream->consumed++;
}

void rpc_finish(struct rpc_stream *stream, rpc_code code, const char *message, const struct rpc_detail *details,
                uint32_t n_details)
{
    fake_check(stream);
    stream->finished = true;
    stream->code = code;
    snprintf(stream->message, sizeof stream->message, "%s", message ? message : "");
    cr_assert_leq(n_details, (uint32_t)FAKE_DETAILS);
    for (uint32_t i = 0; i < n_details; i++) {
        snprintf(stream->details[i].type, sizeof stream->details[i].type, "%s", details[i].type);
        cr_assert_leq(details[i].len, sizeof stream->details[i].bytes);
        memcpy(stream->details[i].bytes, details[i].bytes, details[i].len);
        stream->details[i].len = details[i].len;
    }
    stream->n_details = n_details;
}

/* The client --------------------------------------------------------------------------------------------------------*/

/** Open it for "tei.v1.Embed/Embed". What it was before must have been closed. */
static inline void fake_open(struct rpc_stream *stream, const char *path)
{
    uint32_t n = 0;
    const struct rpc_service *services = rpc_services(&n);
    const char *slash = strchr(path, '/');
    stream->thread = pthread_self();
    snprintf(stream->path, sizeof stream->path, "/%s", path);
    for (uint32_t s = 0; s < n; s++) {
        if (strncmp(services[s].name, path, (size_t)(slash - path)) != 0 || services[s].name[slash - path])
            continue;
        for (uint32_t m = 0; m < services[s].n_methods; m++)
            if (strcmp(services[s].methods[m].name, slash + 1) == 0)
                stream->method = &services[s].methods[m];
    }
    cr_assert_not_null(stream->method, "%s", path);
    stream->state = calloc(1, stream->method->state_size);
    if (stream->method->on_start)
        stream->method->on_start(stream);
}

/** What the event thread does when it has nothing else to do. */
static inline void fake_poll(struct rpc_stream *stream)
{
    bool woken = atomic_exchange(&stream->wakes, 0) > 0;
    if (woken)
        atomic_store(&stream->waking, false);
    if (woken && !stream->finished)
        stream->method->on_wake(stream);
    if (!stream->finished && stream->time_ns && stream->time_ns <= clock_now_ns()) {
        stream->time_ns = 0;
        stream->method->on_time(stream);
    }
}

#define FAKE_WAIT_FOR(stream, condition)                                                                               \
    do {                                                                                                               \
        for (int tries = 0; !(condition); tries++) {                                                                   \
            cr_assert_lt(tries, 120000, "never: " #condition);                                                         \
            fake_poll(stream);                                                                                         \
            usleep(500);                                                                                               \
        }                                                                                                              \
    } while (0)

/** Waits until the service takes it. */
static inline void fake_message(struct rpc_stream *stream, const char *bytes, size_t len)
{
    char *copy = malloc(len + 1); /* as short as it is borrowed */
    memcpy(copy, bytes, len);
    if (stream->most)
        FAKE_WAIT_FOR(stream, stream->finished || stream->n_messages - stream->consumed < stream->most);
    stream->n_messages++;
    if (!stream->finished)
        stream->method->on_message(stream, copy, len);
    free(copy);
}

static inline void fake_pack(struct rpc_stream *stream, const ProtobufCMessage *message)
{
    char bytes[4096];
    cr_assert_leq(protobuf_c_message_get_packed_size(message), sizeof bytes);
    fake_message(stream, bytes, protobuf_c_message_pack(message, (uint8_t *)bytes));
}

static inline void fake_half_close(struct rpc_stream *stream)
{
    if (!stream->finished)
        stream->method->on_half_close(stream);
}

static inline void fake_cancel(struct rpc_stream *stream)
{
    if (!stream->finished)
        stream->method->on_cancel(stream);
}

static inline void fake_writable(struct rpc_stream *stream)
{
    stream->slow = false;
    if (!stream->finished)
        stream->method->on_writable(stream);
}

static inline void fake_end(struct rpc_stream *stream)
{
    FAKE_WAIT_FOR(stream, stream->finished);
}

/** A whole call with one message, to its end. */
static inline void fake_ask(struct rpc_stream *stream, const char *path, const ProtobufCMessage *message)
{
    fake_open(stream, path);
    fake_pack(stream, message);
    fake_half_close(stream);
    fake_end(stream);
}

/** It must have finished. Zeroes it but for what was set before fake_open. */
static inline void fake_close(struct rpc_stream *stream)
{
    cr_assert(stream->finished);
    if (stream->method->on_over)
        stream->method->on_over(stream);
    for (int i = 0; i < stream->n_sent; i++)
        mem_free(stream->sent[i]);
    for (int i = 0; i < stream->n_added; i++)
        free(stream->added[i]);
    free(stream->state);
    *stream = (struct rpc_stream){.server = stream->server, .codec = stream->codec, .socket = stream->socket};
}

static inline const char *fake_header(const struct rpc_stream *stream, const char *name)
{
    for (int i = 0; i < stream->n_added; i++)
        if (strncmp(stream->added[i], name, strlen(name)) == 0 && stream->added[i][strlen(name)] == ':')
            return stream->added[i] + strlen(name) + 2;
    return NULL;
}

static struct rpc_stream stream; /* for the test */

static inline void begin_stream(void)
{
    begin();
    stream = (struct rpc_stream){.server = server, .socket = -1};
}

#endif
