#include "clients/c/base64.h"

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t padding(struct bertd_slice text)
{
    if (text.len < 4 || text.data[text.len - 1] != '=')
        return 0;
    return text.data[text.len - 2] == '=' ? 2 : 1;
}

size_t bertd_base64_size(struct bertd_slice text)
{
    return text.len % 4 == 0 ? text.len / 4 * 3 - padding(text) : SIZE_MAX;
}

bool bertd_base64_read(struct bertd_slice text, void *out)
{
    unsigned char *to = out;
    uint32_t held = 0;
    int bits = 0;
    for (size_t i = 0, n = text.len - padding(text); i < n; i++) {
        int value = value_of(text.data[i]);
        if (value < 0)
            return false;
        held = held << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8)
            *to++ = (unsigned char)(held >> (bits -= 8));
    }
    return true;
}
