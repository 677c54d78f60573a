#include "server/wire/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/utf8.h"

enum { MAX_DEPTH = 128 };

void wire_json_init(struct wire_json *json, const char *text, size_t len, struct arena *arena, struct error *err)
{
    *json = (struct wire_json){.start = text, .at = text, .end = text + len, .arena = arena, .err = err};
}

bool wire_string_is(struct wire_string key, const char *name)
{
    return key.len == strlen(name) && memcmp(key.bytes, name, key.len) == 0;
}

bool wire_json_fail(struct wire_json *json, enum status status, const char *format, ...)
{
    if (json->status != STATUS_OK)
        return false;
    char words[400];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    json->status = error_set(json->err, status, "%s", words);
    return false;
}

/* Not JSON: say where. Columns count bytes, as the reader of a request sees it in most tools. */
static bool malformed(struct wire_json *json, const char *at, const char *what)
{
    unsigned line = 1;
    const char *begin = json->start;
    for (const char *c = json->start; c < at; c++) {
        if (*c == '\n') {
            line++;
            begin = c + 1;
        }
    }
    return wire_json_fail(json, STATUS_MALFORMED, "the body is not valid JSON: %s at line %u, column %zu", what, line,
                          (size_t)(at - begin) + 1);
}

static void skip_space(struct wire_json *json)
{
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\n' || *json->at == '\r' || *json->at == '\t'))
        json->at++;
}

enum wire_json_kind wire_json_peek(struct wire_json *json)
{
    if (json->status != STATUS_OK)
        return WIRE_JSON_NOTHING;
    skip_space(json);
    if (json->at == json->end)
        return WIRE_JSON_NOTHING;
    switch (*json->at) {
    case '{':
        return WIRE_JSON_OBJECT;
    case '[':
        return WIRE_JSON_ARRAY;
    case '"':
        return WIRE_JSON_STRING;
    case 't':
    case 'f':
        return WIRE_JSON_BOOLEAN;
    case 'n':
        return WIRE_JSON_NULL;
    default:
        return *json->at == '-' || (*json->at >= '0' && *json->at <= '9') ? WIRE_JSON_NUMBER : WIRE_JSON_NOTHING;
    }
}

const char *wire_json_kind_name(enum wire_json_kind kind)
{
    static const char *const names[] = {"nothing",  "null",     "a boolean", "a number",
                                        "a string", "an array", "an object"};
    return names[kind];
}

static bool no_value(struct wire_json *json)
{
    return malformed(json, json->at, json->at == json->end ? "it ends where a value should be" : "expected a value");
}

bool wire_json_expected(struct wire_json *json, const char *what, const char *expected)
{
    enum wire_json_kind kind = wire_json_peek(json);
    if (kind == WIRE_JSON_NOTHING)
        return no_value(json);
    return wire_json_fail(json, STATUS_VALIDATION, "%s: expected %s, got %s", what, expected,
                          wire_json_kind_name(kind));
}

static bool enter(struct wire_json *json, enum wire_json_kind kind)
{
    if (wire_json_peek(json) != kind)
        return false;
    if (json->depth == MAX_DEPTH)
        return malformed(json, json->at, "more than 128 levels of nesting");
    json->depth++;
    json->at++;
    json->first = true;
    return true;
}

bool wire_json_enter_object(struct wire_json *json)
{
    return enter(json, WIRE_JSON_OBJECT);
}

bool wire_json_enter_array(struct wire_json *json)
{
    return enter(json, WIRE_JSON_ARRAY);
}

/* To the next element of a container that ends with `close`. */
static bool next(struct wire_json *json, char close)
{
    if (json->status != STATUS_OK)
        return false;
    skip_space(json);
    if (json->at < json->end && *json->at == close) {
        json->at++;
        json->depth--;
        json->first = false;
        return false;
    }
    if (json->first) {
        json->first = false;
        return true;
    }
    if (json->at == json->end || *json->at != ',')
        return malformed(json, json->at, close == '}' ? "expected , or }" : "expected , or ]");
    json->at++;
    return true;
}

