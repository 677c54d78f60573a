/* A tokenizer from a model directory. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "server/token/vocab.h"

/* Map dir/name if it is there; otherwise `ret->data` stays NULL. `path` is for messages. */
static enum status map_if_there(struct file_map *ret, char path[PATH_MAX], const char *dir, const char *name,
                                struct error *err)
{
    int n = snprintf(path, PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= PATH_MAX)
        return error_set(err, STATUS_IO, "the path of the model directory is longer than %d bytes", PATH_MAX);
    if (access(path, F_OK) != 0)
        return STATUS_OK;
    enum status status = file_map(ret, path, err);
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

/* A token's text in tokenizer_config.json, where it may stand in an object. */
static const char *special_text(const json_t *config, const char *field, const char *otherwise)
{
    const json_t *value = json_object_get(config, field);
    const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
    return text ? text : otherwise;
}

/* The special tokens that the vocabulary has, as added_tokens. */
static json_t *added_tokens(const json_t *config, const json_t *entries)
{
    static const char *const names[][2] = {{"pad_token", "[PAD]"},
                                           {"unk_token", "[UNK]"},
                                           {"cls_token", "[CLS]"},
                                           {"sep_token", "[SEP]"},
                                           {"mask_token", "[MASK]"}};
    json_t *tokens = json_array();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = special_text(config, names[i][0], names[i][1]);
        if (json_object_get(entries, text) &&
            json_array_append_new(tokens, json_pack("{s:s, s:b}", "content", text, "special", 1)) != 0) {
            json_decref(tokens);
            return NULL;
        }
    }
    return tokens;
}

/* What tokenizer.json would say of this vocabulary. */
static enum status describe(json_t **ret, json_t *entries, const json_t *config, struct error *err)
{
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
    const char *cls = special_text(config, "cls_token", "[CLS]"), *sep = special_text(config, "sep_token", "[SEP]");
    const json_t *cls_id = json_object_get(entries, cls), *sep_id = json_object_get(entries, sep);
    if (!cls_id || !sep_id)
        return error_set(err, STATUS_FORMAT, "\"%s\" is not in vocab.txt", base_json_shown(cls_id ? sep : cls));
    json_t *root =
        json_pack("{s:{s:s, s:b, s:b, s:b, s:b}, s:{s:s}, s:{s:s, s:s, s:s, s:i, s:O}, s:o, s:{s:s, s:[sI], s:[sI]}, "
                  "s:{s:s, s:s, s:b}}",
                  "normalizer", "type", "BertNormalizer", "clean_text", 1, "handle_chinese_chars", cjk, "strip_accents",
                  strip, "lowercase", lower, "pre_tokenizer", "type", "BertPreTokenizer", "model", "type", "WordPiece",
                  "unk_token", special_text(config, "unk_token", "[UNK]"), "continuing_subword_prefix", "##",
                  "max_input_chars_per_word", 100, "vocab", entries, "added_tokens", added_tokens(config, entries),
                  "post_processor", "type", "BertProcessing", "cls", cls, json_integer_value(cls_id), "sep", sep,
                  json_integer_value(sep_id), "decoder", "type", "WordPiece", "prefix", "##", "cleanup", 1);
    if (!root)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the tokenizer's description");
    *ret = root;
    return STATUS_OK;
}

static enum status read_config(json_t **ret, const char *dir, struct error *err)
{
    char path[PATH_MAX];
    struct file_map map = {0};
    enum status status = map_if_there(&map, path, dir, "tokenizer_config.json", err);
    if (status != STATUS_OK)
        return status;
    if (!map.data) {
        *ret = json_object();
        return *ret ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "no memory for %s", path);
    }
    status = base_json_parse(ret, (const char *)map.data, map.size, err);
    file_unmap(&map);
    return status == STATUS_OK ? status : error_prefix(err, status, "%s: ", path);
}

static enum status load_text(struct token_vocab **ret, const struct file_map *map, const char *dir, struct error *err)
{
    json_t *config = NULL, *root = NULL, *entries = json_object();
    enum status status = entries ? read_config(&config, dir, err) : error_set(err, STATUS_NO_MEMORY, "no memory");
    if (status == STATUS_OK)
        status = add_lines(entries, map->data, map->size, err);
    if (status == STATUS_OK)
        status = describe(&root, entries, config, err);
    if (status == STATUS_OK)
        status = token_vocab_create(ret, root, err);
    json_decref(root);
    json_decref(entries);
    json_decref(config);
    return status;
}

enum status token_vocab_load(struct token_vocab **ret, const char *model_dir, struct error *err)
{
    char path[PATH_MAX];
    struct file_map map = {0};
    enum status status = map_if_there(&map, path, model_dir, "tokenizer.json", err);
    if (status != STATUS_OK)
        return status;
    if (map.data) {
        status = token_vocab_parse(ret, (const char *)map.data, map.size, err);
    } else {
        status = map_if_there(&map, path, model_dir, "vocab.txt", err);
        if (status != STATUS_OK)
            return status;
        if (!map.data)
            return error_set(err, STATUS_IO, "%s: neither tokenizer.json nor vocab.txt is there", model_dir);
        status = load_text(ret, &map, model_dir, err);
    }
    file_unmap(&map);
    return status == STATUS_OK ? status : error_prefix(err, status, "%s: ", path);
}
