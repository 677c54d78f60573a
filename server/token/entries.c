/* The entries of a vocabulary: model.vocab and added_tokens of tokenizer.json. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "server/token/vocab.h"

/* Sizes first, so that all is allocated at once. */
struct sizes {
    uint32_t ids;     /* all ids are below it */
    uint32_t entries; /* of the model */
    size_t bytes;     /* of all texts with their NULs */
};

static enum status measure(struct sizes *sizes, const char *text, uint32_t id, struct error *err)
{
    size_t len = strlen(text);
    if (len > TOKEN_MAX_ENTRY)
        return error_set(err, STATUS_UNSUPPORTED, "an entry of %zu bytes; the limit is %d", len, TOKEN_MAX_ENTRY);
    sizes->bytes += len + 1;
    if (id >= sizes->ids)
        sizes->ids = id + 1;
    return STATUS_OK;
}

static enum status measure_model(const json_t *entries, struct sizes *sizes, struct error *err)
{
    const char *text;
    json_t *value;
    json_object_foreach((json_t *)entries, text, value)
    {
        uint32_t id = 0;
        enum status status = base_json_count(entries, text, 0, TOKEN_MAX_ID - 1, &id, err);
        if (status == STATUS_OK)
            status = measure(sizes, text, id, err);
        if (status != STATUS_OK)
            return error_prefix(err, status, "model.vocab: ");
        sizes->entries++;
    }
    return STATUS_OK;
}

static enum status read_flags(struct token_added *added, const json_t *item, struct error *err)
{
    enum status status = base_json_required_text(item, "content", &added->text, err);
    if (status == STATUS_OK)
        status = base_json_flag(item, "special", &added->special, err);
    added->normalized = !added->special;
    if (status == STATUS_OK)
        status = base_json_flag(item, "normalized", &added->normalized, err);
    if (status == STATUS_OK)
        status = base_json_flag(item, "single_word", &added->single_word, err);
    if (status == STATUS_OK)
        status = base_json_flag(item, "lstrip", &added->lstrip, err);
    if (status == STATUS_OK)
        status = base_json_flag(item, "rstrip", &added->rstrip, err);
    return status;
}

/* The library looks for its special tokens first. */
static enum status put_special_first(struct token_vocab *vocab, struct error *err)
{
    struct token_added *sorted = mem_alloc(vocab->n_added * sizeof *sorted);
    if (!sorted)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u added tokens", vocab->n_added);
    uint32_t n = 0;
    for (int special = 1; special >= 0; special--) {
        for (uint32_t i = 0; i < vocab->n_added; i++) {
            if (vocab->added[i].special == (special == 1))
                sorted[n++] = vocab->added[i];
        }
    }
    mem_free(vocab->added);
    vocab->added = sorted;
    return STATUS_OK;
}

/* Ids as the library gives them, whatever the file says: the model's own, else the next one behind the model's
 * number of entries. */
static enum status read_token(struct token_vocab *vocab, const json_t *entries, const json_t *token, json_t *seen,
                              struct sizes *sizes, uint32_t *next, struct error *err)
{
    struct token_added added = {0};
    enum status status = read_flags(&added, token, err);
    if (status != STATUS_OK)
        return status;
    if (added.text[0] == '\0' || json_object_get(seen, added.text))
        return STATUS_OK; /* as the library does */
    if (json_object_set_new(seen, added.text, json_true()) != 0)
        return error_set(err, STATUS_NO_MEMORY, "no memory for an added token");
    const json_t *id = json_object_get(entries, added.text);
    added.id = id ? (uint32_t)json_integer_value(id) : *next;
    if (added.id >= *next)
        *next = added.id + 1;
    vocab->added[vocab->n_added++] = added;
    return measure(sizes, added.text, added.id, err);
}

static enum status read_added(struct token_vocab *vocab, const json_t *entries, const json_t *tokens,
                              struct sizes *sizes, struct error *err)
{
    uint32_t next = sizes->entries;
    json_t *seen = json_object();
    enum status status = seen ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "no memory for the added tokens");
    for (size_t i = 0; i < json_array_size(tokens) && status == STATUS_OK; i++) {
        status = read_token(vocab, entries, json_array_get(tokens, i), seen, sizes, &next, err);
        if (status != STATUS_OK)
            error_prefix(err, status, "added_tokens[%zu]: ", i);
    }
    json_decref(seen);
    return status == STATUS_OK ? put_special_first(vocab, err) : status;
}

