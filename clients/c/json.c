#include "clients/c/json.h"

#include <math.h>
#include <string.h>

#include "clients/c/number.h"

enum { MAX_DEPTH = 64 };

struct bertd_json bertd_json_of(const void *data, size_t len)
{
    const char *begin = len > 0 ? data : "";
    return (struct bertd_json){.at = begin, .end = begin + len};
}

char bertd_json_peek(struct bertd_json *json)
{
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\n' || *json->at == '\t' || *json->at == '\r'))
        json->at++;
    return json->at < json->end ? *json->at : 0;
}

static bool take(struct bertd_json *json, char wanted)
{
    if (bertd_json_peek(json) != wanted)
        return false;
    json->at++;
    return true;
}

bool bertd_json_open(struct bertd_json *json, char bracket)
{
    return take(json, bracket);
}

int bertd_json_more(struct bertd_json *json, char bracket, size_t *count)
{
    if (take(json, bracket))
        return 0;
    if (*count > 0 && !take(json, ','))
        return -1;
    ++*count;
    return 1;
}

bool bertd_json_text(struct bertd_json *json, struct bertd_slice *ret)
{
    if (!take(json, '"'))
        return false;
    const char *begin = json->at;
    for (const char *at = begin; at < json->end; at++) {
        if (*at == '"') {
            *ret = (struct bertd_slice){.data = begin, .len = (size_t)(at - begin)};
            json->at = at + 1;
            return true;
        }
        if ((unsigned char)*at < ' ')
            return false;
        if (*at == '\\')
            at++;
    }
    return false;
}

bool bertd_json_name(struct bertd_json *json, struct bertd_slice *ret)
{
    return bertd_json_text(json, ret) && take(json, ':');
}

static bool take_number(struct bertd_json *json, float *ret)
{
    bertd_json_peek(json);
    const char *behind = bertd_number_float(json->at, json->end, ret);
    if (behind)
        json->at = behind;
    return behind != NULL;
}

bool bertd_json_float(struct bertd_json *json, float *ret)
{
    return take_number(json, ret) && isfinite(*ret);
}

bool bertd_json_count(struct bertd_json *json, uint64_t *ret)
{
    uint64_t value = 0;
    const char *begin = (bertd_json_peek(json), json->at);
    for (; json->at < json->end && *json->at >= '0' && *json->at <= '9'; json->at++)
        value = value < UINT64_MAX / 10 ? value * 10 + (uint64_t)(*json->at - '0') : UINT64_MAX;
    if (json->at == begin || (json->at < json->end && strchr(".eE", *json->at)))
        return false;
    *ret = value;
    return true;
}

static bool skip_word(struct bertd_json *json, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(json->end - json->at) < len || memcmp(json->at, word, len) != 0)
        return false;
    json->at += len;
    return true;
}

static bool skip(struct bertd_json *json, int depth)
{
    struct bertd_slice text;
    float number;
    size_t count = 0;
    int more = 0;
    char first = bertd_json_peek(json);
    switch (first) {
    case '"':
        return bertd_json_text(json, &text);
    case 't':
        return skip_word(json, "true");
    case 'f':
        return skip_word(json, "false");
    case 'n':
        return skip_word(json, "null");
    case '[':
    case '{':
        json->at++;
        while ((more = bertd_json_more(json, first == '[' ? ']' : '}', &count)) == 1)
            if (depth == 0 || (first == '{' && !bertd_json_name(json, &text)) || !skip(json, depth - 1))
                return false;
        return more == 0;
    default:
        return take_number(json, &number);
    }
}

bool bertd_json_skip(struct bertd_json *json)
{
    return skip(json, MAX_DEPTH);
}

bool bertd_json_ends(struct bertd_json *json)
{
    return bertd_json_peek(json) == 0 && json->at == json->end;
}

bool bertd_json_is(struct bertd_slice text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.data, word, text.len) == 0;
}

static bool hex4(const char *at, const char *end, uint32_t *ret)
{
    uint32_t value = 0;
    if (end - at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *ret = value;
    return true;
}

static void put_utf8(struct bertd_bytes *bytes, uint32_t code)
{
    char out[4];
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(leads[len] | code);
    bertd_bytes_append(bytes, out, len);
}

/* The escape behind `\u`, with the second half of a pair. Returns where it ends; NULL: it is none. */
static const char *unescape_code(struct bertd_bytes *bytes, const char *at, const char *end)
{
    uint32_t code = 0, low = 0;
    if (!hex4(at, end, &code))
        return NULL;
    at += 4;
    if (code >= 0xd800 && code < 0xdc00) {
        if (end - at < 6 || at[0] != '\\' || at[1] != 'u' || !hex4(at + 2, end, &low) || low < 0xdc00 || low > 0xdfff)
            return NULL;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    } else if (code >= 0xdc00 && code < 0xe000) {
        return NULL;
    }
    put_utf8(bytes, code);
    return at;
}

bool bertd_json_unescape(struct bertd_bytes *bytes, struct bertd_slice text)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *at = text.data, *end = text.data + text.len;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        bertd_bytes_append(bytes, at, (size_t)((escape ? escape : end) - at));
        if (!escape)
            break;
        if (escape + 1 >= end)
            return false;
        const char *letter = escape[1] ? strchr(letters, escape[1]) : NULL;
        if (letter) {
            bertd_bytes_append(bytes, &meant[letter - letters], 1);
            at = escape + 2;
        } else if (escape[1] != 'u' || !(at = unescape_code(bytes, escape + 2, end))) {
            return false;
        }
    }
    return true;
}

void bertd_json_write(struct bertd_bytes *bytes, const char *text, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    size_t from = 0;
    bertd_bytes_puts(bytes, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        char escape[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
        bertd_bytes_append(bytes, text + from, i - from);
        bertd_bytes_append(bytes, escape, sizeof escape);
        from = i + 1;
    }
    bertd_bytes_append(bytes, text + from, len - from);
    bertd_bytes_puts(bytes, "\"");
}
