#include "tests/rpc/asking/told.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "error_details.pb-c.h"
#include "server/rpc/status.h"
#include "server/rpc/wire.h"

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
        if (strcmp(rpc_code_connect_name(code), name) == 0)
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

static void read_grpc_end(struct told *told, const struct way *way, struct incoming *in)
{
    if (read_grpc(told, &in->head))
        return;
    if (way->form == FORM_WEB)
        cr_assert(last_envelope(&told->body, TRAILERS, &in->trailers), "gRPC-Web without trailers");
    told->in_trailers = true;
    cr_expect(read_grpc(told, &in->trailers), "no status: %s", in->head.data);
}

static void read_unary(struct told *told)
{
    json_t *error = told->http == 200 ? NULL : json_loads(told->body.data, 0, NULL);
    if (told->http == 200)
        told->code = RPC_OK;
    else
        read_json_error(told, error);
    json_decref(error);
}

struct told tell(const struct way *way, struct incoming *in)
{
    struct told told = {.http = in->http, .code = NONE};
    terminate(&in->head);
    terminate(&in->trailers);
    terminate(&in->body);
    told.head = in->head;
    told.body = in->body;
    find(&told.head, "content-type", told.type, sizeof told.type);
    bool spoken = in->http != 0 && (way->form == FORM_UNARY || strncmp(told.type, way->type, strlen(way->type)) == 0);
    if (spoken && way->text)
        decode_body(&told.body);
    if (!spoken) /* HTTP alone tells it, or nothing */
        told.code = NONE;
    else if (way->form == FORM_UNARY)
        read_unary(&told);
    else if (way->form == FORM_CONNECT_STREAM)
        read_connect_end(&told, &in->trailers);
    else
        read_grpc_end(&told, way, in);
    buf_finish(&in->trailers);
    return told;
}

void told_free(struct told *told)
{
    buf_finish(&told->head);
    buf_finish(&told->body);
}
