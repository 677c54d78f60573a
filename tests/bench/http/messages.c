/* Requests, and what their answers say. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bertd.pb-c.h"
#include "tei.pb-c.h"
#include "tests/bench/http/surfaces.h"

enum { SPECIAL_TOKENS = 2, ENVELOPE = 5, TRAILERS = 0x80 };

static const struct surface surfaces[] = {
    {.name = "embed", .path = "/embed", .type = "application/json", .json = true},
    {.name = "embed-h2", .path = "/embed", .type = "application/json", .json = true, .h2 = true},
    {.name = "connect", .path = "/tei.v1.Embed/Embed", .type = "application/proto"},
    {.name = "grpc",
     .path = "/tei.v1.Embed/Embed",
     .type = "application/grpc+proto",
     .h2 = true,
     .enveloped = true,
     .needs_trailers = true},
    {.name = "grpc-web", .path = "/tei.v1.Embed/Embed", .type = "application/grpc-web+proto", .enveloped = true},
    {.name = "batch",
     .path = "/bertd.v1.Embeddings/EmbedBatch",
     .type = "application/grpc+proto",
     .h2 = true,
     .enveloped = true,
     .batch = true,
     .needs_trailers = true},
    {.name = "batch-connect", .path = "/bertd.v1.Embeddings/EmbedBatch", .type = "application/proto", .batch = true},
};

const struct surface surface_stream = {.name = "stream",
                                       .path = "/tei.v1.Embed/EmbedStream",
                                       .type = "application/grpc+proto",
                                       .h2 = true,
                                       .enveloped = true,
                                       .needs_trailers = true};

const struct surface *surface_find(const char *name)
{
    for (size_t i = 0; i < sizeof surfaces / sizeof *surfaces; i++)
        if (strcmp(surfaces[i].name, name) == 0)
            return &surfaces[i];
    return NULL;
}

/* Requests ---------------------------------------------------------------------------------------------------------*/

static char *make_text(const struct texts *texts, int tokens, uint64_t seed)
{
    struct buf text = {0};
    for (int w = SPECIAL_TOKENS; w < tokens; w++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        buf_printf(&text, "%s%s", w > SPECIAL_TOKENS ? " " : "", texts->words[(seed >> 33) % (uint64_t)texts->n_words]);
    }
    buf_append(&text, "", 1);
    if (text.failed)
        fail("no memory");
    return text.data;
}

static void write_json(struct buf *out, char **inputs, int n)
{
    buf_puts(out, n == 1 ? "{\"inputs\":" : "{\"inputs\":[");
    for (int i = 0; i < n; i++)
        buf_printf(out, "%s\"%s\"", i ? "," : "", inputs[i]);
    buf_puts(out, n == 1 ? "}" : "]}");
}

static void write_message(struct buf *out, const ProtobufCMessage *message, bool enveloped)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    const uint8_t head[ENVELOPE] = {0, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
    if (enveloped)
        buf_append(out, head, sizeof head);
    char *to = buf_reserve(out, len + 1);
    if (to)
        out->len += protobuf_c_message_pack(message, (uint8_t *)to);
}

static void write_body(struct buf *out, const struct surface *surface, char **inputs, int n)
{
    Bertd__V1__EmbedBatchRequest batch = BERTD__V1__EMBED_BATCH_REQUEST__INIT;
    Tei__V1__EmbedRequest one = TEI__V1__EMBED_REQUEST__INIT;
    batch.inputs = inputs;
    batch.n_inputs = (size_t)n;
    one.inputs = inputs[0];
    if (surface->json)
        write_json(out, inputs, n);
    else
        write_message(out, surface->batch ? &batch.base : &one.base, surface->enveloped);
}

void request_make(struct request *ret, const struct surface *surface, const struct texts *texts, int first, int n_texts)
{
    struct buf body = {0}, all = {0};
    char **inputs = calloc((size_t)n_texts, sizeof *inputs);
    if (!inputs)
        fail("no memory");
    for (int i = 0; i < n_texts; i++)
        inputs[i] = make_text(texts, texts->lengths[(first + i) % texts->n_lengths], (uint64_t)(first + i) + 1);
    write_body(&body, surface, inputs, n_texts);
    if (!surface->h2)
        buf_printf(&all, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                   surface->path, surface->type, body.len);
    buf_append(&all, body.data, body.len);
    if (all.failed || body.failed)
        fail("no memory");
    *ret = (struct request){surface, all.data, all.len};
    for (int i = 0; i < n_texts; i++)
        free(inputs[i]);
    free(inputs);
    buf_finish(&body);
}

void request_write_stream(struct buf *out, const struct texts *texts, int tokens, uint64_t seed)
{
    Tei__V1__EmbedRequest message = TEI__V1__EMBED_REQUEST__INIT;
    message.inputs = make_text(texts, tokens, seed);
    write_message(out, &message.base, true);
    free(message.inputs);
}

/* Answers ----------------------------------------------------------------------------------------------------------*/

/* The bytes of the next message from *at on, which goes past it; NULL: there is none. */
static const uint8_t *next_message(const struct answer *answer, size_t *at, size_t *ret_len)
{
    const uint8_t *bytes = (const uint8_t *)answer->body.data + *at;
    size_t left = answer->body.len - *at;
    if (left < ENVELOPE || bytes[0] != 0)
        return NULL;
    *ret_len = (size_t)bytes[1] << 24 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 8 | bytes[4];
    if (*ret_len > left - ENVELOPE)
        return NULL;
    *at += ENVELOPE + *ret_len;
    return bytes + ENVELOPE;
}

