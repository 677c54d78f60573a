/* tokenizer.json, all but its entries and templates. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "server/token/vocab.h"

enum status token_vocab_parse(struct token_vocab **ret, const char *tokenizer_json, size_t len, struct error *err)
{
    if (len > TOKEN_MAX_JSON)
        return error_set(err, STATUS_UNSUPPORTED, "%zu bytes of JSON; the limit is %d", len, TOKEN_MAX_JSON);
    json_t *root;
    enum status status = base_json_parse(&root, tokenizer_json, len, err);
    if (status != STATUS_OK)
        return status;
    status = token_vocab_create(ret, root, err);
    json_decref(root);
    return status;
}

/* The part of that name, which must be of the one type that this program knows. */
static enum status part_of_type(const json_t *root, const char *field, const char *type, json_t **ret,
                                struct error *err)
{
    json_t *part = json_object_get(root, field);
    const char *found = base_json_kind(part);
    if (!json_is_object(part) || strcmp(found, type) != 0)
        return error_set(err, STATUS_UNSUPPORTED, "\"%s\" is %s; only %s is supported", field, found, type);
    *ret = part;
    return STATUS_OK;
}

static enum status read_normalizer(struct token_vocab *vocab, const json_t *root, struct error *err)
{
    struct token_switches switches = {true, true, false, true};
    json_t *part;
    enum status status = part_of_type(root, "normalizer", "BertNormalizer", &part, err);
    if (status == STATUS_OK)
        status = base_json_flag(part, "clean_text", &switches.clean_text, err);
    if (status == STATUS_OK)
        status = base_json_flag(part, "handle_chinese_chars", &switches.handle_chinese_chars, err);
    if (status == STATUS_OK)
        status = base_json_flag(part, "lowercase", &switches.lowercase, err);
    switches.strip_accents = switches.lowercase;
    if (status == STATUS_OK)
        status = base_json_flag(part, "strip_accents", &switches.strip_accents, err);
    vocab->switches = switches;
    return status;
}

/* The library's first models carried no type: then the fields tell. */
static enum status find_model(const json_t *root, json_t **ret, struct error *err)
{
    json_t *model = json_object_get(root, "model");
    if (!json_is_object(model) || json_object_get(model, "type"))
        return part_of_type(root, "model", "WordPiece", ret, err);
    if (json_object_get(model, "merges") || !json_object_get(model, "continuing_subword_prefix"))
        return error_set(err, STATUS_UNSUPPORTED, "\"model\" is not WordPiece: only WordPiece is supported");
    *ret = model;
    return STATUS_OK;
}

static enum status read_model(struct token_vocab *vocab, const json_t *root, struct error *err)
{
    json_t *model;
    enum status status = find_model(root, &model, err);
    if (status == STATUS_OK)
        status = base_json_count(model, "max_input_chars_per_word", 0, TOKEN_MAX_WORD, &vocab->max_word, err);
    if (status == STATUS_OK)
        status = token_entries_read(vocab, model, json_object_get(root, "added_tokens"), err);
    return status;
}

static enum status read_decoder(struct token_vocab *vocab, const json_t *root, struct error *err)
{
    json_t *part = json_object_get(root, "decoder");
    if (!part || json_is_null(part))
        return STATUS_OK;
    const char *prefix;
    enum status status = part_of_type(root, "decoder", "WordPiece", &part, err);
    if (status == STATUS_OK)
        status = base_json_required_text(part, "prefix", &prefix, err);
    if (status == STATUS_OK)
        status = base_json_flag(part, "cleanup", &vocab->cleanup, err);
    if (status != STATUS_OK)
        return status;
    vocab->has_decoder = true;
    vocab->decoder_prefix = mem_strdup(prefix);
    return vocab->decoder_prefix ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "no memory for the decoder");
}

enum status token_vocab_read(struct token_vocab *vocab, const json_t *root, struct error *err)
{
    json_t *ignored;
    enum status status = read_normalizer(vocab, root, err);
    if (status == STATUS_OK)
        status = part_of_type(root, "pre_tokenizer", "BertPreTokenizer", &ignored, err);
    if (status == STATUS_OK)
        status = read_model(vocab, root, err);
    if (status == STATUS_OK)
        status = token_template_read(vocab, json_object_get(root, "post_processor"), err);
    if (status == STATUS_OK)
        status = read_decoder(vocab, root, err);
    if (status == STATUS_OK)
        status = token_vocab_prepare(vocab, err);
    return status;
}
