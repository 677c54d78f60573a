#include "server/model/checkpoint.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "server/model/config.h"
#include "server/model/convert.h"

static const char single_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";

struct shard {
    char *path; /* owned */
    const char *name;
    struct file_map map;
    struct model_safetensors *tensors;
};

struct model_checkpoint {
    const char *model_dir;
    json_t *weight_map; /* tensor -> shard's file name; NULL where there is one file */
    struct shard shards[MODEL_MAX_SHARDS];
    size_t n_shards;
    const char *prefix;
    char index_path[FILE_MAX_PATH];
};

static void close_shard(struct shard *shard)
{
    model_safetensors_destroy(&shard->tensors);
    file_unmap(&shard->map);
    mem_free(shard->path);
}

static enum status open_shard(struct shard *ret, const char *model_dir, const char *name, struct error *err)
{
    char path[FILE_MAX_PATH];
    enum status status = file_path(path, model_dir, name, err);
    if (status != STATUS_OK)
        return status;
    struct shard shard = {.path = mem_strdup(path)};
    if (!shard.path)
        return error_set(err, STATUS_NO_MEMORY, "%s: no memory to open it", path);
    shard.name = shard.path + strlen(model_dir) + 1;
    status = file_map(&shard.map, path, err);
    if (status == STATUS_OK) {
        status = model_safetensors_parse(&shard.tensors, shard.map.data, shard.map.size, err);
        if (status != STATUS_OK)
            error_prefix(err, status, "%s: ", path);
    }
    if (status != STATUS_OK) {
        close_shard(&shard);
        return status;
    }
    *ret = shard;
    return STATUS_OK;
}

static const struct shard *find_shard(const struct model_checkpoint *checkpoint, const char *name)
{
    for (size_t i = 0; i < checkpoint->n_shards; i++) {
        if (strcmp(checkpoint->shards[i].name, name) == 0)
            return &checkpoint->shards[i];
    }
    return NULL;
}

static enum status add_shard(struct model_checkpoint *checkpoint, const char *name, struct error *err)
{
    if (checkpoint->n_shards == MODEL_MAX_SHARDS)
        return error_set(err, STATUS_UNSUPPORTED, "%s: more than %d shards", checkpoint->index_path, MODEL_MAX_SHARDS);
    enum status status = open_shard(&checkpoint->shards[checkpoint->n_shards], checkpoint->model_dir, name, err);
    if (status == STATUS_OK)
        checkpoint->n_shards++;
    return status;
}

static enum status read_index(void *cookie, const void *data, size_t size, struct error *err)
{
    struct model_checkpoint *checkpoint = cookie;
    json_t *root;
    enum status status = base_json_parse(&root, data, size, err);
    if (status != STATUS_OK)
        return status;
    json_t *map = json_object_get(root, "weight_map");
    const char *name;
    json_t *file;
    if (!json_is_object(map) || json_object_size(map) == 0)
        status = error_set(err, STATUS_FORMAT, "weight_map is not an object with tensors");
    json_object_foreach(map, name, file)
    {
        if (json_is_string(file) && file_name_is_plain(json_string_value(file)))
            continue;
        status = error_set(err, STATUS_FORMAT, "weight_map: %s: the shard is not a file of the model directory",
                           base_json_shown(name));
        break;
    }
    if (status == STATUS_OK)
        checkpoint->weight_map = json_incref(map);
    json_decref(root);
    return status;
}

