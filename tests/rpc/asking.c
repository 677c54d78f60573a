#include "tests/rpc/asking.h"

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "error_details.pb-c.h"
#include "server/rpc/envelope.h"
#include "server/rpc/status.h"
#include "server/rpc/wire.h"
#include "tests/net/client.h"

#define CONNECT "connect-timeout-ms", "10"
#define GRPC    "grpc-timeout", "10m", "grpc-encoding", "grpc-accept-encoding"
const struct way ways[WAYS] = {
    {"application/proto", FORM_UNARY, false, false, false, false, CONNECT, "content-encoding", "accept-encoding"},
    {"application/json", FORM_UNARY, true, false, false, false, CONNECT, "content-encoding", "accept-encoding"},
    {"application/connect+proto", FORM_CONNECT_STREAM, false, false, true, true, CONNECT, "connect-content-encoding",
     "connect-accept-encoding"},
    {"application/connect+json", FORM_CONNECT_STREAM, true, false, true, true, CONNECT, "connect-content-encoding",
     "connect-accept-encoding"},
    {"application/grpc-web+proto", FORM_WEB, false, false, false, false, GRPC},
    {"application/grpc-web+json", FORM_WEB, true, false, false, false, GRPC},
    {"application/grpc-web-text+proto", FORM_WEB, false, true, false, false, GRPC},
    {"application/grpc+proto", FORM_GRPC, false, false, false, true, GRPC},
    {"application/grpc+json", FORM_GRPC, true, false, false, true, GRPC},
};

enum { NONE = 99, ENVELOPE = 5, ENDS = 2, TRAILERS = 0x80 };

/* What comes in ----------------------------------------------------------------------------------------------------*/

struct incoming {
    struct buf head, trailers, body;
    bool head_over;
};

static size_t take_line(char *bytes, size_t size, size_t n, void *cookie)
{
    struct incoming *in = cookie;
    size_t len = size * n;
    if (len > 5 && strncmp(bytes, "HTTP/", 5) == 0) {
        in->head.len = 0;
        in->head_over = false;
    }
    struct buf *to = in->head_over ? &in->trailers : &in->head;
    buf_append(to, bytes, len - 2);
    buf_puts(to, "\n");
    in->head_over |= len == 2;
    return len;
}

static size_t take_body(char *bytes, size_t size, size_t n, void *cookie)
{
    buf_append(&((struct incoming *)cookie)->body, bytes, size * n);
    return size * n;
}

static void terminate(struct buf *buf)
{
    buf_append(buf, "", 1);
    buf->len--;
}

/* The value of a field among lines. False: it is not there. */
static bool find(const struct buf *lines, const char *name, char *ret, size_t size)
{
    size_t len = strlen(name);
    for (const char *at = lines->data; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        if (strncasecmp(at, name, len) != 0 || at[len] != ':')
            continue;
        at += len + 1;
        at += *at == ' ';
        snprintf(ret, size, "%.*s", (int)strcspn(at, "\r\n"), at);
        return true;
    }
    return false;
}

/* What it says -----------------------------------------------------------------------------------------------------*/

static void read_detail(struct told *told, const char *type, const uint8_t *bytes, size_t len)
{
    if (strcmp(type, "google.rpc.ErrorInfo") == 0) {
        Google__Rpc__ErrorInfo *info = google__rpc__error_info__unpack(NULL, len, bytes);
        cr_assert_not_null(info);
        cr_expect_str_eq(info->domain, "bertd");
        snprintf(told->reason, sizeof told->reason, "%s", info->reason);
        google__rpc__error_info__free_unpacked(info, NULL);
    } else {
        cr_expect_str_eq(type, "google.rpc.RetryInfo");
        Google__Rpc__RetryInfo *info = google__rpc__retry_info__unpack(NULL, len, bytes);
        cr_assert(info && info->retry_delay);
        told->retry_s = (long)info->retry_delay->seconds;
        google__rpc__retry_info__free_unpacked(info, NULL);
    }
}

