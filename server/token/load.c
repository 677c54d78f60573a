/* A tokenizer from a model directory. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "server/token/settings.h"
#include "server/token/vocab.h"

/* Map dir/name if it is there; otherwise `ret->data` stays NULL. `path` is for messages. */
static enum status map_if_there(struct file_map *ret, char path[FILE_MAX_PATH], const char *dir, const char *name,
                                struct error *err)
{
    enum status status = file_path(path, dir, name, err);
    if (status != STATUS_OK)
        return status;
    if (access(path, F_OK) != 0)
        return STATUS_OK;
    status = file_map(ret, path, err);
    if (status == STATUS_OK && ret->size == 0)
        return error_set(err, STATUS_FORMAT, "%s: the file is empty", path);
    if (status == STATUS_OK && ret->size > TOKEN_MAX_JSON) {
        status = error_set(err, STATUS_UNSUPPORTED, "%s: %zu bytes; the limit is %d", path, ret->size, TOKEN_MAX_JSON);
        file_unmap(ret);
    }
    return status;
}

/* One line of vocab.txt: an entry, whose id is the line's number from 0. */
static enum status add_line(json_t *entries, const uint8_t *line, size_t len, size_t number, struct error *err)
{
    if (memchr(line, '\0', len) || utf8_valid((const char *)line, len) < len)
        return error_set(err, STATUS_FORMAT, "line %zu is not UTF-8, or holds NUL", number + 1);
    json_t *text = json_stringn((const char *)line, len);
    /* Of equal lines the last gives the id. */
    int failed = !text || json_object_set_new(entries, json_string_value(text), json_integer((json_int_t)number)) != 0;
    json_decref(text);
    return failed ? error_set(err, STATUS_NO_MEMORY, "no memory for line %zu", number + 1) : STATUS_OK;
}

/* Lines end as Python reads them: \n, \r\n or \r. */
static enum status add_lines(json_t *entries, const uint8_t *text, size_t size, struct error *err)
{
    size_t number = 0;
    for (size_t at = 0; at < size; number++) {
        size_t end = at;
        while (end < size && text[end] != '\n' && text[end] != '\r')
            end++;
        enum status status = add_line(entries, text + at, end - at, number, err);
        if (status != STATUS_OK)
            return status;
        bool crlf = end + 1 < size && text[end] == '\r' && text[end + 1] == '\n';
        at = end + 1 + crlf;
    }
    return STATUS_OK;
}

/* What tokenizer.json would say of this vocabulary. */
static enum status describe(json_t **ret, json_t *entries, const struct token_settings *settings, struct error *err)
{
    const json_t *config = settings->tokenizer;
    bool lower = true, cjk = true, basic = true;
    enum status status = base_json_flag(config, "do_lower_case", &lower, err);
    bool strip = lower;
    if (status == STATUS_OK)
        status = base_json_flag(config, "strip_accents", &strip, err);
    if (status == STATUS_OK)
        status = base_json_flag(config, "tokenize_chinese_chars", &cjk, err);
    if (status == STATUS_OK)
        status = base_json_flag(config, "do_basic_tokenize", &basic, err);
    if (status != STATUS_OK)
        return status;
    if (!basic)
        return error_set(err, STATUS_UNSUPPORTED, "do_basic_tokenize is false; only true is supported");
    const char *cls = token_settings_special(settings, "cls_token", "[CLS]");
    const char *sep = token_settings_special(settings, "sep_token", "[SEP]");
    const char *unk = token_settings_special(settings, "unk_token", "[UNK]");
    const json_t *cls_id = json_object_get(entries, cls), *sep_id = json_object_get(entries, sep);
    if (!cls_id || !sep_id)
        return error_set(err, STATUS_FORMAT, "\"%s\" is not in vocab.txt", base_json_shown(cls_id ? sep : cls));
    json_t *root = json_pack(
        "{s:{s:s, s:b, s:b, s:b, s:b}, s:{s:s}, s:{s:s, s:s, s:s, s:i, s:O}, s:[], s:{s:s, s:[sI], s:[sI]}, "
        "s:{s:s, s:s, s:b}}",
        "normalizer", "type", "BertNormalizer", "clean_text", 1, "handle_chinese_chars", cjk, "strip_accents", strip,
        "lowercase", lower, "pre_tokenizer", "type", "BertPreTokenizer", "model", "type", "WordPiece", "unk_token", unk,
        "continuing_subword_prefix", "##", "max_input_chars_per_word", 100, "vocab", entries, "added_tokens",
        "post_processor", "type", "BertProcessing", "cls", cls, json_integer_value(cls_id), "sep", sep,
        json_integer_value(sep_id), "decoder", "type", "WordPiece", "prefix", "##", "cleanup", 1);
    if (!root)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the tokenizer's description");
    *ret = root;
    return STATUS_OK;
}

