#include "server/token/scan.h"

#include <utf8proc.h>

#include "server/token/added.h"
#include "server/token/normalise.h"
#include "server/token/words.h"

struct scan {
    const struct token_vocab *vocab;
    const uint8_t *text;
    struct token_words *words;
    uint64_t steps;
};

/* Words of normal text [from, to). */
static void scan_normal(struct scan *s, const struct token_normal *normal, size_t from, size_t to)
{
    while (from < to) {
        utf8proc_int32_t cp;
        size_t len = (size_t)utf8proc_iterate(normal->bytes + from, (utf8proc_ssize_t)(to - from), &cp);
        s->words->sink.put(&s->words->sink, (uint32_t)cp, normal->starts[from]);
        from += len;
    }
    token_words_end(s->words);
}

/* Text without raw added tokens, where others are sought in what the normaliser makes of it. */
static bool scan_with_normalised(struct scan *s, size_t from, size_t to)
{
    struct token_normal normal;
    token_normal_init(&normal);
    token_normalise(&s->vocab->switches, s->text, from, to, &normal.sink, &s->steps);
    struct token_search search = {.matcher = &s->vocab->normalised, .text = normal.bytes, .len = normal.len};
    struct token_match match;
    size_t done = 0;
    while (token_search_next(&search, &match)) {
        scan_normal(s, &normal, done, match.start);
        if (match.start < match.stop)
            token_list_push(s->words->list, match.token->id, normal.starts[match.start],
                            token_char_stop(s->text, normal.starts[match.stop - 1]));
        done = match.stop;
    }
    scan_normal(s, &normal, done, normal.len);
    s->steps += search.steps;
    bool failed = normal.failed;
    token_normal_finish(&normal);
    return !failed;
}

/* Text without raw added tokens. */
static bool scan_piece(struct scan *s, size_t from, size_t to)
{
    if (from >= to)
        return true;
    if (s->vocab->normalised.any)
        return scan_with_normalised(s, from, to);
    token_normalise(&s->vocab->switches, s->text, from, to, &s->words->sink, &s->steps);
    token_words_end(s->words);
    return true;
}

enum status token_scan(const struct token_vocab *vocab, const char *text, size_t len, struct token_list *list,
                       uint64_t *ret_steps, struct error *err)
{
    struct token_words words;
    struct scan s = {vocab, (const uint8_t *)text, &words, 0};
    struct token_search search = {.matcher = &vocab->raw, .text = s.text, .len = len};
    struct token_match match;
    size_t done = 0;
    token_words_init(&words, vocab, s.text, list);
    bool good = true;
    while (good && token_search_next(&search, &match)) {
        good = scan_piece(&s, done, match.start);
        if (match.start < match.stop)
            token_list_push(list, match.token->id, (uint32_t)match.start, (uint32_t)match.stop);
        done = match.stop;
    }
    good = good && scan_piece(&s, done, len);
    if (!good || list->failed)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the tokens of %zu bytes", len);
    if (ret_steps)
        *ret_steps = s.steps + search.steps + words.steps;
    return STATUS_OK;
}