static void read_json_error(struct told *told, const json_t *error)
{
    char bytes[300];
    size_t i, len = 0;
    json_t *detail;
    const char *name = json_string_value(json_object_get(error, "code"));
    const char *message = json_string_value(json_object_get(error, "message"));
    for (unsigned code = 1; name && code <= RPC_UNAUTHENTICATED; code++)
        if (strcmp(rpc_code_name(code), name) == 0)
            told->code = code;
    snprintf(told->message, sizeof told->message, "%s", message ? message : "");
    json_array_foreach(json_object_get(error, "details"), i, detail)
    {
        const char *value = json_string_value(json_object_get(detail, "value"));
        cr_assert(value && strlen(value) < sizeof bytes && base64_decode(value, strlen(value), bytes, &len));
        read_detail(told, json_string_value(json_object_get(detail, "type")), (const uint8_t *)bytes, len);
    }
}

static void read_any(struct told *told, const struct rpc_wire_field *any)
{
    static const char prefix[] = "type.googleapis.com/";
    char type[100] = "";
    struct rpc_wire wire;
    struct rpc_wire_field field;
    rpc_wire_init(&wire, any->bytes, any->len);
    while (rpc_wire_next(&wire, &field)) {
        if (field.number == 1) {
            snprintf(type, sizeof type, "%.*s", (int)field.len, field.bytes);
            cr_assert_eq(strncmp(type, prefix, sizeof prefix - 1), 0, "%s", type);
        } else {
            read_detail(told, type + sizeof prefix - 1, (const uint8_t *)field.bytes, field.len);
        }
    }
    cr_expect(!wire.broken);
}

/* google.rpc.Status; it must say what the plain fields say. */
static void read_status(struct told *told, const char *base64)
{
    char bytes[800];
    size_t len = 0;
    struct rpc_wire wire;
    struct rpc_wire_field field;
    cr_assert(strlen(base64) < sizeof bytes && base64_decode(base64, strlen(base64), bytes, &len));
    rpc_wire_init(&wire, bytes, len);
    while (rpc_wire_next(&wire, &field)) {
        if (field.number == 1)
            cr_expect_eq(field.value, told->code);
        else if (field.number == 2)
            cr_expect(field.len == strlen(told->message) && memcmp(field.bytes, told->message, field.len) == 0);
        else
            read_any(told, &field);
    }
    cr_expect(!wire.broken);
}

static void unescape(char *text)
{
    char *to = text;
    unsigned c = 0;
    for (; *text; text++, to++) {
        bool escaped = *text == '%' && sscanf(text + 1, "%2x", &c) == 1;
        *to = escaped ? (char)c : *text;
        text += escaped ? 2 : 0;
    }
    *to = '\0';
}

static bool read_grpc(struct told *told, const struct buf *lines)
{
    char text[1000];
    if (!find(lines, "grpc-status", text, sizeof text))
        return false;
    told->code = (unsigned)atoi(text);
    if (find(lines, "grpc-message", told->message, sizeof told->message))
        unescape(told->message);
    if (find(lines, "grpc-status-details-bin", text, sizeof text))
        read_status(told, text);
    return true;
}

/* The last envelope, which has these flags; its text replaces `lines`. */
static bool last_envelope(const struct buf *body, unsigned flags, struct buf *lines)
{
    size_t at = 0;
    while (at + ENVELOPE <= body->len) {
        const unsigned char *head = (const unsigned char *)body->data + at;
        size_t len = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
        at += ENVELOPE + len;
        cr_assert_leq(at, body->len, "an envelope ends behind the body");
        if (head[0] != flags)
            continue;
        cr_assert_eq(at, body->len, "something stands behind the end");
        lines->len = 0;
        buf_append(lines, head + ENVELOPE, len);
        terminate(lines);
        return true;
    }
    return false;
}

static void decode_body(struct buf *body)
{
    struct buf bytes = {0};
    size_t len = 0;
    cr_assert(base64_decode(body->data, body->len, buf_reserve(&bytes, body->len + 3), &len), "%s", body->data);
    bytes.len = len;
    buf_finish(body);
    *body = bytes;
    terminate(body);
}

