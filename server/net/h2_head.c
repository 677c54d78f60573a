/* The heads of requests. nghttp2 has checked names, values, and which pseudo-headers there are. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "server/net/h2_parts.h"
#include "server/net/path.h"
#include "server/net/single_fields.h"

enum { FIELD_COST = 32 };

void h2_head_add(struct h2_stream *stream, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len)
{
    stream->head_size += name_len + value_len + FIELD_COST;
    if (stream->head_size > H2_HEAD_LIMIT)
        return;
    buf_append(&stream->head, name, name_len);
    buf_append(&stream->head, "", 1);
    buf_append(&stream->head, value, value_len);
    buf_append(&stream->head, "", 1);
}

/* The field after the one at `at`, which is NULL for the first; NULL: there are no more. */
static const char *next_field(const struct h2_stream *stream, const char *at)
{
    if (!at)
        return stream->fields_len > 0 ? stream->head.data : NULL;
    at += strlen(at) + 1;
    at += strlen(at) + 1;
    return at < stream->head.data + stream->fields_len ? at : NULL;
}

static const char *find(const struct h2_stream *stream, const char *name)
{
    for (const char *at = next_field(stream, NULL); at; at = next_field(stream, at)) {
        if (strcasecmp(at, name) == 0)
            return at + strlen(at) + 1;
    }
    return NULL;
}

const char *h2_head_find(const struct net_exchange *exchange, const char *name)
{
    const struct h2_stream *stream = (const struct h2_stream *)exchange;
    const char *value = find(stream, name);
    return value || strcasecmp(name, "host") != 0 ? value : find(stream, ":authority");
}

void h2_head_each(const struct net_exchange *exchange, void (*visit)(void *cookie, const char *name, const char *value),
                  void *cookie)
{
    const struct h2_stream *stream = (const struct h2_stream *)exchange;
    for (const char *at = next_field(stream, NULL); at; at = next_field(stream, at)) {
        if (*at != ':')
            visit(cookie, at, at + strlen(at) + 1);
    }
}

static enum status check(const struct h2_stream *stream, struct error *err)
{
    if (stream->head_size > H2_HEAD_LIMIT)
        return error_set(err, STATUS_HEAD_TOO_LARGE, "the request's head has %zu bytes, the limit is %d",
                         stream->head_size, H2_HEAD_LIMIT);
    struct net_single_fields single = {0};
    const char *host = NULL;
    for (const char *at = next_field(stream, NULL); at; at = next_field(stream, at)) {
        const char *value = at + strlen(at) + 1;
        net_single_fields_see(&single, at);
        bool is_host = strcmp(at, "host") == 0 || strcmp(at, ":authority") == 0;
        if (is_host && host && strcasecmp(host, value) != 0)
            return error_set(err, STATUS_MALFORMED, "host and :authority differ");
        host = is_host ? value : host;
    }
    if (single.doubled)
        return error_set(err, STATUS_MALFORMED, "there is more than one %s", single.doubled);
    return STATUS_OK;
}

static bool check_head(struct h2_stream *stream)
{
    struct error err;
    if (check(stream, &err) == STATUS_OK)
        return true;
    stream->malformed = mem_alloc(sizeof err);
    if (!stream->malformed)
        return false;
    *stream->malformed = err;
    stream->base.error = stream->malformed;
    return true;
}

bool h2_head_finish(struct h2_stream *stream, bool ended)
{
    struct net_exchange *exchange = &stream->base;
    stream->fields_len = stream->head.len;
    const char *target = find(stream, ":path");
    char *path = mem_strdup(target ? target : ""); /* the buffer may move */
    if (path)
        buf_append(&stream->head, path, strlen(path) + 1);
    mem_free(path);
    if (!path || stream->head.failed || !check_head(stream))
        return false;
    path = stream->head.data + stream->fields_len;
    char *query = strchr(path, '?');
    if (query)
        *query++ = '\0';
    net_path_decode(path);
    const char *method = find(stream, ":method");
    const char *length = find(stream, "content-length");
    exchange->method = method ? method : "";
    exchange->path = path;
    exchange->query = query;
    exchange->length = length ? strtoull(length, NULL, 10) : ended ? 0 : NET_LENGTH_UNKNOWN;
    return true;
}
