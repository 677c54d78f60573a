#include "server/model/pooling.h"

#include <string.h>

#include "base/json.h"

struct mode_row {
    const char *name;
    const char *flag; /* of the versions that had one a mode */
    int pooling;      /* enum model_pooling; -1: not supported */
};

static const struct mode_row modes[] = {
    {"cls", "pooling_mode_cls_token", MODEL_POOL_CLS},
    {"mean", "pooling_mode_mean_tokens", MODEL_POOL_MEAN},
    {"max", "pooling_mode_max_tokens", MODEL_POOL_MAX},
    {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", -1},
    {"weightedmean", "pooling_mode_weightedmean_tokens", -1},
    {"lasttoken", "pooling_mode_lasttoken", -1},
};

static enum status read_flags(const json_t *root, enum model_pooling *ret, struct error *err)
{
    const struct mode_row *chosen = NULL;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        bool on = false;
        enum status status = base_json_flag(root, modes[i].flag, &on, err);
        if (status != STATUS_OK)
            return status;
        if (!on)
            continue;
        if (chosen)
            return error_set(err, STATUS_UNSUPPORTED, "%s and %s are both set; one mode at a time is supported",
                             chosen->flag, modes[i].flag);
        if (modes[i].pooling < 0)
            return error_set(err, STATUS_UNSUPPORTED, "%s is set; cls, mean and max pooling are supported",
                             modes[i].flag);
        chosen = &modes[i];
    }
    *ret = chosen ? (enum model_pooling)chosen->pooling : MODEL_POOL_MEAN;
    return STATUS_OK;
}

static enum status read_word(const json_t *value, enum model_pooling *ret, struct error *err)
{
    if (json_array_size(value) > 1)
        return error_set(err, STATUS_UNSUPPORTED, "pooling_mode names %zu modes; one mode at a time is supported",
                         json_array_size(value));
    const char *word = json_string_value(json_is_array(value) ? json_array_get(value, 0) : value);
    if (!word)
        return error_set(err, STATUS_FORMAT, "pooling_mode is neither a mode's name nor an array of one");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(word, modes[i].name) == 0 && modes[i].pooling >= 0) {
            *ret = (enum model_pooling)modes[i].pooling;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_UNSUPPORTED, "pooling_mode is \"%s\"; cls, mean and max pooling are supported",
                     base_json_shown(word));
}

static enum status check_width(const json_t *root, const char *field, uint32_t hidden, struct error *err)
{
    const json_t *width = json_object_get(root, field);
    if (width && (!json_is_integer(width) || json_integer_value(width) != (json_int_t)hidden))
        return error_set(err, STATUS_FORMAT, "%s is not config.json's hidden_size, %u", field, hidden);
    return STATUS_OK;
}

static enum status read_pooling(const json_t *root, uint32_t hidden, struct model_pooling_config *ret,
                                struct error *err)
{
    if (!json_is_object(root))
        return error_set(err, STATUS_FORMAT, "not an object");
    enum status status = check_width(root, "word_embedding_dimension", hidden, err);
    if (status == STATUS_OK)
        status = check_width(root, "embedding_dimension", hidden, err);
    if (status == STATUS_OK)
        status = base_json_flag(root, "include_prompt", &ret->include_prompt, err);
    const json_t *mode = json_object_get(root, "pooling_mode");
    if (status != STATUS_OK)
        return status;
    return mode && !json_is_null(mode) ? read_word(mode, &ret->pooling, err) : read_flags(root, &ret->pooling, err);
}

enum status model_pooling_parse(struct model_pooling_config *ret, uint32_t hidden, const void *data, size_t size,
                                struct error *err)
{
    json_t *root;
    enum status status = base_json_parse(&root, data, size, err);
    if (status != STATUS_OK)
        return status;
    struct model_pooling_config config = {.include_prompt = true};
    status = read_pooling(root, hidden, &config, err);
    json_decref(root);
    if (status == STATUS_OK)
        *ret = config;
    return status;
}

enum status model_include_prompt_parse(bool *ret, const void *data, size_t size, struct error *err)
{
    json_t *root;
    enum status status = base_json_parse(&root, data, size, err);
    if (status != STATUS_OK)
        return status;
    bool include = true;
    status = base_json_flag(root, "include_prompt", &include, err);
    json_decref(root);
    if (status == STATUS_OK)
        *ret = include;
    return status;
}
