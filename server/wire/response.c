#include "server/wire/response.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "server/wire/float.h"

static void write_escaped(struct buf *out, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char into[] = "\"\\bfnrt";
    const char *simple = c ? strchr(from, c) : NULL;
    char escape[8] = {'\\', simple ? into[simple - from] : 'u'};
    if (!simple)
        snprintf(escape + 2, sizeof escape - 2, "%04x", c);
    buf_append(out, escape, simple ? 2 : 6);
}

static void write_escaped_text(struct buf *out, const char *text, size_t len)
{
    size_t begin = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_append(out, text + begin, i - begin);
        write_escaped(out, c);
        begin = i + 1;
    }
    buf_append(out, text + begin, len - begin);
}

void wire_write_string(struct buf *out, const char *text, size_t len)
{
    buf_append(out, "\"", 1);
    write_escaped_text(out, text, len);
    buf_append(out, "\"", 1);
}

void wire_write_text(struct buf *out, const char *text)
{
    if (!text) {
        buf_puts(out, "null");
        return;
    }
    size_t len = strlen(text), valid = utf8_valid(text, len);
    buf_append(out, "\"", 1);
    for (; valid < len; len = strlen(text), valid = utf8_valid(text, len)) { /* a path may be any bytes */
        write_escaped_text(out, text, valid);
        buf_puts(out, "\\ufffd");
        text += valid + 1;
    }
    write_escaped_text(out, text, len);
    buf_append(out, "\"", 1);
}

/* [n] values with commas between; `first`: without one before. */
static void write_values(struct buf *out, const float *values, size_t n, bool first)
{
    enum { CHUNK = 1024 };
    for (size_t i = 0; i < n; i += CHUNK) {
        size_t count = n - i < CHUNK ? n - i : CHUNK;
        char *begin = buf_reserve(out, count * WIRE_FLOAT_COST + WIRE_FLOAT_SIZE);
        if (!begin)
            return;
        char *to = begin;
        for (size_t j = i; j < i + count; j++) {
            *to = ',';
            to += j > 0 || !first;
            to = wire_float_write(to, values[j]);
        }
        out->len += (size_t)(to - begin);
    }
}

void wire_write_floats(struct buf *out, const float *values, size_t n)
{
    buf_append(out, "[", 1);
    write_values(out, values, n, true);
    buf_append(out, "]", 1);
}

void wire_write_flat(struct buf *out, const float *rows, size_t n, size_t width, size_t keep)
{
    buf_append(out, "[", 1);
    for (size_t i = 0; i < n; i++)
        write_values(out, rows + i * width, keep, i == 0);
    buf_append(out, "]", 1);
}

void wire_write_rows(struct buf *out, const float *rows, size_t n, size_t width, size_t keep)
{
    buf_append(out, "[", 1);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_append(out, ",", 1);
        wire_write_floats(out, rows + i * width, keep);
    }
    buf_append(out, "]", 1);
}

static void write_token(struct buf *out, const struct token_vocab *vocab, const struct token_encoding *encoding,
                        uint32_t i, const char *text)
{
    buf_printf(out, "%s{\"id\":%u,\"text\":", i > 0 ? "," : "", encoding->ids[i]);
    struct token_span span = encoding->spans[i];
    if (encoding->template_token[i]) {
        wire_write_text(out, token_vocab_text(vocab, encoding->ids[i]));
        buf_puts(out, ",\"special\":true,\"start\":null,\"stop\":null}");
        return;
    }
    wire_write_string(out, text + span.start, span.stop - span.start);
    buf_printf(out, ",\"special\":false,\"start\":%u,\"stop\":%u}", span.start, span.stop);
}

void wire_write_tokens(struct buf *out, const struct token_vocab *vocab, const struct token_encoding *encoding,
                       const char *text)
{
    buf_append(out, "[", 1);
    for (uint32_t i = 0; i < encoding->n; i++)
        write_token(out, vocab, encoding, i, text);
    buf_append(out, "]", 1);
}

static void write_tei(struct buf *out, enum status status, const char *message)
{
    buf_puts(out, "{\"error\":");
    wire_write_text(out, message);
    buf_puts(out, ",\"error_type\":");
    wire_write_text(out, status_tei(status));
    buf_puts(out, "}");
}

static void write_openai(struct buf *out, enum status status, const char *message)
{
    for (int inner = 0; inner < 2; inner++) {
        buf_puts(out, inner ? ",\"error\":{\"param\":null,\"message\":" : "{\"message\":");
        wire_write_text(out, message);
        buf_printf(out, ",\"code\":%d,\"type\":", status_http(status));
        wire_write_text(out, status_tei(status));
    }
    buf_puts(out, "}}");
}

static void write_v2(struct buf *out, const char *message)
{
    buf_puts(out, "{\"error\":");
    wire_write_text(out, message);
    buf_puts(out, "}");
}

void wire_write_error(struct buf *out, enum wire_error_form form, enum status status, const char *message)
{
    if (form == WIRE_ERROR_OPENAI)
        write_openai(out, status, message);
    else if (form == WIRE_ERROR_V2)
        write_v2(out, message);
    else
        write_tei(out, status, message);
}
