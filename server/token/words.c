#include "server/token/words.h"

#include <utf8proc.h>

#include "server/token/unicode.h"

uint32_t token_char_stop(const uint8_t *text, uint32_t start)
{
    uint8_t lead = text[start];
    return start + 1U + (lead >= 0xC0) + (lead >= 0xE0) + (lead >= 0xF0);
}

static void put_piece(struct token_words *w, uint32_t id, uint32_t from, uint32_t to)
{
    token_list_push(w->list, id, w->starts[from], token_char_stop(w->text, w->starts[to - 1]));
}

/* A word that is not an entry as a whole: the longest entry each time, or one unknown token. */
static void put_pieces(struct token_words *w)
{
    struct {
        uint32_t id, stop;
    } pieces[TOKEN_MAX_WORD];
    uint32_t n = 0, node = TOKEN_TRIE_ROOT;
    for (uint32_t at = 0; at < w->len; node = w->vocab->continuation) {
        if (node == TOKEN_TRIE_NONE) {
            put_piece(w, w->vocab->unk_id, 0, w->len);
            return;
        }
        struct token_trie_hit hit = token_trie_longest(&w->vocab->pieces, node, w->bytes + at, w->len - at);
        w->steps += hit.steps;
        if (hit.len == 0) {
            put_piece(w, w->vocab->unk_id, 0, w->len);
            return;
        }
        at += hit.len;
        pieces[n].id = hit.value;
        pieces[n++].stop = at;
    }
    for (uint32_t i = 0, from = 0; i < n; from = pieces[i++].stop)
        put_piece(w, pieces[i].id, from, pieces[i].stop);
}

static void end_word(struct token_words *w)
{
    if (w->chars > w->vocab->max_word) {
        token_list_push(w->list, w->vocab->unk_id, w->first, token_char_stop(w->text, w->last));
    } else {
        struct token_trie_hit hit = token_trie_longest(&w->vocab->pieces, TOKEN_TRIE_ROOT, w->bytes, w->len);
        w->steps += hit.steps;
        if (hit.len == w->len)
            put_piece(w, hit.value, 0, w->len);
        else
            put_pieces(w);
    }
    w->chars = 0;
    w->len = 0;
}

void token_words_end(struct token_words *w)
{
    if (w->chars > 0)
        end_word(w);
}

static void append(struct token_words *w, uint32_t cp, uint32_t start)
{
    if (w->chars++ == 0)
        w->first = start;
    w->last = start;
    if (w->chars > w->vocab->max_word)
        return;
    uint32_t len = (uint32_t)utf8proc_encode_char((utf8proc_int32_t)cp, w->bytes + w->len);
    for (uint32_t i = 0; i < len; i++)
        w->starts[w->len + i] = start;
    w->len += len;
}

static void words_put(struct token_sink *sink, uint32_t cp, uint32_t start)
{
    struct token_words *w = (struct token_words *)sink;
    uint32_t flags = token_char_of(cp)->flags;
    w->steps++;
    if (!(flags & (TOKEN_CHAR_WHITE | TOKEN_CHAR_PUNCT))) {
        append(w, cp, start);
        return;
    }
    token_words_end(w);
    if (flags & TOKEN_CHAR_PUNCT) {
        append(w, cp, start);
        end_word(w);
    }
}

/* The letters from `at` on; returns the first byte that is none. */
static size_t append_ascii(struct token_words *w, size_t at, size_t stop)
{
    const uint8_t *ascii = w->vocab->ascii, *text = w->text;
    size_t begin = at;
    uint32_t len = w->len;
    uint8_t letter;
    while (at < stop && (letter = ascii[text[at]]) > TOKEN_ASCII_LAST) {
        if (len < sizeof w->bytes) {
            w->bytes[len] = letter;
            w->starts[len++] = (uint32_t)at;
        }
        at++;
    }
    if (at > begin) {
        if (w->chars == 0)
            w->first = (uint32_t)begin;
        w->last = (uint32_t)at - 1;
        w->chars += (uint32_t)(at - begin);
        w->len = len;
    }
    return at;
}

static size_t words_ascii(struct token_sink *sink, size_t at, size_t stop)
{
    struct token_words *w = (struct token_words *)sink;
    while ((at = append_ascii(w, at, stop)) < stop) {
        uint8_t action = w->vocab->ascii[w->text[at]];
        if (action == TOKEN_ASCII_OTHER)
            break;
        if (action != TOKEN_ASCII_DROP)
            token_words_end(w);
        if (action == TOKEN_ASCII_PUNCT) {
            append(w, w->text[at], (uint32_t)at);
            end_word(w);
        }
        at++;
    }
    return at;
}

void token_words_init(struct token_words *w, const struct token_vocab *vocab, const uint8_t *text,
                      struct token_list *list)
{
    w->sink = (struct token_sink){words_put, words_ascii};
    w->vocab = vocab;
    w->text = text;
    w->list = list;
    w->steps = 0;
    w->chars = 0;
    w->len = 0;
}
