#include "server/model/sentence.h"

#include <stdio.h>
#include <string.h>

#include "server/model/json.h"

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
                         model_json_shown(name));
    if (index == 0 && path[0] != '\0')
        return error_set(err, STATUS_UNSUPPORTED,
                         "module 0 (Transformer) is in the folder \"%s\"; it must be in the model directory itself",
                         model_json_shown(path));
    if (index == 1 && (!model_name_is_plain(path) || strlen(path) >= MODEL_MAX_MODULE_PATH))
        return error_set(err, STATUS_FORMAT, "module 1 (Pooling): path \"%s\" is not a folder of the model directory",
                         model_json_shown(path));
    return STATUS_OK;
}

static enum status read_modules(const json_t *root, struct model_modules *ret, struct error *err)
{
    if (!json_is_array(root) || json_array_size(root) == 0)
        return error_set(err, STATUS_FORMAT, "not an array of modules");
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *module = json_array_get(root, i);
        const char *type = NULL, *path = NULL;
        enum status status = model_json_text(module, "type", &type, err);
        if (status == STATUS_OK)
            status = model_json_text(module, "path", &path, err);
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
    enum status status = model_json_parse(&root, data, size, err);
    if (status != STATUS_OK)
        return status;
    struct model_modules modules = {0};
    status = read_modules(root, &modules, err);
    json_decref(root);
    if (status == STATUS_OK)
        *ret = modules;
    return status;
}

struct mode_row {
    const char *field;
    int pooling; /* enum model_pooling; -1: not supported */
};

static const struct mode_row modes[] = {
    {"pooling_mode_cls_token", MODEL_POOL_CLS},  {"pooling_mode_mean_tokens", MODEL_POOL_MEAN},
    {"pooling_mode_max_tokens", MODEL_POOL_MAX}, {"pooling_mode_mean_sqrt_len_tokens", -1},
    {"pooling_mode_weightedmean_tokens", -1},    {"pooling_mode_lasttoken", -1},
};

static enum status read_pooling_mode(const json_t *root, enum model_pooling *ret, struct error *err)
{
    const struct mode_row *chosen = NULL;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        bool on = false;
        enum status status = model_json_flag(root, modes[i].field, &on, err);
        if (status != STATUS_OK)
            return status;
        if (!on)
            continue;
        if (chosen)
            return error_set(err, STATUS_UNSUPPORTED, "%s and %s are both set; one mode at a time is supported",
                             chosen->field, modes[i].field);
        if (modes[i].pooling < 0)
            return error_set(err, STATUS_UNSUPPORTED, "%s is set; cls, mean and max pooling are supported",
                             modes[i].field);
        chosen = &modes[i];
    }
    if (!chosen)
        return error_set(err, STATUS_FORMAT,
                         "none of pooling_mode_cls_token, pooling_mode_mean_tokens and pooling_mode_max_tokens is set");
    *ret = (enum model_pooling)chosen->pooling;
    return STATUS_OK;
}

static enum status read_pooling(const json_t *root, uint32_t hidden, enum model_pooling *ret, struct error *err)
{
    if (!json_is_object(root))
        return error_set(err, STATUS_FORMAT, "not an object");
    const json_t *width = json_object_get(root, "word_embedding_dimension");
    if (width && (!json_is_integer(width) || json_integer_value(width) != (json_int_t)hidden))
        return error_set(err, STATUS_FORMAT, "word_embedding_dimension is not config.json's hidden_size, %u", hidden);
    return read_pooling_mode(root, ret, err);
}

enum status model_pooling_parse(enum model_pooling *ret, uint32_t hidden, const void *data, size_t size,
                                struct error *err)
{
    json_t *root;
    enum status status = model_json_parse(&root, data, size, err);
    if (status != STATUS_OK)
        return status;
    status = read_pooling(root, hidden, ret, err);
    json_decref(root);
    return status;
}

enum status model_sequence_parse(uint32_t *ret, const void *data, size_t size, struct error *err)
{
    json_t *root;
    enum status status = model_json_parse(&root, data, size, err);
    if (status != STATUS_OK)
        return status;
    const json_t *value = json_object_get(root, "max_seq_length");
    uint32_t length = 0;
    if (!json_is_object(root))
        status = error_set(err, STATUS_FORMAT, "not an object");
    else if (value && !json_is_null(value))
        status = model_json_count(root, "max_seq_length", INT32_MAX, &length, err);
    json_decref(root);
    if (status == STATUS_OK)
        *ret = length;
    return status;
}

static enum status on_modules(void *cookie, const void *data, size_t size, struct error *err)
{
    return model_modules_parse(cookie, data, size, err);
}

static enum status on_pooling(void *cookie, const void *data, size_t size, struct error *err)
{
    struct model_info *info = cookie;
    return model_pooling_parse(&info->pooling, info->shape.hidden, data, size, err);
}

static enum status on_sequence(void *cookie, const void *data, size_t size, struct error *err)
{
    return model_sequence_parse(cookie, data, size, err);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

enum status model_sentence_read(struct model_info *info, const char *model_dir, struct error *err)
{
    struct model_info read = *info;
    struct model_modules modules = {.has_pooling = true, .pooling_path = "1_Pooling"};
    bool has_modules, has_sequence;
    enum status status = model_json_file(model_dir, "modules.json", &has_modules, on_modules, &modules, err);
    if (status != STATUS_OK)
        return status;
    read.pooling = MODEL_POOL_CLS;
    read.pooling_known = false;
    read.normalize = modules.normalize;
    if (modules.has_pooling) {
        char name[MODEL_MAX_MODULE_PATH + sizeof "/config.json"];
        snprintf(name, sizeof name, "%s/config.json", modules.pooling_path);
        status = model_json_file(model_dir, name, has_modules ? NULL : &read.pooling_known, on_pooling, &read, err);
        if (status != STATUS_OK)
            return status;
        read.pooling_known |= has_modules;
    }
    uint32_t length = 0;
    status = model_json_file(model_dir, "sentence_bert_config.json", &has_sequence, on_sequence, &length, err);
    if (status != STATUS_OK)
        return status;
    read.max_seq_length = least(read.shape.positions, IMAGE_MAX_SEQUENCE);
    if (length > 0)
        read.max_seq_length = least(read.max_seq_length, length);
    *info = read;
    return STATUS_OK;
}