static void read_connect_end(struct told *told, struct buf *lines)
{
    told->in_trailers = last_envelope(&told->body, ENDS, lines);
    cr_assert(told->in_trailers, "a stream of Connect without its end");
    json_t *end = json_loads(lines->data, 0, NULL);
    json_t *error = json_object_get(end, "error");
    cr_assert(json_is_object(end), "%s", lines->data);
    told->code = 0;
    if (error)
        read_json_error(told, error);
    json_decref(end);
}

static void read_told(struct told *told, const struct way *way, struct incoming *in)
{
    find(&in->head, "content-type", told->type, sizeof told->type);
    if (strncmp(told->type, way->type, strlen(way->type)) != 0 && way->form != FORM_UNARY)
        return; /* HTTP alone tells it */
    if (way->text)
        decode_body(&told->body);
    if (way->form == FORM_CONNECT_STREAM) {
        read_connect_end(told, &in->trailers);
    } else if (way->form == FORM_UNARY) {
        json_t *error = told->http == 200 ? NULL : json_loads(told->body.data, 0, NULL);
        read_json_error(told, error);
        json_decref(error);
        told->code = told->http == 200 ? 0 : told->code;
    } else if (!read_grpc(told, &in->head)) {
        if (way->form == FORM_WEB)
            cr_assert(last_envelope(&told->body, TRAILERS, &in->trailers), "gRPC-Web without trailers");
        told->in_trailers = true;
        cr_expect(read_grpc(told, &in->trailers), "no status: %s", in->head.data);
    }
}

/* Asking -----------------------------------------------------------------------------------------------------------*/

static struct buf write_body(const struct way *way, const struct question *question)
{
    struct buf body = {0}, text = {0};
    if (way->form == FORM_UNARY || question->bare)
        buf_append(&body, question->message, question->len);
    else
        rpc_envelope_write(&body, 0, question->message, question->len);
    if (!way->text)
        return body;
    base64_encode(&text, body.data, body.len);
    buf_finish(&body);
    return text;
}

/* A connection that is kept, by libcurl or, in HTTP/2, where that loses answers which come before the end of their
 * request, by a client of our own. */
struct asker {
    CURL *curl;
    struct client *client;
    long connects; /* of the last request */
};

static struct curl_slist *set_up(CURL *curl, uint16_t port, const struct way *way, const struct question *question,
                                 const struct buf *body, struct incoming *in)
{
    char url[200], header[100];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, question->path);
    snprintf(header, sizeof header, "content-type: %s", way->type);
    struct curl_slist *headers = curl_slist_append(NULL, header);
    headers = curl_slist_append(headers, "expect:");
    for (int i = 0; i < 3 && question->headers[i]; i++)
        headers = curl_slist_append(headers, question->headers[i]);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->len ? body->data : "");
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body->len);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_line);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, in);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, in);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 600L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    return headers;
}