/* Keep a copy of an entry's text under its id. */
static enum status keep(struct token_vocab *vocab, const char *text, uint32_t id, size_t *used, struct error *err)
{
    if (vocab->texts[id])
        return error_set(err, STATUS_FORMAT, "\"%s\" and \"%s\" both have the id %u", base_json_shown(vocab->texts[id]),
                         base_json_shown(text), id);
    size_t size = strlen(text) + 1;
    vocab->texts[id] = memcpy(vocab->bytes + *used, text, size);
    *used += size;
    return STATUS_OK;
}

static enum status keep_all(struct token_vocab *vocab, const json_t *entries, struct token_trie_key *keys,
                            struct error *err)
{
    size_t used = 0, n = 0;
    const char *text;
    json_t *value;
    json_object_foreach((json_t *)entries, text, value)
    {
        uint32_t id = (uint32_t)json_integer_value(value);
        enum status status = keep(vocab, text, id, &used, err);
        if (status != STATUS_OK)
            return error_prefix(err, status, "model.vocab: ");
        keys[n++] = (struct token_trie_key){vocab->texts[id], (uint32_t)strlen(text), id};
    }
    for (uint32_t i = 0; i < vocab->n_added; i++) {
        struct token_added *added = &vocab->added[i];
        if (!json_object_get(entries, added->text)) {
            enum status status = keep(vocab, added->text, added->id, &used, err);
            if (status != STATUS_OK)
                return error_prefix(err, status, "added_tokens: ");
        }
        added->text = vocab->texts[added->id];
        vocab->special[added->id] = added->special;
    }
    return token_trie_init(&vocab->pieces, keys, n, err);
}

static enum status build(struct token_vocab *vocab, const json_t *entries, const struct sizes *sizes, struct error *err)
{
    vocab->size = sizes->ids;
    vocab->texts = mem_calloc(sizes->ids, sizeof *vocab->texts);
    vocab->special = mem_calloc(sizes->ids, sizeof *vocab->special);
    vocab->bytes = mem_alloc(sizes->bytes);
    struct token_trie_key *keys = mem_alloc(sizes->entries * sizeof *keys);
    enum status status;
    if (vocab->texts && vocab->special && vocab->bytes && keys)
        status = keep_all(vocab, entries, keys, err);
    else
        status = error_set(err, STATUS_NO_MEMORY, "no memory for a vocabulary of %u", sizes->ids);
    mem_free(keys);
    return status;
}

static enum status find_parts(struct token_vocab *vocab, const json_t *model, struct error *err)
{
    const char *unk, *prefix;
    enum status status = base_json_required_text(model, "unk_token", &unk, err);
    if (status == STATUS_OK)
        status = base_json_required_text(model, "continuing_subword_prefix", &prefix, err);
    if (status != STATUS_OK)
        return error_prefix(err, status, "model: ");
    vocab->unk_id = token_trie_find(&vocab->pieces, unk, strlen(unk));
    if (vocab->unk_id == TOKEN_TRIE_NONE)
        return error_set(err, STATUS_FORMAT, "the unknown token \"%s\" is not in the vocabulary", base_json_shown(unk));
    vocab->continuation = token_trie_walk(&vocab->pieces, prefix, strlen(prefix));
    return STATUS_OK;
}

enum status token_entries_read(struct token_vocab *vocab, const json_t *model, const json_t *added_tokens,
                               struct error *err)
{
    json_t *entries;
    struct sizes sizes = {0};
    if (added_tokens && !json_is_array(added_tokens))
        return error_set(err, STATUS_FORMAT, "\"added_tokens\" is %s, not an array", base_json_kind(added_tokens));
    size_t n_added = json_array_size(added_tokens);
    if (n_added > TOKEN_MAX_ID)
        return error_set(err, STATUS_UNSUPPORTED, "%zu added tokens; the limit is %d", n_added, TOKEN_MAX_ID);
    vocab->added = mem_alloc(n_added * sizeof *vocab->added);
    if (!vocab->added)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu added tokens", n_added);
    enum status status = base_json_part(model, "vocab", JSON_OBJECT, &entries, err);
    if (status == STATUS_OK)
        status = measure_model(entries, &sizes, err);
    if (status == STATUS_OK)
        status = read_added(vocab, entries, added_tokens, &sizes, err);
    if (status == STATUS_OK)
        status = build(vocab, entries, &sizes, err);
    if (status == STATUS_OK)
        status = find_parts(vocab, model, err);
    return status;
}
