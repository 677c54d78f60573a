#include <string.h>

#include "server/token/token.h"
#include "server/token/vocab.h"

/* The decoder's clean-up, in its order; no replacement is longer than what it replaces. */
static const struct {
    const char *from, *to;
} replacements[] = {
    {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},    {" n't", "n't"},
    {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

/* Replace in text [len]; returns its new length. */
static size_t replace_all(char *text, size_t len, const char *from, const char *to)
{
    size_t from_len = strlen(from), to_len = strlen(to), used = 0, at = 0;
    const char *found;
    while ((found = memmem(text + at, len - at, from, from_len)) != NULL) {
        size_t before = (size_t)(found - text) - at;
        memmove(text + used, text + at, before);
        memcpy(text + used + before, to, to_len);
        used += before + to_len;
        at += before + from_len;
    }
    memmove(text + used, text + at, len - at);
    return used + len - at;
}

static size_t clean_up(char *text, size_t len)
{
    for (size_t i = 0; i < sizeof replacements / sizeof *replacements; i++)
        len = replace_all(text, len, replacements[i].from, replacements[i].to);
    return len;
}

static const char *shown(const struct token_vocab *vocab, uint32_t id, bool skip_special_tokens)
{
    return skip_special_tokens && token_vocab_is_special(vocab, id) ? NULL : token_vocab_text(vocab, id);
}

/* One entry behind others or at the start; returns the bytes written, at most its own and a space. */
static size_t put_entry(const struct token_vocab *vocab, char *to, const char *text, bool first)
{
    size_t len = 0, prefix = vocab->has_decoder ? strlen(vocab->decoder_prefix) : 0;
    if (!first && vocab->has_decoder && strncmp(text, vocab->decoder_prefix, prefix) == 0)
        text += prefix;
    else if (!first)
        to[len++] = ' ';
    size_t text_len = strlen(text);
    memcpy(to + len, text, text_len);
    len += text_len;
    return vocab->cleanup ? clean_up(to, len) : len;
}

enum status token_decode(const struct token_vocab *vocab, const uint32_t *ids, size_t n, bool skip_special_tokens,
                         struct arena *arena, char **ret_text, size_t *ret_len, struct error *err)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++) {
        const char *text = shown(vocab, ids[i], skip_special_tokens);
        most += text ? strlen(text) + 1 : 0;
    }
    char *out = arena_alloc(arena, most + 1);
    if (!out)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a text of %zu bytes", most);
    size_t len = 0;
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        const char *text = shown(vocab, ids[i], skip_special_tokens);
        if (!text)
            continue;
        len += put_entry(vocab, out + len, text, first);
        first = false;
    }
    out[len] = '\0';
    *ret_text = out;
    *ret_len = len;
    return STATUS_OK;
}
