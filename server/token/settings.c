#include "server/token/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "server/token/vocab.h"

static enum status on_object(void *cookie, const void *data, size_t size, struct error *err)
{
    json_t **ret = cookie, *root;
    enum status status = base_json_parse(&root, data, size, err);
    if (status != STATUS_OK)
        return status;
    if (!json_is_object(root)) {
        json_decref(root);
        return error_set(err, STATUS_FORMAT, "not an object");
    }
    *ret = root;
    return STATUS_OK;
}

static enum status read_file(json_t **ret, const char *dir, const char *name, struct error *err)
{
    bool found;
    enum status status = base_json_file(dir, name, TOKEN_MAX_JSON, &found, on_object, ret, err);
    if (status != STATUS_OK || found)
        return status;
    *ret = json_object();
    return *ret ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "no memory for %s", name);
}

enum status token_settings_read(struct token_settings *settings, const char *model_dir, struct error *err)
{
    *settings = (struct token_settings){0};
    enum status status = read_file(&settings->tokenizer, model_dir, "tokenizer_config.json", err);
    if (status == STATUS_OK)
        status = read_file(&settings->special, model_dir, "special_tokens_map.json", err);
    if (status == STATUS_OK)
        status = read_file(&settings->added, model_dir, "added_tokens.json", err);
    if (status == STATUS_OK)
        status = read_file(&settings->model, model_dir, "config.json", err);
    return status;
}

void token_settings_finish(struct token_settings *settings)
{
    json_decref(settings->tokenizer);
    json_decref(settings->special);
    json_decref(settings->added);
    json_decref(settings->model);
    *settings = (struct token_settings){0};
}

/* Classes that are BERT's WordPiece under another name; each with Fast at its end, too. */
static const char *const bert_classes[] = {
    "BertTokenizer",      "DistilBertTokenizer",         "ElectraTokenizer",           "MobileBertTokenizer",
    "ConvBertTokenizer",  "SqueezeBertTokenizer",        "RetriBertTokenizer",         "LxmertTokenizer",
    "LayoutLMTokenizer",  "DPRQuestionEncoderTokenizer", "DPRContextEncoderTokenizer", "DPRReaderTokenizer",
    "BertTokenizerLegacy"};
/* Classes that read vocab.txt even where there is a tokenizer.json. */
static const char *const slow_classes[] = {"BertJapaneseTokenizer", "BertweetTokenizer", "RoCBertTokenizer"};

static bool is_listed(const char *const *names, size_t n, const char *name, bool may_be_fast)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(names[i]);
        if (strncmp(name, names[i], len) == 0 && (!name[len] || (may_be_fast && strcmp(name + len, "Fast") == 0)))
            return true;
    }
    return false;
}

/* What splits words before WordPiece in BertJapaneseTokenizer, whatever the class is called. */
static enum status check_splitter(const json_t *config, const char *field, const char *known, struct error *err)
{
    const char *type = known;
    enum status status = base_json_text(config, field, &type, err);
    if (status == STATUS_OK && strcmp(type, known) != 0)
        status = error_set(err, STATUS_UNSUPPORTED, "%s is \"%s\"; only \"%s\" is supported", field,
                           base_json_shown(type), known);
    return status;
}

