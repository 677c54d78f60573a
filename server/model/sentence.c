#include "server/model/sentence.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "server/model/config.h"
#include "server/model/pooling.h"

/* What module i may be; Pooling and Normalize may each be the last. */
static const char *const module_order[] = {"Transformer", "Pooling", "Normalize"};

/* sentence-transformers has moved its classes between packages; the last part of the name stayed. */
static const char *class_name(const char *type)
{
    const char *dot = strrchr(type, '.');
    return dot ? dot + 1 : type;
}

static enum status check_module(size_t index, const char *type, const char *path, struct error *err)
{
    const char *name = class_name(type);
    if (index >= sizeof module_order / sizeof *module_order || strcmp(name, module_order[index]) != 0)
        return error_set(err, STATUS_UNSUPPORTED,
                         "module %zu is %s; supported are Transformer, then Pooling, then Normalize", index,
                         base_json_shown(name));
    if (index == 0 && path[0] != '\0')
        return error_set(err, STATUS_UNSUPPORTED,
                         "module 0 (Transformer) is in the folder \"%s\"; it must be in the model directory itself",
                         base_json_shown(path));
    if (index == 1 && (!file_name_is_plain(path) || strlen(path) >= MODEL_MAX_MODULE_PATH))
        return error_set(err, STATUS_FORMAT, "module 1 (Pooling): path \"%s\" is not a folder of the model directory",
                         base_json_shown(path));
    return STATUS_OK;
}

static enum status read_modules(const json_t *root, struct model_modules *ret, struct error *err)
{
    if (!json_is_array(root) || json_array_size(root) == 0)
        return error_set(err, STATUS_FORMAT, "not an array of modules");
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *module = json_array_get(root, i);
        const char *type = NULL, *path = NULL;
        enum status status = base_json_text(module, "type", &type, err);
        if (status == STATUS_OK)
            status = base_json_text(module, "path", &path, err);
        if (status == STATUS_OK && (!type || !path))
            status = error_set(err, STATUS_FORMAT, "%s is missing", type ? "path" : "type");
        if (status != STATUS_OK)
            return error_prefix(err, status, "module %zu: ", i);
        status = check_module(i, type, path, err);
        if (status != STATUS_OK)
            return status;
        if (i == 1)
            snprintf(ret->pooling_path, sizeof ret->pooling_path, "%s", path);
    }
    ret->has_pooling = json_array_size(root) > 1;
    ret->normalize = json_array_size(root) > 2;
    return STATUS_OK;
}

enum status model_modules_parse(struct model_modules *ret, const void *data, size_t size, struct error *err)
{
    json_t *root;
    enum status status = base_json_parse(&root, data, size, err);
    if (status != STATUS_OK)
        return status;
    struct model_modules modules = {0};
    status = read_modules(root, &modules, err);
    json_decref(root);
    if (status == STATUS_OK)
        *ret = modules;
    return status;
}

/* A longest input in tokens; what no model has means that there is no limit. */
static enum status read_length(const json_t *object, const char *field, uint32_t *ret, struct error *err)
{
    const json_t *value = json_object_get(object, field);
    double length = json_number_value(value);
    if (!value || json_is_null(value))
        return STATUS_OK;
    if (!json_is_number(value) || length < 1 || length != floor(length))
        return error_set(err, STATUS_FORMAT, "\"%s\" is not a whole number of at least 1", field);
    *ret = length < MODEL_NO_LENGTH ? (uint32_t)length : MODEL_NO_LENGTH;
    return STATUS_OK;
}

/* sentence-transformers passes this object on to the tokenizer. */
static enum status read_tokenizer_arguments(const json_t *root, const char *field, uint32_t *length, struct error *err)
{
    const json_t *arguments = json_object_get(root, field);
    enum status status = *length ? STATUS_OK : read_length(arguments, "model_max_length", length, err);
    return status == STATUS_OK ? status : error_prefix(err, status, "%s: ", field);
}

static enum status read_sequence(const json_t *root, struct model_sequence *ret, struct error *err)
{
    const char *task = "feature-extraction";
    if (!json_is_object(root))
        return error_set(err, STATUS_FORMAT, "not an object");
    enum status status = base_json_text(root, "transformer_task", &task, err);
    if (status == STATUS_OK && strcmp(task, "feature-extraction") != 0)
        status =
            error_set(err, STATUS_UNSUPPORTED, "transformer_task is \"%s\"; only \"feature-extraction\" is supported",
                      base_json_shown(task));
    if (status == STATUS_OK)
        status = base_json_flag(root, "do_lower_case", &ret->lowercase, err);
    if (status == STATUS_OK)
        status = read_length(root, "max_seq_length", &ret->length, err);
    if (status == STATUS_OK)
        status = read_tokenizer_arguments(root, "processor_kwargs", &ret->length, err);
    if (status == STATUS_OK)
        status = read_tokenizer_arguments(root, "tokenizer_args", &ret->length, err);
    return status;
}

enum status model_sequence_parse(struct model_sequence *ret, const void *data, size_t size, struct error *err)
{
    json_t *root;
    enum status status = base_json_parse(&root, data, size, err);
    if (status != STATUS_OK)
        return status;
    struct model_sequence sequence = {0};
    status = read_sequence(root, &sequence, err);
    json_decref(root);
    if (status == STATUS_OK)
        *ret = sequence;
    return status;
}

