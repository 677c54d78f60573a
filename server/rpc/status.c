#include "server/rpc/status.h"

#include <string.h>

#include "base/base64.h"
#include "base/utf8.h"

static const struct {
    const char *name;
    const char *connect;
    unsigned http;
} codes[] = {
#define X(name, number, connect, http) [number] = {#name, connect, http},
    RPC_CODE_MAP(X)
#undef X
};

static bool known(rpc_code code)
{
    return code < sizeof codes / sizeof *codes;
}

const char *rpc_code_name(rpc_code code)
{
    return codes[known(code) ? code : RPC_UNKNOWN].name;
}

const char *rpc_code_connect_name(rpc_code code)
{
    return codes[known(code) ? code : RPC_UNKNOWN].connect;
}

unsigned rpc_code_http(rpc_code code)
{
    return codes[known(code) ? code : RPC_UNKNOWN].http;
}

static void write_character(struct buf *out, unsigned char c)
{
    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c < 0x20)
        buf_printf(out, "\\u%04x", c);
    else
        buf_append(out, &c, 1);
}

void rpc_status_write_string(struct buf *out, const char *text)
{
    buf_puts(out, "\"");
    size_t len = strlen(text);
    while (len > 0) {
        size_t valid = utf8_valid(text, len);
        for (size_t i = 0; i < valid; i++)
            write_character(out, (unsigned char)text[i]);
        if (valid < len) {
            buf_puts(out, "\xef\xbf\xbd");
            valid++;
        }
        text += valid;
        len -= valid;
    }
    buf_puts(out, "\"");
}

void rpc_status_write_json(struct buf *out, const struct rpc_status *status)
{
    buf_printf(out, "{\"code\":\"%s\"", rpc_code_connect_name(status->code));
    if (status->message) {
        buf_puts(out, ",\"message\":");
        rpc_status_write_string(out, status->message);
    }
    for (uint32_t i = 0; i < status->n_details; i++) {
        const struct rpc_detail *detail = &status->details[i];
        buf_puts(out, i == 0 ? ",\"details\":[{\"type\":" : ",{\"type\":");
        rpc_status_write_string(out, detail->type);
        buf_puts(out, ",\"value\":\"");
        base64_encode_bare(out, detail->bytes, detail->len);
        buf_puts(out, i + 1 == status->n_details ? "\"}]" : "\"}");
    }
    buf_puts(out, "}");
}

static void write_varint(struct buf *out, uint64_t value)
{
    unsigned char bytes[10];
    size_t n = 0;
    do {
        bytes[n] = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
        n++;
    } while (value);
    buf_append(out, bytes, n);
}

static size_t varint_size(uint64_t value)
{
    size_t n = 1;
    while (value >>= 7)
        n++;
    return n;
}

/* The head of a field of bytes; one byte has its tag. */
static void write_field(struct buf *out, unsigned number, size_t len)
{
    write_varint(out, number << 3 | 2);
    write_varint(out, len);
}

void rpc_status_write_proto(struct buf *out, const struct rpc_status *status)
{
    static const char prefix[] = "type.googleapis.com/";
    write_varint(out, 1 << 3);
    write_varint(out, status->code);
    if (status->message) {
        write_field(out, 2, strlen(status->message));
        buf_puts(out, status->message);
    }
    for (uint32_t i = 0; i < status->n_details; i++) {
        const struct rpc_detail *detail = &status->details[i];
        size_t url_len = strlen(prefix) + strlen(detail->type);
        write_field(out, 3, 1 + varint_size(url_len) + url_len + 1 + varint_size(detail->len) + detail->len);
        write_field(out, 1, url_len);
        buf_puts(out, prefix);
        buf_puts(out, detail->type);
        write_field(out, 2, detail->len);
        buf_append(out, detail->bytes, detail->len);
    }
}

void rpc_status_write_percent(struct buf *out, const char *message)
{
    for (const unsigned char *c = (const unsigned char *)message; *c; c++) {
        if (*c < 0x20 || *c > 0x7e || *c == '%')
            buf_printf(out, "%%%02X", *c);
        else
            buf_append(out, c, 1);
    }
}
