#include "server/token/added.h"

#include <utf8proc.h>

#include "server/token/unicode.h"

/* Flags of the character at `at`; its end goes to `ret_stop`. */
static uint32_t flags_at(const struct token_search *s, size_t at, size_t *ret_stop)
{
    utf8proc_int32_t cp;
    *ret_stop = at + (size_t)utf8proc_iterate(s->text + at, (utf8proc_ssize_t)(s->len - at), &cp);
    return token_char_of((uint32_t)cp)->flags;
}

/* Flags of the character that ends at `at`; its start goes to `ret_start`. */
static uint32_t flags_before(const struct token_search *s, size_t at, size_t *ret_start)
{
    size_t stop;
    while ((s->text[--at] & 0xC0) == 0x80)
        ;
    *ret_start = at;
    return flags_at(s, at, &stop);
}

static bool touches_word(const struct token_search *s, size_t start, size_t stop)
{
    size_t ignored;
    return (start > 0 && (flags_before(s, start, &ignored) & TOKEN_CHAR_WORD)) ||
           (stop < s->len && (flags_at(s, stop, &ignored) & TOKEN_CHAR_WORD));
}

static size_t white_start(struct token_search *s, size_t at)
{
    size_t before;
    while (at > s->taken && (flags_before(s, at, &before) & TOKEN_CHAR_WHITE)) {
        at = before;
        s->steps++;
    }
    return at > s->taken ? at : s->taken;
}

static size_t white_stop(struct token_search *s, size_t at)
{
    if (at < s->white_until)
        return s->white_until;
    size_t after;
    while (at < s->len && (flags_at(s, at, &after) & TOKEN_CHAR_WHITE)) {
        at = after;
        s->steps++;
    }
    s->white_until = at;
    return at;
}

/* The next place where a token's text stands. */
static bool find(struct token_search *s, struct token_match *ret)
{
    const struct token_matcher *matcher = s->matcher;
    size_t from = s->at;
    for (size_t at = from; at < s->len; at++) {
        if (!matcher->first[s->text[at]])
            continue;
        struct token_trie_hit hit = token_trie_longest(&matcher->trie, TOKEN_TRIE_ROOT, s->text + at, s->len - at);
        s->steps += hit.steps;
        if (hit.len == 0)
            continue;
        *ret = (struct token_match){at, at + hit.len, &matcher->added[hit.value]};
        s->at = ret->stop;
        s->steps += ret->stop - from;
        return true;
    }
    s->steps += s->len - from;
    s->at = s->len;
    return false;
}

bool token_search_next(struct token_search *s, struct token_match *ret)
{
    if (!s->matcher->any)
        return false;
    struct token_match match;
    do {
        if (!find(s, &match))
            return false;
    } while (match.token->single_word && touches_word(s, match.start, match.stop));
    if (match.token->lstrip)
        match.start = white_start(s, match.start);
    if (match.token->rstrip)
        match.stop = white_stop(s, match.stop);
    s->taken = match.stop;
    *ret = match;
    return true;
}