bool wire_json_next_item(struct wire_json *json)
{
    if (!next(json, ']'))
        return false;
    return wire_json_peek(json) != WIRE_JSON_NOTHING || no_value(json);
}

bool wire_json_next_key(struct wire_json *json, struct wire_string *ret_key)
{
    if (!next(json, '}'))
        return false;
    if (wire_json_peek(json) != WIRE_JSON_STRING)
        return malformed(json, json->at, "expected a key in quotes");
    if (!wire_json_read_string(json, ret_key))
        return false;
    skip_space(json);
    if (json->at == json->end || *json->at != ':')
        return malformed(json, json->at, "expected :");
    json->at++;
    return wire_json_peek(json) != WIRE_JSON_NOTHING || no_value(json);
}

/* The four digits of \uXXXX at `at`; -1 when they are not. */
static int32_t read_unit(const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int value = base_hex_digit(at[i]);
        if (value < 0)
            return -1;
        unit = unit << 4 | value;
    }
    return unit;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *to++ = (char)(0xE0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    } else {
        *to++ = (char)(0xF0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    }
    return to;
}

/* \uXXXX, two of them for a character beyond U+FFFF; `at` is behind the u. */
static const char *unescape_unit(struct wire_json *json, const char *at, const char *end, char **to)
{
    int32_t unit = read_unit(at, end);
    if (unit < 0) {
        malformed(json, at, "expected four hexadecimal digits");
        return NULL;
    }
    uint32_t c = (uint32_t)unit;
    if (c >= 0xD800 && c < 0xE000) {
        int32_t low = c < 0xDC00 && end - at >= 6 && at[4] == '\\' && at[5] == 'u' ? read_unit(at + 6, end) : -1;
        if (low < 0xDC00 || low > 0xDFFF) {
            malformed(json, at, "a lone surrogate");
            return NULL;
        }
        c = 0x10000 + ((c - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
        at += 6;
    }
    *to = put_utf8(*to, c);
    return at + 4;
}

/* `at` [.. end) is the inside of a string with escapes; `to` has room for as many bytes. Returns the end, or NULL. */
static char *unescape(struct wire_json *json, const char *at, const char *end, char *to)
{
    static const char from[] = "\"\\/bfnrt";
    static const char into[] = "\"\\/\b\f\n\r\t";
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape ? escape : end) - at);
        memcpy(to, at, plain);
        to += plain;
        at += plain;
        if (at == end)
            break;
        char c = at[1];
        const char *simple = c ? strchr(from, c) : NULL;
        if (simple) {
            *to++ = into[simple - from];
            at += 2;
        } else if (c == 'u') {
            at = unescape_unit(json, at + 2, end, &to);
            if (!at)
                return NULL;
        } else {
            malformed(json, at, "an unknown escape");
            return NULL;
        }
    }
    return to;
}

/* Find the closing quote from `at` on; NULL after a failure. */
static const char *find_quote(struct wire_json *json, const char *at, bool *ret_escapes)
{
    bool escapes = false;
    for (; at < json->end && *at != '"'; at++) {
        if ((unsigned char)*at < 0x20) {
            malformed(json, at, "a control character in a string");
            return NULL;
        }
        if (*at == '\\') {
            escapes = true;
            if (++at == json->end)
                break;
        }
    }
    if (at >= json->end) {
        malformed(json, json->end, "it ends within a string");
        return NULL;
    }
    *ret_escapes = escapes;
    return at;
}

