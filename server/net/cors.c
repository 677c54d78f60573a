#include "server/net/cors.h"

#include <string.h>

#include "base/buf.h"
#include "server/net/server.h"

enum { LONGEST_REQUESTED = 1024 };

const char *net_cors_origin(const char *list, const char *origin)
{
    if (!list || !origin)
        return NULL;
    size_t origin_len = strlen(origin);
    while (*list) {
        size_t len = strcspn(list, ", ");
        if (len == 1 && *list == '*')
            return "*";
        if (len == origin_len && memcmp(list, origin, len) == 0)
            return origin;
        list += len + strspn(list + len, ", ");
    }
    return NULL;
}

void net_cors_check(struct net_exchange *exchange)
{
    const char *list = exchange->server->options.cors_allow_origin;
    if (list)
        exchange->allow_origin = net_cors_origin(list, exchange->ops->header(exchange, "origin"));
}

/* A browser asks before it sends what a form could not send. It may ask for any header: none of ours is dangerous to
 * be sent, and protocols bring their own. */
static void add_preflight(struct net_exchange *exchange)
{
    const char *headers = exchange->ops->header(exchange, "access-control-request-headers");
    net_fields_add(&exchange->fields, "access-control-allow-methods", "GET, POST");
    if (headers && *headers && strlen(headers) <= LONGEST_REQUESTED)
        net_fields_add(&exchange->fields, "access-control-allow-headers", headers);
    net_fields_add(&exchange->fields, "access-control-max-age", "600");
}

/* A page may read the headers that are named: all that this answer has. */
static void add_exposed(struct net_exchange *exchange)
{
    struct buf names = {0};
    for (uint32_t i = 0; i < exchange->fields.n; i++) {
        buf_puts(&names, i ? ", " : "");
        buf_puts(&names, exchange->fields.items[i].name);
    }
    buf_append(&names, "", 1);
    if (!names.failed)
        net_fields_add(&exchange->fields, "access-control-expose-headers", names.data);
    buf_finish(&names);
}

void net_cors_add(struct net_exchange *exchange)
{
    if (!exchange->server->options.cors_allow_origin)
        return;
    bool options = strcmp(exchange->method, "OPTIONS") == 0;
    if (exchange->allow_origin && !options)
        add_exposed(exchange);
    net_fields_add(&exchange->fields, "vary", "Origin");
    if (!exchange->allow_origin)
        return;
    net_fields_add(&exchange->fields, "access-control-allow-origin", exchange->allow_origin);
    if (options)
        add_preflight(exchange);
}