enum status token_settings_check_class(const struct token_settings *settings, bool described, struct error *err)
{
    const char *name = NULL, *file = "config.json";
    enum status status = base_json_text(settings->model, "tokenizer_class", &name, err);
    if (status == STATUS_OK && json_is_string(json_object_get(settings->tokenizer, "tokenizer_class")))
        file = "tokenizer_config.json";
    if (status == STATUS_OK)
        status = base_json_text(settings->tokenizer, "tokenizer_class", &name, err);
    if (status != STATUS_OK)
        return error_prefix(err, status, "tokenizer_config.json or config.json: ");
    bool known = !name || (described ? !is_listed(slow_classes, sizeof slow_classes / sizeof *slow_classes, name, false)
                                     : is_listed(bert_classes, sizeof bert_classes / sizeof *bert_classes, name, true));
    if (!known)
        return error_set(err, STATUS_UNSUPPORTED,
                         "%s: tokenizer_class is \"%s\"; only BERT's WordPiece (BertTokenizer) is supported", file,
                         base_json_shown(name));
    status = check_splitter(settings->tokenizer, "word_tokenizer_type", "basic", err);
    if (status == STATUS_OK)
        status = check_splitter(settings->tokenizer, "subword_tokenizer_type", "wordpiece", err);
    return status == STATUS_OK ? status : error_prefix(err, status, "tokenizer_config.json: ");
}

/* A token may stand as its text or as an object with its flags. */
static const char *text_of(const json_t *token)
{
    return json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
}

/* As transformers: where added_tokens_decoder is there, the older files are not read. */
static bool is_legacy(const struct token_settings *settings)
{
    return !json_is_object(json_object_get(settings->tokenizer, "added_tokens_decoder"));
}

static const json_t *setting(const struct token_settings *settings, const char *field)
{
    const json_t *value = is_legacy(settings) ? json_object_get(settings->special, field) : NULL;
    return value && !json_is_null(value) ? value : json_object_get(settings->tokenizer, field);
}

const char *token_settings_special(const struct token_settings *settings, const char *field, const char *otherwise)
{
    const char *text = text_of(setting(settings, field));
    return text ? text : otherwise;
}

static enum status append(json_t *added, json_t *token, struct error *err)
{
    return token && json_array_append_new(added, token) == 0
               ? STATUS_OK
               : error_set(err, STATUS_NO_MEMORY, "no memory for the added tokens");
}

/* A copy with what is in it, or NULL: json_copy does not tell of all that it could not copy. */
static json_t *copy_special(const json_t *token, bool special)
{
    json_t *copy = json_object();
    bool ok = copy && json_object_update(copy, (json_t *)token) == 0 &&
              (!special || json_object_set_new(copy, "special", json_true()) == 0);
    if (ok)
        return copy;
    json_decref(copy);
    return NULL;
}

/* A special token that stands as text or as an object. */
static enum status append_special(json_t *added, const json_t *token, struct error *err)
{
    if (!text_of(token))
        return error_set(err, STATUS_FORMAT, "an added token is %s, neither its text nor an object with it",
                         base_json_kind(token));
    json_t *copy =
        json_is_object(token) ? copy_special(token, true) : json_pack("{s:O, s:b}", "content", token, "special", 1);
    return append(added, copy, err);
}

static const struct {
    const char *field, *otherwise;
} named[] = {
    {"bos_token", NULL},    {"eos_token", NULL},    {"unk_token", "[UNK]"},   {"sep_token", "[SEP]"},
    {"pad_token", "[PAD]"}, {"cls_token", "[CLS]"}, {"mask_token", "[MASK]"},
};
enum { N_NAMED = sizeof named / sizeof *named };

/* The name changed between versions. */
static const json_t *more_special(const struct token_settings *settings)
{
    const json_t *tokens = setting(settings, "extra_special_tokens");
    bool empty = json_array_size(tokens) == 0 && json_object_size(tokens) == 0;
    return empty ? setting(settings, "additional_special_tokens") : tokens;
}

static bool put_name(json_t *names, const char *text)
{
    return !text || json_object_set_new(names, text, json_true()) == 0;
}

/* The texts of all special tokens, as the keys of an object; NULL where memory ran out. */
static json_t *special_names(const struct token_settings *settings)
{
    const json_t *more = more_special(settings);
    json_t *names = json_object(), *token;
    const char *key;
    bool ok = names != NULL;
    size_t i;
    for (int n = 0; n < N_NAMED; n++)
        ok = ok && put_name(names, token_settings_special(settings, named[n].field, named[n].otherwise));
    json_array_foreach(more, i, token)
    {
        ok = ok && put_name(names, text_of(token));
    }
    json_object_foreach((json_t *)more, key, token)
    {
        ok = ok && put_name(names, text_of(token));
    }
    if (ok)
        return names;
    json_decref(names);
    return NULL;
}

