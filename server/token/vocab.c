#include "server/token/vocab.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "server/token/normalise.h"
#include "server/token/unicode.h"

enum status token_vocab_create(struct token_vocab **ret, const json_t *root, struct error *err)
{
    struct token_vocab *vocab = mem_calloc(1, sizeof *vocab);
    if (!vocab)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a vocabulary");
    enum status status = token_vocab_read(vocab, root, err);
    if (status == STATUS_OK)
        *ret = vocab;
    else
        token_vocab_destroy(&vocab);
    return status;
}

void token_vocab_destroy(struct token_vocab **ptr)
{
    struct token_vocab *vocab = *ptr;
    if (!vocab)
        return;
    mem_free(vocab->texts);
    mem_free(vocab->special);
    mem_free(vocab->bytes);
    mem_free(vocab->added);
    mem_free(vocab->decoder_prefix);
    token_trie_finish(&vocab->pieces);
    token_trie_finish(&vocab->raw.trie);
    token_trie_finish(&vocab->normalised.trie);
    mem_free(vocab);
    *ptr = NULL;
}

uint32_t token_vocab_size(const struct token_vocab *vocab)
{
    return vocab->size;
}

const char *token_vocab_text(const struct token_vocab *vocab, uint32_t id)
{
    return id < vocab->size ? vocab->texts[id] : NULL;
}

bool token_vocab_is_special(const struct token_vocab *vocab, uint32_t id)
{
    return id < vocab->size && vocab->special[id];
}

bool token_vocab_lowercases(const struct token_vocab *vocab)
{
    return vocab->switches.lowercase;
}

const char *token_vocab_note(const struct token_vocab *vocab)
{
    return vocab->note[0] ? vocab->note : NULL;
}

/* What becomes of an ASCII byte on its own, in or out of a word. */
static uint8_t ascii_action(const struct token_switches *switches, uint8_t byte)
{
    const struct token_char *c = token_char_of(byte);
    if (switches->clean_text && (c->flags & TOKEN_CHAR_DROP))
        return TOKEN_ASCII_DROP;
    if ((switches->clean_text && (c->flags & TOKEN_CHAR_SPACE)) || (c->flags & TOKEN_CHAR_WHITE))
        return TOKEN_ASCII_SPACE;
    if (c->flags & TOKEN_CHAR_PUNCT)
        return TOKEN_ASCII_PUNCT;
    uint8_t letter = (uint8_t)(byte + (switches->lowercase ? c->lower : 0));
    return letter > TOKEN_ASCII_LAST ? letter : TOKEN_ASCII_OTHER;
}

/* The text by which a token is sought, put behind the others: its own, or its normalised one. */
static enum status put_pattern(const struct token_vocab *vocab, const struct token_added *added,
                               struct token_normal *patterns, struct token_trie_key *key, struct error *err)
{
    uint32_t begin = patterns->len;
    uint64_t steps = 0;
    token_normalise(added->normalized ? &vocab->switches : &(const struct token_switches){0},
                    (const uint8_t *)added->text, 0, strlen(added->text), &patterns->sink, &steps);
    if (patterns->failed)
        return error_set(err, STATUS_NO_MEMORY, "no memory for an added token");
    key->len = patterns->len - begin;
    if (key->len == 0)
        return error_set(err, STATUS_UNSUPPORTED, "added token \"%s\" normalises to nothing",
                         base_json_shown(added->text));
    return STATUS_OK;
}

/* Of equal patterns the first in `added` wins: the trie keeps the lowest value. */
static enum status fill_matcher(const struct token_vocab *vocab, struct token_matcher *matcher, bool normalised,
                                struct token_normal *patterns, struct token_trie_key *keys, struct error *err)
{
    uint32_t n = 0, at = 0;
    patterns->len = 0;
    for (uint32_t i = 0; i < vocab->n_added; i++) {
        if (vocab->added[i].normalized != normalised)
            continue;
        enum status status = put_pattern(vocab, &vocab->added[i], patterns, &keys[n], err);
        if (status != STATUS_OK)
            return status;
        keys[n++].value = i;
    }
    for (uint32_t i = 0; i < n; i++) { /* the bytes stay where they are from now on */
        keys[i].bytes = (const char *)patterns->bytes + at;
        at += keys[i].len;
        matcher->first[(uint8_t)keys[i].bytes[0]] = true;
    }
    matcher->added = vocab->added;
    matcher->any = n > 0;
    return token_trie_init(&matcher->trie, keys, n, err);
}

enum status token_vocab_prepare(struct token_vocab *vocab, struct error *err)
{
    for (unsigned byte = 0; byte < 0x80; byte++)
        vocab->ascii[byte] = ascii_action(&vocab->switches, (uint8_t)byte);

    struct token_trie_key *keys = mem_alloc(vocab->n_added * sizeof *keys);
    struct token_normal patterns;
    token_normal_init(&patterns);
    enum status status = STATUS_OK;
    if (!keys)
        status = error_set(err, STATUS_NO_MEMORY, "no memory for %u added tokens", vocab->n_added);
    if (status == STATUS_OK)
        status = fill_matcher(vocab, &vocab->raw, false, &patterns, keys, err);
    if (status == STATUS_OK)
        status = fill_matcher(vocab, &vocab->normalised, true, &patterns, keys, err);
    token_normal_finish(&patterns);
    mem_free(keys);
    return status;
}