/* gRPC-Web's trailers are in the body. */
static bool says_ok(const struct answer *answer, size_t at)
{
    static const char ok[] = "grpc-status:0";
    char text[64] = "", *to = text;
    for (size_t i = at + ENVELOPE; i < answer->body.len && to < text + sizeof text - 1; i++)
        if (answer->body.data[i] != ' ')
            *to++ = answer->body.data[i];
    return answer->body.len > at + ENVELOPE && (uint8_t)answer->body.data[at] == TRAILERS &&
           strncmp(text, ok, sizeof ok - 1) == 0;
}

static const uint8_t *message_of(const struct surface *surface, const struct answer *answer, size_t *ret_len)
{
    size_t at = 0;
    *ret_len = answer->body.len;
    if (!surface->enveloped)
        return (const uint8_t *)answer->body.data;
    const uint8_t *message = next_message(answer, &at, ret_len);
    bool ended = surface->needs_trailers ? answer->grpc_status == 0 : message && says_ok(answer, at);
    return ended ? message : NULL;
}

static double timing_of(const char *timing, const char *name)
{
    const char *found = strstr(timing, name);
    return found ? strtod(found + strlen(name), NULL) * 1e3 : 0;
}

static void read_times(const Tei__V1__Metadata *metadata, struct times *ret)
{
    *ret = (struct times){(double)metadata->total_time_ns * 1e-3, (double)metadata->queue_time_ns * 1e-3,
                          (double)metadata->inference_time_ns * 1e-3};
}

static bool check_message(const struct surface *surface, const uint8_t *message, size_t len, struct times *ret)
{
    Bertd__V1__EmbedBatchResponse *batch = NULL;
    Tei__V1__EmbedResponse *one = NULL;
    if (surface->batch)
        batch = bertd__v1__embed_batch_response__unpack(NULL, len, message);
    else
        one = tei__v1__embed_response__unpack(NULL, len, message);
    const Tei__V1__Metadata *metadata = batch ? batch->metadata : one ? one->metadata : NULL;
    bool fine = metadata && (batch ? batch->vectors.len > 0 : one->n_embeddings > 0);
    if (fine)
        read_times(metadata, ret);
    if (batch)
        bertd__v1__embed_batch_response__free_unpacked(batch, NULL);
    if (one)
        tei__v1__embed_response__free_unpacked(one, NULL);
    return fine;
}

bool answer_check(const struct surface *surface, const struct answer *answer, struct times *ret)
{
    size_t len = 0;
    if (answer->code != 200)
        return false;
    if (surface->json) {
        *ret = (struct times){timing_of(answer->timing, "total;dur="), timing_of(answer->timing, "queue;dur="),
                              timing_of(answer->timing, "inference;dur=")};
        return *answer->timing && answer->body.len > 2;
    }
    const uint8_t *message = message_of(surface, answer, &len);
    return message && check_message(surface, message, len, ret);
}

static size_t read_json(const struct answer *answer)
{
    static _Thread_local volatile double sum;
    json_t *rows = json_loadb(answer->body.data, answer->body.len, 0, NULL), *row, *value;
    size_t i, j, n = 0;
    json_array_foreach(rows, i, row) json_array_foreach(row, j, value)
    {
        sum += json_real_value(value);
        n++;
    }
    json_decref(rows);
    return n;
}

static size_t read_batch(const uint8_t *message, size_t len)
{
    static _Thread_local volatile float sum;
    Bertd__V1__EmbedBatchResponse *batch = bertd__v1__embed_batch_response__unpack(NULL, len, message);
    size_t n = 0;
    for (float value; batch && (n + 1) * sizeof value <= batch->vectors.len; n++) {
        memcpy(&value, batch->vectors.data + n * sizeof value, sizeof value);
        sum += value;
    }
    if (batch)
        bertd__v1__embed_batch_response__free_unpacked(batch, NULL);
    return n;
}

static size_t read_one(const uint8_t *message, size_t len)
{
    Tei__V1__EmbedResponse *one = tei__v1__embed_response__unpack(NULL, len, message);
    size_t n = one ? one->n_embeddings : 0;
    if (one)
        tei__v1__embed_response__free_unpacked(one, NULL);
    return n;
}

size_t answer_read(const struct surface *surface, const struct answer *answer)
{
    size_t len = 0;
    if (surface->json)
        return read_json(answer);
    const uint8_t *message = message_of(surface, answer, &len);
    return !message ? 0 : surface->batch ? read_batch(message, len) : read_one(message, len);
}

int answer_stream_tokens(const struct answer *answer, uint32_t *ret, int most)
{
    size_t at = 0, len = 0;
    const uint8_t *message;
    int n = 0;
    while ((message = next_message(answer, &at, &len))) {
        Tei__V1__EmbedResponse *one = tei__v1__embed_response__unpack(NULL, len, message);
        if (n < most)
            ret[n] = one && one->metadata ? one->metadata->compute_tokens : 0;
        n++;
        if (one)
            tei__v1__embed_response__free_unpacked(one, NULL);
    }
    return n;
}
