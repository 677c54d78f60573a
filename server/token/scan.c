#include "server/token/scan.h"

#include <utf8proc.h>

#include "server/token/added.h"
#include "server/token/normalise.h"
#include "server/token/words.h"

struct scan {
    const struct token_vocab *vocab;
    const uint8_t *text;
    struct token_words *words;
    struct token_normal normal; /* of the stretch at hand, where added tokens are sought in it */
    uint64_t steps;
};

/* Words of the normalised text [from, to). */
static void scan_normal(struct scan *s, size_t from, size_t to)
{
    while (from < to) {
        utf8proc_int32_t cp;
        size_t len = (size_t)utf8proc_iterate(s->normal.bytes + from, (utf8proc_ssize_t)(to - from), &cp);
        s->words->sink.put(&s->words->sink, (uint32_t)cp, s->normal.starts[from]);
        from += len;
    }
    token_words_end(s->words);
}

/* A stretch without raw added tokens, where others are sought in what the normaliser makes of it. */
static void scan_with_normalised(struct scan *s, size_t from, size_t to)
{
    struct token_normal *normal = &s->normal;
    normal->len = 0;
    token_normalise(&s->vocab->switches, s->text, from, to, &normal->sink, &s->steps);
    struct token_search search = {.matcher = &s->vocab->normalised, .text = normal->bytes, .len = normal->len};
    struct token_match match;
    size_t done = 0;
    while (token_search_next(&search, &match)) {
        scan_normal(s, done, match.start);
        if (match.start < match.stop)
            token_list_push(s->words->list, match.token->id, normal->starts[match.start],
                            token_char_stop(s->text, normal->starts[match.stop - 1]));
        done = match.stop;
    }
    scan_normal(s, done, normal->len);
    s->steps += search.steps;
}

/* A stretch without raw added tokens. */
static void scan_stretch(struct scan *s, size_t from, size_t to)
{
    if (from >= to)
        return;
    if (s->vocab->normalised.any) {
        scan_with_normalised(s, from, to);
        return;
    }
    token_normalise(&s->vocab->switches, s->text, from, to, &s->words->sink, &s->steps);
    token_words_end(s->words);
}

enum status token_scan(const struct token_vocab *vocab, const char *text, size_t len, struct token_list *list,
                       uint64_t *ret_steps, struct error *err)
{
    struct token_words words;
    struct scan s = {.vocab = vocab, .text = (const uint8_t *)text, .words = &words};
    struct token_search search = {.matcher = &vocab->raw, .text = s.text, .len = len};
    struct token_match match;
    size_t done = 0;
    token_words_init(&words, vocab, s.text, list);
    token_normal_init(&s.normal);
    while (!list->failed && !s.normal.failed && token_search_next(&search, &match)) {
        scan_stretch(&s, done, match.start);
        if (match.start < match.stop)
            token_list_push(list, match.token->id, (uint32_t)match.start, (uint32_t)match.stop);
        done = match.stop;
    }
    scan_stretch(&s, done, len);
    bool failed = list->failed || s.normal.failed;
    token_normal_finish(&s.normal);
    if (failed)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the tokens of %zu bytes", len);
    if (ret_steps)
        *ret_steps = s.steps + search.steps + words.steps;
    return STATUS_OK;
}