static enum status describe_text(json_t **ret, const struct file_map *map, const struct token_settings *settings,
                                 struct error *err)
{
    json_t *entries = json_object();
    enum status status = entries ? add_lines(entries, map->data, map->size, err)
                                 : error_set(err, STATUS_NO_MEMORY, "no memory for the vocabulary");
    if (status == STATUS_OK)
        status = describe(ret, entries, settings, err);
    json_decref(entries);
    return status;
}

/* The added tokens of the other files behind those of tokenizer.json itself, which go before them where they are the
 * same. */
static enum status complete(json_t *root, const struct token_settings *settings, struct error *err)
{
    json_t *added = json_object_get(root, "added_tokens");
    if (!added || json_is_null(added)) {
        added = json_array();
        if (json_object_set_new(root, "added_tokens", added) != 0)
            return json_is_object(root) ? error_set(err, STATUS_NO_MEMORY, "no memory for the added tokens")
                                        : STATUS_OK;
    }
    const json_t *entries = json_object_get(json_object_get(root, "model"), "vocab");
    return json_is_array(added) ? token_settings_add_tokens(settings, entries, added, err) : STATUS_OK;
}

/* tokenizer_config.json may say something else than tokenizer.json. */
static void note_difference(struct token_vocab *vocab, const struct token_settings *settings)
{
    const struct {
        const char *field;
        bool counts;
    } rows[] = {
        {"do_lower_case", vocab->switches.lowercase},
        {"strip_accents", vocab->switches.strip_accents},
        {"tokenize_chinese_chars", vocab->switches.handle_chinese_chars},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const json_t *value = json_object_get(settings->tokenizer, rows[i].field);
        if (!json_is_boolean(value) || json_is_true(value) == rows[i].counts)
            continue;
        snprintf(vocab->note, sizeof vocab->note, "tokenizer_config.json has %s %s, tokenizer.json %s, which counts",
                 rows[i].field, rows[i].counts ? "false" : "true", rows[i].counts ? "true" : "false");
        return;
    }
}

static enum status load(struct token_vocab **ret, const struct file_map *map, bool described,
                        const struct token_settings *settings, struct error *err)
{
    json_t *root = NULL;
    enum status status =
        described ? base_json_parse(&root, map->data, map->size, err) : describe_text(&root, map, settings, err);
    if (status == STATUS_OK)
        status = complete(root, settings, err);
    if (status == STATUS_OK)
        status = token_vocab_create(ret, root, err);
    if (status == STATUS_OK && described)
        note_difference(*ret, settings);
    json_decref(root);
    return status;
}

static enum status find_and_load(struct token_vocab **ret, const char *model_dir, const struct token_settings *settings,
                                 struct error *err)
{
    char path[FILE_MAX_PATH];
    struct file_map map = {0};
    enum status status = map_if_there(&map, path, model_dir, "tokenizer.json", err);
    bool described = map.data != NULL;
    if (status == STATUS_OK && !described)
        status = map_if_there(&map, path, model_dir, "vocab.txt", err);
    if (status != STATUS_OK)
        return status;
    if (!map.data)
        return error_set(err, STATUS_IO, "%s: neither tokenizer.json nor vocab.txt is there", model_dir);
    status = token_settings_check_class(settings, described, err);
    if (status != STATUS_OK) {
        error_prefix(err, status, "%s/", model_dir);
    } else {
        status = load(ret, &map, described, settings, err);
        if (status != STATUS_OK)
            error_prefix(err, status, "%s: ", path);
    }
    file_unmap(&map);
    return status;
}

enum status token_vocab_load(struct token_vocab **ret, const char *model_dir, struct error *err)
{
    struct token_settings settings;
    enum status status = token_settings_read(&settings, model_dir, err);
    if (status == STATUS_OK)
        status = find_and_load(ret, model_dir, &settings, err);
    token_settings_finish(&settings);
    return status;
}