static enum status open_files(struct model_checkpoint *checkpoint, struct error *err)
{
    char path[FILE_MAX_PATH];
    enum status status = file_path(path, checkpoint->model_dir, single_name, err);
    if (status == STATUS_OK)
        status = file_path(checkpoint->index_path, checkpoint->model_dir, index_name, err);
    if (status != STATUS_OK)
        return status;
    /* As transformers: the single file wins. */
    if (access(path, F_OK) == 0)
        return add_shard(checkpoint, single_name, err);
    bool found;
    status = base_json_file(checkpoint->model_dir, index_name, MODEL_MAX_JSON, &found, read_index, checkpoint, err);
    if (status != STATUS_OK)
        return status;
    if (!found)
        return error_set(err, STATUS_IO, "%s: neither this file nor %s is there (only safetensors are read)", path,
                         index_name);
    const char *name;
    json_t *file;
    json_object_foreach(checkpoint->weight_map, name, file)
    {
        if (find_shard(checkpoint, json_string_value(file)))
            continue;
        status = add_shard(checkpoint, json_string_value(file), err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* The shard that has (or, by the index, should have) the tensor; NULL where the index does not know it. */
static const struct shard *shard_of(const struct model_checkpoint *checkpoint, const char *name)
{
    if (!checkpoint->weight_map)
        return &checkpoint->shards[0];
    const char *file = json_string_value(json_object_get(checkpoint->weight_map, name));
    return file ? find_shard(checkpoint, file) : NULL;
}

static void choose_prefix(struct model_checkpoint *checkpoint)
{
    static const char words[] = "bert.embeddings.word_embeddings.weight";
    const struct shard *shard = shard_of(checkpoint, words);
    checkpoint->prefix = shard && model_safetensors_find(shard->tensors, words) ? "bert." : "";
}

enum status model_checkpoint_open(struct model_checkpoint **ret, const char *model_dir, struct error *err)
{
    struct model_checkpoint *checkpoint = mem_calloc(1, sizeof *checkpoint);
    if (!checkpoint)
        return error_set(err, STATUS_NO_MEMORY, "%s: no memory to open the model", model_dir);
    checkpoint->model_dir = model_dir;
    enum status status = open_files(checkpoint, err);
    if (status != STATUS_OK) {
        model_checkpoint_close(&checkpoint);
        return status;
    }
    choose_prefix(checkpoint);
    *ret = checkpoint;
    return STATUS_OK;
}

void model_checkpoint_close(struct model_checkpoint **checkpoint)
{
    if (!*checkpoint)
        return;
    for (size_t i = 0; i < (*checkpoint)->n_shards; i++)
        close_shard(&(*checkpoint)->shards[i]);
    json_decref((*checkpoint)->weight_map);
    mem_free(*checkpoint);
    *checkpoint = NULL;
}

const char *model_checkpoint_file(const struct model_checkpoint *checkpoint)
{
    return checkpoint->weight_map ? checkpoint->index_path : checkpoint->shards[0].path;
}

static const struct model_tensor *lookup(const struct model_checkpoint *checkpoint, const char *full_name,
                                         const struct shard **ret_shard)
{
    const struct shard *shard = shard_of(checkpoint, full_name);
    *ret_shard = shard;
    return shard ? model_safetensors_find(shard->tensors, full_name) : NULL;
}

/* LayerNorm.weight -> LayerNorm.gamma; false for other names. */
static bool legacy_name(char *ret, size_t size, const char *name)
{
    static const char *const renamed[][2] = {{"LayerNorm.weight", "gamma"}, {"LayerNorm.bias", "beta"}};
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(name), tail = strlen(renamed[i][0]);
        if (len < tail || strcmp(name + len - tail, renamed[i][0]) != 0)
            continue;
        snprintf(ret, size, "%.*sLayerNorm.%s", (int)(len - tail), name, renamed[i][1]);
        return true;
    }
    return false;
}

static enum status check_tensor(const char *file, const struct model_tensor *tensor, uint32_t rows, uint32_t columns,
                                struct error *err)
{
    if (!model_convertible(tensor->dtype))
        return error_set(err, STATUS_UNSUPPORTED, "%s: tensor %.*s: dtype %.*s; F32, F16 and BF16 are supported", file,
                         (int)tensor->name_len, tensor->name, (int)tensor->dtype_name_len, tensor->dtype_name);
    uint32_t rank = columns ? 2 : 1;
    if (tensor->rank == rank && tensor->shape[0] == rows && (rank == 1 || tensor->shape[1] == columns))
        return STATUS_OK;
    char shape[MODEL_MAX_RANK * 24] = "", expected[48];
    for (uint32_t i = 0, at = 0; i < tensor->rank; i++)
        at += (uint32_t)snprintf(shape + at, sizeof shape - at, "%s%llu", i ? ", " : "",
                                 (unsigned long long)tensor->shape[i]);
    if (columns)
        snprintf(expected, sizeof expected, "%u, %u", rows, columns);
    else
        snprintf(expected, sizeof expected, "%u", rows);
    return error_set(err, STATUS_FORMAT, "%s: tensor %.*s: shape [%s]; config.json asks for [%s]", file,
                     (int)tensor->name_len, tensor->name, shape, expected);
}

enum status model_checkpoint_find(const struct model_checkpoint *checkpoint, const char *name, uint32_t rows,
                                  uint32_t columns, const struct model_tensor **ret, struct error *err)
{
    char full[MODEL_MAX_NAME], legacy[MODEL_MAX_NAME];
    snprintf(full, sizeof full, "%s%s", checkpoint->prefix, name);
    const struct shard *shard, *other;
    const struct model_tensor *tensor = lookup(checkpoint, full, &shard);
    if (!tensor && legacy_name(legacy, sizeof legacy, full)) {
        tensor = lookup(checkpoint, legacy, &other);
        shard = other ? other : shard;
    }
    const char *file = shard ? shard->path : model_checkpoint_file(checkpoint);
    if (!tensor)
        return error_set(err, STATUS_FORMAT, "%s: tensor %s is missing", file, full);
    enum status status = check_tensor(file, tensor, rows, columns, err);
    if (status == STATUS_OK)
        *ret = tensor;
    return status;
}

void model_checkpoint_drop(const struct model_tensor *tensor)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = ((uintptr_t)tensor->data + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)tensor->data + tensor->size) / page * page;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_DONTNEED);
}