/* What transformers takes for the longest input: its old name counts where the new one is absent. */
static enum status read_tokenizer_length(void *cookie, const void *data, size_t size, struct error *err)
{
    json_t *root;
    enum status status = base_json_parse(&root, data, size, err);
    if (status != STATUS_OK)
        return status;
    status = read_length(root, json_object_get(root, "model_max_length") ? "model_max_length" : "max_len", cookie, err);
    json_decref(root);
    return status;
}

static enum status read_prompts(const json_t *root, struct model_info *info, struct error *err)
{
    const char *name = NULL;
    enum status status = base_json_text(root, "default_prompt_name", &name, err);
    if (status != STATUS_OK || !name)
        return status;
    if (!json_object_get(json_object_get(root, "prompts"), name))
        return error_set(err, STATUS_FORMAT, "default_prompt_name \"%s\" is not among its prompts",
                         base_json_shown(name));
    if (strlen(name) >= sizeof info->default_prompt_name)
        return error_set(err, STATUS_UNSUPPORTED, "default_prompt_name has %zu bytes; the limit is %zu", strlen(name),
                         sizeof info->default_prompt_name - 1);
    snprintf(info->default_prompt_name, sizeof info->default_prompt_name, "%s", name);
    return STATUS_OK;
}

static enum status on_prompts(void *cookie, const void *data, size_t size, struct error *err)
{
    json_t *root;
    enum status status = base_json_parse(&root, data, size, err);
    if (status != STATUS_OK)
        return status;
    status = read_prompts(root, cookie, err);
    json_decref(root);
    return status;
}

static enum status on_modules(void *cookie, const void *data, size_t size, struct error *err)
{
    return model_modules_parse(cookie, data, size, err);
}

static enum status on_sequence(void *cookie, const void *data, size_t size, struct error *err)
{
    return model_sequence_parse(cookie, data, size, err);
}

struct pooling_file {
    struct model_pooling_config config;
    uint32_t hidden;
};

static enum status on_pooling(void *cookie, const void *data, size_t size, struct error *err)
{
    struct pooling_file *file = cookie;
    return model_pooling_parse(&file->config, file->hidden, data, size, err);
}

static enum status on_include_prompt(void *cookie, const void *data, size_t size, struct error *err)
{
    return model_include_prompt_parse(cookie, data, size, err);
}

/* Where the pooling is given, only include_prompt is wanted of the file, and nothing where the file is not as it should
 * be. */
static enum status read_pooling(struct model_info *info, const char *model_dir, const char *folder, bool must,
                                bool pooling_given, struct error *err)
{
    char name[MODEL_MAX_MODULE_PATH + sizeof "/config.json"];
    snprintf(name, sizeof name, "%s/config.json", folder);
    struct pooling_file file = {.config = {info->pooling, true}, .hidden = info->shape.hidden};
    bool found = true;
    if (pooling_given) {
        base_json_file(model_dir, name, MODEL_MAX_JSON, &found, on_include_prompt, &info->include_prompt, NULL);
        return STATUS_OK;
    }
    enum status status = base_json_file(model_dir, name, MODEL_MAX_JSON, must ? NULL : &found, on_pooling, &file, err);
    if (status != STATUS_OK)
        return status;
    info->pooling = file.config.pooling;
    info->include_prompt = file.config.include_prompt;
    info->pooling_known = found;
    return STATUS_OK;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static enum status read_longest(struct model_info *info, const char *model_dir, struct error *err)
{
    struct model_sequence sequence = {0};
    bool found;
    enum status status =
        base_json_file(model_dir, "sentence_bert_config.json", MODEL_MAX_JSON, &found, on_sequence, &sequence, err);
    if (status == STATUS_OK && sequence.length == 0)
        status = base_json_file(model_dir, "tokenizer_config.json", MODEL_MAX_TOKENIZER_JSON, &found,
                                read_tokenizer_length, &sequence.length, err);
    if (status != STATUS_OK)
        return status;
    info->lowercase = sequence.lowercase;
    info->max_seq_length = least(info->shape.positions, IMAGE_MAX_SEQUENCE);
    if (sequence.length > 0)
        info->max_seq_length = least(info->max_seq_length, sequence.length);
    return STATUS_OK;
}

enum status model_sentence_read(struct model_info *info, const char *model_dir, bool pooling_given, struct error *err)
{
    struct model_info read = *info;
    struct model_modules modules = {.has_pooling = true, .pooling_path = "1_Pooling"};
    bool has_modules, found;
    enum status status =
        base_json_file(model_dir, "modules.json", MODEL_MAX_JSON, &has_modules, on_modules, &modules, err);
    if (status != STATUS_OK)
        return status;
    read.pooling = MODEL_POOL_CLS;
    read.pooling_known = false;
    read.include_prompt = true;
    read.normalize = modules.normalize;
    if (modules.has_pooling)
        status = read_pooling(&read, model_dir, modules.pooling_path, has_modules, pooling_given, err);
    if (status == STATUS_OK)
        status = read_longest(&read, model_dir, err);
    if (status == STATUS_OK)
        status = base_json_file(model_dir, "config_sentence_transformers.json", MODEL_MAX_JSON, &found, on_prompts,
                                &read, err);
    if (status == STATUS_OK)
        *info = read;
    return status;
}