static long ask_h1(struct asker *asker, uint16_t port, const struct way *way, const struct question *question,
                   struct incoming *in)
{
    long code = 0;
    if (!asker->curl)
        asker->curl = curl_easy_init();
    struct buf body = write_body(way, question);
    struct curl_slist *headers = set_up(asker->curl, port, way, question, &body, in);
    CURLcode done = curl_easy_perform(asker->curl);
    cr_assert_eq(done, CURLE_OK, "%s %s: %s", question->path, way->type, curl_easy_strerror(done));
    curl_easy_getinfo(asker->curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(asker->curl, CURLINFO_NUM_CONNECTS, &asker->connects);
    curl_slist_free_all(headers);
    buf_finish(&body);
    return code;
}

static struct reply *begin_h2(struct client *client, const struct way *way, const struct question *question,
                              const struct buf *body)
{
    enum { MOST = 4 };
    static char names[MOST][64];
    const char *fields[2 * MOST] = {"content-type", way->type};
    size_t n = 1;
    for (; n < MOST && question->headers[n - 1]; n++) {
        const char *header = question->headers[n - 1];
        snprintf(names[n], sizeof names[n], "%.*s", (int)strcspn(header, ":"), header);
        fields[2 * n] = names[n];
        fields[2 * n + 1] = strchr(header, ':') + 2;
    }
    return client_ask_fields(client, "POST", question->path, fields, n, body->len ? body->data : "", body->len);
}

static long ask_h2(struct asker *asker, uint16_t port, const struct way *way, const struct question *question,
                   struct incoming *in)
{
    asker->connects = !asker->client || asker->client->ended;
    if (asker->client && asker->client->ended)
        client_close(asker->client);
    if (asker->connects)
        asker->client = client_open(port);
    struct buf body = write_body(way, question);
    struct reply *reply = begin_h2(asker->client, way, question, &body);
    client_finish(asker->client, reply);
    cr_expect_eq(reply->error, 0u, "%s %s: reset with %u", question->path, way->type, reply->error);
    buf_puts(&in->head, reply->fields);
    buf_puts(&in->trailers, reply->end);
    buf_append(&in->body, reply->body.data, reply->body.len);
    buf_finish(&body);
    return reply->status;
}

struct told ask_by(struct asker **asker, uint16_t port, const struct way *way, const struct question *question)
{
    struct incoming in = {0};
    struct told told = {.code = NONE};
    if (!*asker)
        *asker = calloc(1, sizeof **asker);
    told.http = (way->h2 ? ask_h2 : ask_h1)(*asker, port, way, question, &in);
    terminate(&in.head);
    terminate(&in.trailers);
    terminate(&in.body);
    told.body = in.body;
    read_told(&told, way, &in);
    told.head = in.head;
    buf_finish(&in.trailers);
    return told;
}

void told_free(struct told *told)
{
    buf_finish(&told->head);
    buf_finish(&told->body);
}

long asker_connects(const struct asker *asker)
{
    return asker->connects;
}

void asker_close(struct asker **asker)
{
    if (!*asker)
        return;
    if ((*asker)->curl)
        curl_easy_cleanup((*asker)->curl);
    if ((*asker)->client)
        client_close((*asker)->client);
    free(*asker);
    *asker = NULL;
}

struct asking {
    CURLM *multi;
    CURL *curl;
    struct curl_slist *headers;
    struct client *client;
    struct reply *reply;
    struct buf body;
    struct incoming in;
};

struct asking *asking_begin(uint16_t port, const struct way *way, const struct question *question)
{
    struct asking *asking = calloc(1, sizeof *asking);
    asking->body = write_body(way, question);
    if (way->h2) {
        asking->client = client_open(port);
        asking->reply = begin_h2(asking->client, way, question, &asking->body);
        return asking;
    }
    asking->multi = curl_multi_init();
    asking->curl = curl_easy_init();
    asking->headers = set_up(asking->curl, port, way, question, &asking->body, &asking->in);
    curl_multi_add_handle(asking->multi, asking->curl);
    return asking;
}

void asking_drive(struct asking *asking)
{
    int running = 0;
    if (asking->client) {
        client_step(asking->client, 1);
        return;
    }
    curl_multi_perform(asking->multi, &running);
    curl_multi_poll(asking->multi, NULL, 0, 1, NULL);
}

static void reset(struct asking *asking)
{
    nghttp2_submit_rst_stream(asking->client->session, NGHTTP2_FLAG_NONE, asking->reply->id, NGHTTP2_CANCEL);
    client_finish(asking->client, asking->reply);
    client_close(asking->client);
}

void asking_give_up(struct asking *asking)
{
    if (asking->client) {
        reset(asking);
    } else {
        curl_multi_remove_handle(asking->multi, asking->curl);
        curl_easy_cleanup(asking->curl);
        curl_multi_cleanup(asking->multi);
        curl_slist_free_all(asking->headers);
    }
    buf_finish(&asking->body);
    buf_finish(&asking->in.head);
    buf_finish(&asking->in.trailers);
    buf_finish(&asking->in.body);
    free(asking);
}
