/* What the content type of a request says: the protocol, and the codec of its messages. */
#include <string.h>
#include <strings.h>

#include "server/rpc/protocol.h"

static bool is(const char *text, size_t len, const char *wanted)
{
    return len == strlen(wanted) && strncasecmp(text, wanted, len) == 0;
}

static bool read_codec(const char *name, size_t len, enum rpc_codec *ret)
{
    *ret = is(name, len, "json") ? RPC_JSON : RPC_PROTO;
    return *ret == RPC_JSON || is(name, len, "proto");
}

/* "application/grpc+json": a protocol with envelopes. */
static struct rpc_content read_enveloped(const char *type, size_t len)
{
    static const struct rpc_protocol *const protocols[] = {&rpc_grpc, &rpc_grpc_web, &rpc_grpc_web_text,
                                                           &rpc_connect_stream};
    struct rpc_content content = {.codec_known = true};
    size_t stem = strcspn(type, "+");
    stem = stem < len ? stem : len;
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
        if (is(type, stem, protocols[i]->type))
            content.protocol = protocols[i];
    content.codec_named = stem < len || content.protocol == &rpc_connect_stream; /* only gRPC's may be left out */
    if (content.codec_named)
        content.codec_known = stem < len && read_codec(type + stem + 1, len - stem - 1, &content.codec);
    return content;
}

struct rpc_content rpc_read_content(const char *type)
{
    static const char unary[] = "application/";
    const size_t unary_len = sizeof unary - 1;
    struct rpc_content content = {.protocol = &rpc_connect, .codec_named = true, .codec_known = true};
    size_t len = type ? strcspn(type, "; \t") : 0;
    if (len > unary_len && strncasecmp(type, unary, unary_len) == 0 &&
        read_codec(type + unary_len, len - unary_len, &content.codec))
        return content;
    return len > 0 ? read_enveloped(type, len) : (struct rpc_content){0};
}

bool rpc_content_suits(const struct rpc_content *content, const struct rpc_method *method)
{
    bool unary = method && method->kind == RPC_UNARY, streams = method && !unary;
    if (content->protocol == &rpc_connect)
        return !streams;
    if (content->protocol == &rpc_connect_stream)
        return content->codec_known && !unary;
    return content->protocol != NULL;
}