bool wire_json_read_string(struct wire_json *json, struct wire_string *ret)
{
    const char *begin = json->at + 1;
    bool escapes = false;
    const char *quote = find_quote(json, begin, &escapes);
    if (!quote)
        return false;
    size_t len = (size_t)(quote - begin);
    size_t valid = utf8_valid(begin, len);
    if (valid < len)
        return malformed(json, begin + valid, "bytes that are not UTF-8");
    struct wire_string string = {begin, len};
    if (escapes) {
        char *copy = arena_alloc(json->arena, len);
        if (!copy)
            return wire_json_fail(json, STATUS_NO_MEMORY, "no memory for a string of %zu bytes", len);
        char *end = unescape(json, begin, quote, copy);
        if (!end)
            return false;
        string = (struct wire_string){copy, (size_t)(end - copy)};
    }
    json->at = quote + 1;
    *ret = string;
    return true;
}

static bool read_word(struct wire_json *json, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(json->end - json->at) < len || memcmp(json->at, word, len) != 0)
        return malformed(json, json->at, "expected a value");
    json->at += len;
    return true;
}

bool wire_json_read_bool(struct wire_json *json, bool *ret)
{
    bool value = *json->at == 't';
    if (!read_word(json, value ? "true" : "false"))
        return false;
    *ret = value;
    return true;
}

/* Read past digits; false when there is none. */
static bool read_digits(struct wire_json *json)
{
    const char *begin = json->at;
    while (json->at < json->end && *json->at >= '0' && *json->at <= '9')
        json->at++;
    return json->at > begin || malformed(json, json->at, "expected a digit");
}

static bool is_next(const struct wire_json *json, char a, char b)
{
    return json->at < json->end && (*json->at == a || *json->at == b);
}

static uint64_t to_uint(const char *digits, const char *end, bool *integer)
{
    uint64_t value = 0;
    for (; digits < end; digits++) {
        unsigned digit = (unsigned)(*digits - '0');
        if (value > (UINT64_MAX - digit) / 10)
            *integer = false;
        value = value * 10 + digit;
    }
    return value;
}

bool wire_json_read_uint(struct wire_json *json, uint64_t *ret, bool *ret_integer)
{
    bool integer = !is_next(json, '-', '-');
    json->at += !integer;
    const char *digits = json->at;
    if (is_next(json, '0', '0'))
        json->at++;
    else if (!read_digits(json))
        return false;
    uint64_t value = integer ? to_uint(digits, json->at, &integer) : 0;
    if (is_next(json, '.', '.')) {
        integer = false;
        json->at++;
        if (!read_digits(json))
            return false;
    }
    if (is_next(json, 'e', 'E')) {
        integer = false;
        json->at++;
        json->at += is_next(json, '+', '-');
        if (!read_digits(json))
            return false;
    }
    *ret = value;
    *ret_integer = integer;
    return true;
}

bool wire_json_skip(struct wire_json *json)
{
    struct wire_string string;
    uint64_t number;
    bool flag;
    switch (wire_json_peek(json)) {
    case WIRE_JSON_NULL:
        return read_word(json, "null");
    case WIRE_JSON_BOOLEAN:
        return wire_json_read_bool(json, &flag);
    case WIRE_JSON_NUMBER:
        return wire_json_read_uint(json, &number, &flag);
    case WIRE_JSON_STRING:
        return wire_json_read_string(json, &string);
    case WIRE_JSON_ARRAY:
        for (bool more = wire_json_enter_array(json); more && wire_json_next_item(json);)
            more = wire_json_skip(json);
        return json->status == STATUS_OK;
    case WIRE_JSON_OBJECT:
        for (bool more = wire_json_enter_object(json); more && wire_json_next_key(json, &string);)
            more = wire_json_skip(json);
        return json->status == STATUS_OK;
    case WIRE_JSON_NOTHING:
        break;
    }
    return json->status == STATUS_OK && no_value(json);
}

bool wire_json_end(struct wire_json *json)
{
    if (json->status != STATUS_OK)
        return false;
    skip_space(json);
    return json->at == json->end || malformed(json, json->at, "something behind the end");
}
