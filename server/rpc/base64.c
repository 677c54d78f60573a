#include "server/rpc/base64.h"

#include "base/base64.h"

void rpc_base64_write(struct buf *out, const void *bytes, size_t len)
{
    base64_encode(out, bytes, len);
    if (!out->failed)
        out->len -= (3 - len % 3) % 3;
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