/* An added token with the id that its file gives it: only their order counts. */
struct numbered {
    long long id;
    const char *text;
    const json_t *token; /* an object with flags, or NULL */
};

static int by_id(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* added_tokens_decoder: {"100": {"content": "[UNK]", ..}}. */
static enum status list_decoder(const json_t *decoder, struct numbered *list, struct error *err)
{
    const char *key;
    json_t *token;
    size_t n = 0;
    json_object_foreach((json_t *)decoder, key, token)
    {
        char *end;
        list[n] = (struct numbered){strtoll(key, &end, 10), text_of(token), token};
        if (*end || end == key || !json_is_object(token) || !list[n].text)
            return error_set(err, STATUS_FORMAT, "added_tokens_decoder: \"%s\" is not the id of a token",
                             base_json_shown(key));
        n++;
    }
    return STATUS_OK;
}

/* added_tokens.json: {"[ENT]": 30522}. */
static enum status list_added(const json_t *added, struct numbered *list, struct error *err)
{
    const char *text;
    json_t *id;
    size_t n = 0;
    json_object_foreach((json_t *)added, text, id)
    {
        if (!json_is_integer(id))
            return error_set(err, STATUS_FORMAT, "added_tokens.json: \"%s\" is %s, not an id", base_json_shown(text),
                             base_json_kind(id));
        list[n++] = (struct numbered){json_integer_value(id), text, NULL};
    }
    return STATUS_OK;
}

static json_t *describe(const json_t *special, const struct numbered *item)
{
    bool is_special = json_object_get(special, item->text) != NULL;
    return item->token ? copy_special(item->token, is_special)
                       : json_pack("{s:s, s:b}", "content", item->text, "special", is_special);
}

static enum status add_numbered(const struct token_settings *settings, json_t *added, struct error *err)
{
    bool legacy = is_legacy(settings);
    const json_t *from = legacy ? settings->added : json_object_get(settings->tokenizer, "added_tokens_decoder");
    size_t n = json_object_size(from);
    struct numbered *list = mem_alloc((n + 1) * sizeof *list);
    json_t *special = special_names(settings);
    enum status status;
    if (!list || !special)
        status = error_set(err, STATUS_NO_MEMORY, "no memory for %zu added tokens", n);
    else
        status = legacy ? list_added(from, list, err) : list_decoder(from, list, err);
    if (status == STATUS_OK)
        qsort(list, n, sizeof *list, by_id);
    for (size_t i = 0; i < n && status == STATUS_OK; i++)
        status = append(added, describe(special, &list[i]), err);
    json_decref(special);
    mem_free(list);
    return status;
}

enum status token_settings_add_tokens(const struct token_settings *settings, const json_t *entries, json_t *added,
                                      struct error *err)
{
    enum status status = add_numbered(settings, added, err);
    for (int i = 0; i < N_NAMED && status == STATUS_OK; i++) {
        const json_t *token = setting(settings, named[i].field);
        const char *text = token_settings_special(settings, named[i].field, named[i].otherwise);
        if (!text || !json_object_get(entries, text))
            continue;
        status = text_of(token) ? append_special(added, token, err)
                                : append(added, json_pack("{s:s, s:b}", "content", text, "special", 1), err);
    }
    const json_t *more = more_special(settings);
    const char *key;
    json_t *token;
    size_t i;
    json_object_foreach((json_t *)more, key, token)
    {
        if (status == STATUS_OK)
            status = append_special(added, token, err);
    }
    json_array_foreach(more, i, token)
    {
        if (status == STATUS_OK)
            status = append_special(added, token, err);
    }
    return status;
}
