#include "server/token/normalise.h"

#include <utf8proc.h>

#include "base/mem.h"
#include "server/token/marks.h"
#include "server/token/unicode.h"

enum {
    HANGUL_FIRST = 0xAC00,
    HANGUL_COUNT = 11172,
    JAMO_L = 0x1100,
    JAMO_V = 0x1161,
    JAMO_T = 0x11A7,
    JAMO_V_COUNT = 21,
    JAMO_T_COUNT = 28,
    DOTTED_I = 0x130, /* the one letter whose lower case is two code points */
    DOT_ABOVE = 0x307,
};

struct normaliser {
    struct token_switches switches;
    const uint8_t *text;
    size_t begin, stop;
    struct token_sink *sink;
    uint64_t *steps;
};

static void put_cased(const struct normaliser *n, uint32_t cp, const struct token_char *c, uint32_t start)
{
    if (!n->switches.lowercase) {
        n->sink->put(n->sink, cp, start);
        return;
    }
    n->sink->put(n->sink, (uint32_t)((int32_t)cp + c->lower), start);
    if (cp == DOTTED_I)
        n->sink->put(n->sink, DOT_ABOVE, start);
}

static void put_hangul(const struct normaliser *n, uint32_t index, uint32_t start)
{
    n->sink->put(n->sink, JAMO_L + index / (JAMO_V_COUNT * JAMO_T_COUNT), start);
    n->sink->put(n->sink, JAMO_V + index / JAMO_T_COUNT % JAMO_V_COUNT, start);
    if (index % JAMO_T_COUNT)
        n->sink->put(n->sink, JAMO_T + index % JAMO_T_COUNT, start);
}

/* Decompose and leave the marks out. */
static void put_stripped(const struct normaliser *n, uint32_t cp, const struct token_char *c, uint32_t start)
{
    if (c->flags & TOKEN_CHAR_MARK)
        return;
    if (cp - HANGUL_FIRST < HANGUL_COUNT) {
        put_hangul(n, cp - HANGUL_FIRST, start);
    } else if (c->nfd_len == 0) {
        put_cased(n, cp, c, start);
    } else {
        for (const uint32_t *part = token_char_nfd + c->nfd; part < token_char_nfd + c->nfd + c->nfd_len; part++) {
            const struct token_char *p = token_char_of(*part);
            if (!(p->flags & TOKEN_CHAR_MARK))
                put_cased(n, *part, p, start);
        }
    }
}

/* One character, or a run of them where marks have to be put in order; returns where the next one starts. */
static size_t normalise_at(const struct normaliser *n, size_t at)
{
    utf8proc_int32_t decoded;
    size_t next = at + (size_t)utf8proc_iterate(n->text + at, (utf8proc_ssize_t)(n->stop - at), &decoded);
    uint32_t cp = (uint32_t)decoded, start = (uint32_t)at;
    const struct token_char *c = token_char_of(cp);
    ++*n->steps;
    if (n->switches.clean_text && (c->flags & (TOKEN_CHAR_DROP | TOKEN_CHAR_SPACE))) {
        if (!(c->flags & TOKEN_CHAR_DROP))
            n->sink->put(n->sink, ' ', start);
        return next;
    }
    if (n->switches.strip_accents && (c->flags & TOKEN_CHAR_ORDERED)) {
        struct token_run run = {n->text, n->begin, n->stop, n->switches.clean_text, n->steps};
        return token_marks_put(&run, at, n->sink);
    }
    bool apart = n->switches.handle_chinese_chars && (c->flags & TOKEN_CHAR_CJK);
    if (apart)
        n->sink->put(n->sink, ' ', start);
    if (n->switches.strip_accents)
        put_stripped(n, cp, c, start);
    else
        put_cased(n, cp, c, start);
    if (apart)
        n->sink->put(n->sink, ' ', start);
    return next;
}

void token_normalise(const struct token_switches *switches, const uint8_t *text, size_t begin, size_t stop,
                     struct token_sink *sink, uint64_t *steps)
{
    struct normaliser n = {*switches, text, begin, stop, sink, steps};
    size_t at = begin;
    while (at < stop) {
        if (sink->ascii && text[at] < 0x80) {
            size_t next = sink->ascii(sink, at, stop);
            *steps += next - at;
            at = next;
            if (at == stop)
                break;
        }
        at = normalise_at(&n, at);
    }
}

static bool grow(struct token_normal *normal)
{
    uint32_t capacity = normal->capacity ? 2 * normal->capacity : 256;
    uint8_t *bytes = mem_realloc(normal->bytes, capacity);
    if (!bytes)
        return false;
    normal->bytes = bytes;
    uint32_t *starts = mem_realloc(normal->starts, capacity * sizeof *starts);
    if (!starts)
        return false;
    normal->starts = starts;
    normal->capacity = capacity;
    return true;
}

static void normal_put(struct token_sink *sink, uint32_t cp, uint32_t start)
{
    struct token_normal *normal = (struct token_normal *)sink;
    if (normal->capacity - normal->len < 4 && (normal->failed || !grow(normal))) {
        normal->failed = true;
        return;
    }
    uint32_t len = (uint32_t)utf8proc_encode_char((utf8proc_int32_t)cp, normal->bytes + normal->len);
    for (uint32_t i = 0; i < len; i++)
        normal->starts[normal->len + i] = start;
    normal->len += len;
}

void token_normal_init(struct token_normal *normal)
{
    *normal = (struct token_normal){.sink = {normal_put, NULL}};
}

void token_normal_finish(struct token_normal *normal)
{
    mem_free(normal->bytes);
    mem_free(normal->starts);
    *normal = (struct token_normal){0};
}
