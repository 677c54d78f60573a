#include "server/rpc/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_group(char to[4], const unsigned char *bytes, size_t len)
{
    uint32_t bits = (uint32_t)bytes[0] << 16 | (uint32_t)(len > 1 ? bytes[1] : 0) << 8 | (len > 2 ? bytes[2] : 0);
    to[0] = alphabet[bits >> 18];
    to[1] = alphabet[bits >> 12 & 63];
    to[2] = alphabet[bits >> 6 & 63];
    to[3] = alphabet[bits & 63];
}

void rpc_base64_encode(struct buf *out, const void *bytes, size_t len, bool pad)
{
    const unsigned char *from = bytes;
    char *to = len <= SIZE_MAX / 2 ? buf_reserve(out, (len + 2) / 3 * 4) : NULL;
    if (!to) {
        out->failed = true;
        return;
    }
    size_t n = 0, i = 0;
    for (; i + 3 <= len; i += 3, n += 4)
        encode_group(to + n, from + i, 3);
    if (i < len) {
        encode_group(to + n, from + i, len - i);
        size_t used = len - i + 1;
        for (size_t k = used; k < 4; k++)
            to[n + k] = '=';
        n += pad ? 4 : used;
    }
    out->len += n;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* The group is whole: `n` characters of it are not '='. */
static bool flush(struct rpc_base64 *state, struct buf *out, unsigned n)
{
    if (n == 1)
        return false;
    uint32_t bits = state->bits << (6 * (4 - n));
    const unsigned char bytes[] = {(unsigned char)(bits >> 16), (unsigned char)(bits >> 8), (unsigned char)bits};
    if (n > 0)
        buf_append(out, bytes, n - 1);
    *state = (struct rpc_base64){0};
    return true;
}

bool rpc_base64_decode(struct rpc_base64 *state, struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int value = value_of(text[i]);
        if (text[i] == '=' && state->n >= 2) {
            state->pads++;
        } else if (value < 0 || state->pads > 0) {
            return false;
        } else {
            state->bits = state->bits << 6 | (uint32_t)value;
        }
        state->n++;
        if (state->n == 4 && !flush(state, out, 4 - state->pads))
            return false;
    }
    return true;
}

bool rpc_base64_end(struct rpc_base64 *state, struct buf *out)
{
    return state->pads == 0 && (state->n == 0 || flush(state, out, state->n));
}
