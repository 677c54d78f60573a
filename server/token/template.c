/* The post-processor: where special tokens go around one text or two. */
#include <string.h>

#include "base/json.h"
#include "server/token/vocab.h"

static enum status add_item(struct token_template *t, enum token_slot slot, uint32_t id, uint32_t type_id,
                            struct error *err)
{
    if (t->n == TOKEN_MAX_TEMPLATE)
        return error_set(err, STATUS_UNSUPPORTED, "more than %d items", TOKEN_MAX_TEMPLATE);
    t->items[t->n++] = (struct token_template_item){slot, id, (uint8_t)type_id};
    t->n_special += slot == TOKEN_SLOT_ID;
    return STATUS_OK;
}

static enum status check_id(const struct token_vocab *vocab, const json_t *value, uint32_t *ret, struct error *err)
{
    json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
    if (id < 0 || id >= vocab->size || !vocab->texts[id])
        return error_set(err, STATUS_FORMAT, "%lld is not an id of the vocabulary", (long long)id);
    *ret = (uint32_t)id;
    return STATUS_OK;
}

/* {"SpecialToken": {"id": "[CLS]", "type_id": 0}}: the ids stand in `special_tokens` under that name. */
static enum status add_special(const struct token_vocab *vocab, struct token_template *t, const json_t *special_tokens,
                               const json_t *item, uint32_t type_id, struct error *err)
{
    const char *name;
    json_t *ids;
    enum status status = base_json_required_text(item, "id", &name, err);
    if (status == STATUS_OK)
        status = base_json_part(json_object_get(special_tokens, name), "ids", JSON_ARRAY, &ids, err);
    for (size_t i = 0; status == STATUS_OK && i < json_array_size(ids); i++) {
        uint32_t id;
        status = check_id(vocab, json_array_get(ids, i), &id, err);
        if (status == STATUS_OK)
            status = add_item(t, TOKEN_SLOT_ID, id, type_id, err);
    }
    return status;
}

static enum status add_sequence(struct token_template *t, const json_t *item, uint32_t type_id, struct error *err)
{
    const char *name;
    enum status status = base_json_required_text(item, "id", &name, err);
    if (status != STATUS_OK)
        return status;
    if (strcmp(name, "A") != 0 && strcmp(name, "B") != 0)
        return error_set(err, STATUS_FORMAT, "sequence \"%s\" is neither A nor B", base_json_shown(name));
    return add_item(t, name[0] == 'A' ? TOKEN_SLOT_FIRST : TOKEN_SLOT_SECOND, 0, type_id, err);
}

static enum status check_texts(const struct token_template *t, uint32_t texts, struct error *err)
{
    uint32_t counts[3] = {0};
    for (uint32_t i = 0; i < t->n; i++)
        counts[t->items[i].slot]++;
    if (counts[TOKEN_SLOT_FIRST] != 1 || counts[TOKEN_SLOT_SECOND] != texts - 1)
        return error_set(err, STATUS_UNSUPPORTED, "each text must occur once");
    return STATUS_OK;
}

static enum status read_items(const struct token_vocab *vocab, struct token_template *t, const json_t *processor,
                              const char *field, uint32_t texts, struct error *err)
{
    json_t *items;
    enum status status = base_json_part(processor, field, JSON_ARRAY, &items, err);
    for (size_t i = 0; status == STATUS_OK && i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const json_t *special = json_object_get(item, "SpecialToken"), *sequence = json_object_get(item, "Sequence");
        uint32_t type_id;
        status = base_json_count(special ? special : sequence, "type_id", 0, 1, &type_id, err);
        if (status == STATUS_OK && special)
            status = add_special(vocab, t, json_object_get(processor, "special_tokens"), special, type_id, err);
        else if (status == STATUS_OK)
            status = add_sequence(t, sequence, type_id, err);
    }
    if (status == STATUS_OK)
        status = check_texts(t, texts, err);
    return status == STATUS_OK ? status : error_prefix(err, status, "post_processor.%s: ", field);
}

/* [CLS] a [SEP], [CLS] a [SEP] b [SEP] from {"cls": ["[CLS]", 101], "sep": ["[SEP]", 102]}. */
static enum status read_bert(struct token_vocab *vocab, const json_t *processor, struct error *err)
{
    uint32_t cls, sep;
    enum status status = check_id(vocab, json_array_get(json_object_get(processor, "cls"), 1), &cls, err);
    if (status == STATUS_OK)
        status = check_id(vocab, json_array_get(json_object_get(processor, "sep"), 1), &sep, err);
    if (status != STATUS_OK)
        return error_prefix(err, status, "post_processor: cls or sep: ");
    struct token_template_item a = {TOKEN_SLOT_FIRST, 0, 0}, b = {TOKEN_SLOT_SECOND, 0, 1};
    struct token_template_item begin = {TOKEN_SLOT_ID, cls, 0}, end_a = {TOKEN_SLOT_ID, sep, 0};
    struct token_template_item end_b = {TOKEN_SLOT_ID, sep, 1};
    vocab->single = (struct token_template){3, 2, {begin, a, end_a}};
    vocab->pair = (struct token_template){5, 3, {begin, a, end_a, b, end_b}};
    return STATUS_OK;
}

enum status token_template_read(struct token_vocab *vocab, const json_t *post_processor, struct error *err)
{
    const char *kind = base_json_kind(post_processor);
    if (!post_processor || json_is_null(post_processor)) {
        vocab->single = (struct token_template){1, 0, {{TOKEN_SLOT_FIRST, 0, 0}}};
        vocab->pair = (struct token_template){2, 0, {{TOKEN_SLOT_FIRST, 0, 0}, {TOKEN_SLOT_SECOND, 0, 1}}};
        return STATUS_OK;
    }
    if (json_is_object(post_processor) && strcmp(kind, "BertProcessing") == 0)
        return read_bert(vocab, post_processor, err);
    if (!json_is_object(post_processor) || strcmp(kind, "TemplateProcessing") != 0)
        return error_set(err, STATUS_UNSUPPORTED,
                         "\"post_processor\" is %s; only TemplateProcessing and BertProcessing are supported", kind);
    enum status status = read_items(vocab, &vocab->single, post_processor, "single", 1, err);
    if (status == STATUS_OK)
        status = read_items(vocab, &vocab->pair, post_processor, "pair", 2, err);
    return status;
}
