/* Canonical ordering with offsets: the code, which uses no memory, against the rule carried out as it is written. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/token/normalise.h"
#include "server/token/unicode.h"
#include "tests/token/support.h"

enum { MAX_CHARS = 64, MAX_OUT = 4 * MAX_CHARS };

struct item {
    uint32_t cp, start;
    bool inserted;
};

struct text {
    uint8_t bytes[4 * MAX_CHARS];
    size_t len;
    struct {
        uint32_t cp, start;
    } chars[MAX_CHARS];
    uint32_t n;
};

static uint32_t random_state = 20240229;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525U + 1013904223U;
    return (uint32_t)(((uint64_t)random_state * n) >> 32);
}

/* Marks of all classes that matter, with and without decomposition; letters that end in some; dropped ones; others. */
static const uint32_t alphabet[] = {0x301,  0x323,   0x345,   0x334,   0x344,   0xF73,   0x340,  0x302E,  0x302F,
                                    0xA9C0, 0x1D165, 0x1D16D, 0x1D16E, 0x8D4,   0x1B44,  0x1DFB, 0x1E000, 0x93C,
                                    0x200B, 0xAD,    0x1D160, 0x1D1BD, 0x1D15E, 0xE9,    0x1EAD, 'a',     ' ',
                                    0xAC01, 0x302E,  0x302E,  0xA9C0,  0x301,   0x11D47, 0x1DF6};

static void append(struct text *t, uint32_t cp)
{
    t->chars[t->n].cp = cp;
    t->chars[t->n++].start = (uint32_t)t->len;
    t->len += support_put_utf8(t->bytes + t->len, cp);
}

static uint8_t class_of(uint32_t cp)
{
    return token_char_of(cp)->nfd_len ? 0 : token_char_of(cp)->ccc;
}

static uint32_t decompose(struct item *out, uint32_t cp)
{
    const struct token_char *c = token_char_of(cp);
    if (cp == 0xAC01) {
        out[0].cp = 0x1100, out[1].cp = 0x1161, out[2].cp = 0x11A8;
        return 3;
    }
    for (uint32_t i = 0; i < c->nfd_len; i++)
        out[i].cp = token_char_nfd[c->nfd + i];
    if (!c->nfd_len)
        out[0].cp = cp;
    return c->nfd_len ? c->nfd_len : 1;
}

/* The rule: decompose, sort runs stably, deal out the characters in the new order, drop the marks. */
static uint32_t by_the_rule(const struct text *t, bool clean, struct item *items)
{
    uint32_t starts[MAX_CHARS], kept = 0, n = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        if (clean && (token_char_of(t->chars[i].cp)->flags & TOKEN_CHAR_DROP))
            continue;
        starts[kept++] = t->chars[i].start;
        uint32_t parts = decompose(items + n, t->chars[i].cp);
        for (uint32_t j = 0; j < parts; j++)
            items[n + j].inserted = j > 0;
        n += parts;
    }
    for (uint32_t i = 1; i < n; i++) {
        struct item moving = items[i];
        uint32_t j = i, ccc = class_of(moving.cp);
        for (; ccc && j > 0 && class_of(items[j - 1].cp) > ccc; j--)
            items[j] = items[j - 1];
        items[j] = moving;
    }
    uint32_t taken = 0, out = 0;
    for (uint32_t i = 0; i < n; i++) {
        taken += !items[i].inserted;
        items[i].start = starts[taken - 1];
        if (!(token_char_of(items[i].cp)->flags & TOKEN_CHAR_MARK))
            items[out++] = items[i];
    }
    return out;
}

struct recorder {
    struct token_sink sink;
    struct item items[MAX_OUT];
    uint32_t n;
};

static void record(struct token_sink *sink, uint32_t cp, uint32_t start)
{
    struct recorder *r = (struct recorder *)sink;
    cr_assert_lt(r->n, MAX_OUT);
    r->items[r->n++] = (struct item){cp, start, false};
}

static void compare(const struct text *t, bool clean)
{
    struct item expected[MAX_OUT];
    uint32_t n = by_the_rule(t, clean, expected);
    struct recorder r = {.sink = {record, NULL}};
    uint64_t steps = 0;
    struct token_switches switches = {.clean_text = clean, .strip_accents = true};
    token_normalise(&switches, t->bytes, 0, t->len, &r.sink, &steps);
    bool equal = r.n == n;
    for (uint32_t i = 0; equal && i < n; i++)
        equal = r.items[i].cp == expected[i].cp && r.items[i].start == expected[i].start;
    if (!equal)
        for (uint32_t i = 0; i < t->n; i++)
            fprintf(stderr, "U+%04X%c", (unsigned)t->chars[i].cp, i + 1 < t->n ? ' ' : '\n');
    cr_assert(equal, "%u code points, expected %u", (unsigned)r.n, (unsigned)n);
}

Test(marks, are_ordered_as_the_rule_says)
{
    uint32_t n_alphabet = sizeof alphabet / sizeof *alphabet;
    for (int round = 0; round < 60000; round++) {
        struct text t = {.n = 0};
        uint32_t n = 1 + random_below(round % 2 ? 6 : MAX_CHARS - 1);
        for (uint32_t i = 0; i < n; i++)
            append(&t, alphabet[random_below(n_alphabet)]);
        compare(&t, round % 3 > 0);
    }
}
