#include "server/net/h1_framing.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "server/net/path.h"
#include "server/net/single_fields.h"

/* The head of an answer, and the least piece of a body. */
enum { ANSWER_ROOM = 12288 };
/* What the library keeps of each field, query argument and cookie besides its text. */
enum { FIELD_COST = 80 };

struct head {
    unsigned fields; /* with query arguments and cookies */
    unsigned hosts;
    unsigned codings;
    const char *host;
    const char *coding;
    const char *length;
    bool lengths_differ;
    bool bad_name;
    struct net_single_fields single;
};

/* What names of fields are made of. */
static bool is_token(const char *name)
{
    static const char token_characters[] =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return name[0] && name[strspn(name, token_characters)] == '\0';
}

static enum MHD_Result take_field(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct head *head = cls;
    head->fields++;
    if (kind != MHD_HEADER_KIND)
        return MHD_YES;
    value = value ? value : "";
    head->bad_name = head->bad_name || !is_token(name);
    if (strcasecmp(name, "Host") == 0) {
        head->hosts++;
        head->host = value;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        head->codings++;
        head->coding = value;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        head->lengths_differ = head->lengths_differ || (head->length && strcmp(head->length, value) != 0);
        head->length = value;
    }
    net_single_fields_see(&head->single, name);
    return MHD_YES;
}

/* Behind a name or address: nothing, or a port. */
static bool is_port(const char *at, const char *end)
{
    if (at == end)
        return true;
    size_t digits = strspn(at + 1, "0123456789");
    return *at == ':' && digits <= 5 && at + 1 + digits == end && strtoul(at + 1, NULL, 10) <= 65535;
}

/* A name, an IPv4 address or an IPv6 one in brackets, with an optional port: [len] bytes. A name may be empty. */
static bool is_host(const char *host, size_t len)
{
    static const char name[] = "-._~!$&'()*+,;=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *at = host, *end = host + len;
    if (len > 0 && *at == '[') {
        at += 1 + strspn(at + 1, "0123456789abcdefABCDEF:.");
        return at - host > 2 && at < end && *at == ']' && is_port(at + 1, end);
    }
    while (at < end && *at != ':') {
        bool escape = base_hex_escape(at, (size_t)(end - at)) > 0;
        if (!escape && !strchr(name, *at))
            return false;
        at += escape ? 3 : 1;
    }
    return is_port(at, end);
}

static enum status check_size(struct MHD_Connection *connection, const struct head *head, struct error *err)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t size = info ? info->header_size : 0;
    if (size > H1_HEAD_LIMIT)
        return error_set(err, STATUS_HEAD_TOO_LARGE, "the request's head has %zu bytes, the limit is %d", size,
                         H1_HEAD_LIMIT);
    if (2 * size + (size_t)FIELD_COST * head->fields > H1_CONNECTION_MEMORY - ANSWER_ROOM)
        return error_set(err, STATUS_HEAD_TOO_LARGE, "the request's head has too many fields: %u", head->fields);
    return STATUS_OK;
}

static enum status check_length(const struct head *head, const char *version, struct error *err)
{
    if (head->codings > 1)
        return error_set(err, STATUS_MALFORMED, "there is more than one Transfer-Encoding");
    if (head->coding && strcasecmp(head->coding, "chunked") != 0)
        return error_set(err, STATUS_MALFORMED, "Transfer-Encoding %.40s is not known: chunked is", head->coding);
    if (head->coding && head->length)
        return error_set(err, STATUS_MALFORMED, "there are Transfer-Encoding and Content-Length");
    if (head->coding && strcmp(version, "HTTP/1.0") == 0)
        return error_set(err, STATUS_MALFORMED, "HTTP/1.0 has no Transfer-Encoding");
    if (head->lengths_differ)
        return error_set(err, STATUS_MALFORMED, "there are two Content-Lengths");
    if (head->length && (!head->length[0] || head->length[strspn(head->length, "0123456789")]))
        return error_set(err, STATUS_MALFORMED, "Content-Length is not a number");
    return STATUS_OK;
}

static uint64_t length_of(const struct head *head)
{
    if (head->coding)
        return NET_LENGTH_UNKNOWN;
    uint64_t length = head->length ? strtoull(head->length, NULL, 10) : 0; /* the largest where it is larger */
    return length < NET_LENGTH_UNKNOWN ? length : NET_LENGTH_UNKNOWN - 1;
}

enum status h1_framing_check(struct MHD_Connection *connection, const char *version, uint64_t *ret_length,
                             struct error *err)
{
    struct head head = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND, take_field, &head);
    enum status status = check_size(connection, &head, err);
    if (status == STATUS_OK && head.bad_name)
        status = error_set(err, STATUS_MALFORMED, "a header field's name has a character that none may have");
    if (status == STATUS_OK && (head.hosts > 1 || (head.host && !is_host(head.host, strlen(head.host)))))
        status = error_set(err, STATUS_MALFORMED, "the Host header must be one, and a host");
    if (status == STATUS_OK && head.single.doubled)
        status = error_set(err, STATUS_MALFORMED, "there is more than one %s", head.single.doubled);
    if (status == STATUS_OK)
        status = check_length(&head, version, err);
    if (status != STATUS_OK)
        return status;
    *ret_length = length_of(&head);
    return STATUS_OK;
}

const char *h1_framing_path(const char *target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (int i = 0; i < 2; i++) {
        size_t len = strlen(schemes[i]);
        if (strncasecmp(target, schemes[i], len) != 0)
            continue;
        const char *host = target + len, *path = strchr(host, '/');
        size_t host_len = path ? (size_t)(path - host) : strlen(host);
        if (host_len == 0 || host[0] == ':' || !is_host(host, host_len))
            return NULL;
        return path ? path : "/";
    }
    return target;
}

size_t h1_framing_unescape(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return net_path_decode(text);
}
