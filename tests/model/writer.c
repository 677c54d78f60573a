#include "tests/model/writer.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

struct tensor_list {
    struct writer_tensor *items;
    size_t n;
    const struct writer_model *model;
};

struct writer_model writer_default(void)
{
    return (struct writer_model){
        .shape = {.hidden = 16,
                  .layers = 3,
                  .heads = 2,
                  .intermediate = 24,
                  .vocab = 20,
                  .positions = 8,
                  .types = 2,
                  .activation = IMAGE_GELU,
                  .layer_norm_eps = 1e-12f},
        .dtype = "F32",
        .prefix = "",
    };
}

char *writer_directory(void)
{
    const char *parent = getenv("TMPDIR");
    char name[512];
    snprintf(name, sizeof name, "%s/bertd-model-XXXXXX", parent ? parent : "/tmp");
    cr_assert(mkdtemp(name), "no temporary directory at %s", name);
    return strdup(name);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

void writer_remove(char *dir)
{
    nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(dir);
}

void writer_file(const char *dir, const char *name, const void *data, size_t size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0700); /* may be there */
    *slash = '/';
    FILE *file = fopen(path, "wb");
    cr_assert(file, "cannot write %s", path);
    cr_assert_eq(fwrite(data, 1, size, file), size);
    cr_assert_eq(fclose(file), 0);
}

void writer_text(const char *dir, const char *name, const char *text)
{
    writer_file(dir, name, text, strlen(text));
}

static void put_header(struct buf *file, const char *header, size_t len)
{
    uint64_t size = len;
    buf_append(file, &size, sizeof size);
    buf_append(file, header, len);
}

void writer_safetensors(const char *dir, const char *name, const char *header, size_t data_size)
{
    struct buf file = {0};
    put_header(&file, header, strlen(header));
    memset(buf_reserve(&file, data_size + 1), 0, data_size);
    file.len += data_size;
    writer_file(dir, name, file.data, file.len);
    buf_finish(&file);
}

static void add(struct tensor_list *list, const char *name, uint32_t rows, uint32_t columns)
{
    list->items = realloc(list->items, (list->n + 1) * sizeof *list->items);
    struct writer_tensor *tensor = &list->items[list->n++];
    *tensor = (struct writer_tensor){.rows = rows, .columns = columns};
    snprintf(tensor->name, sizeof tensor->name, "%s%s", list->model->prefix, name);
    snprintf(tensor->dtype, sizeof tensor->dtype, "%s", list->model->dtype);
    size_t count = (size_t)rows * (columns ? columns : 1);
    tensor->values = calloc(count + 1, sizeof *tensor->values);
    uint32_t state = (uint32_t)list->n * 2654435761u;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        tensor->values[i] = ((int)(state >> 24) - 128) / 128.0f;
    }
}

static void add_pair(struct tensor_list *list, const char *name, uint32_t rows, uint32_t columns)
{
    bool legacy = !columns && list->model->legacy_norms;
    char full[128];
    snprintf(full, sizeof full, "%s.%s", name, legacy ? "gamma" : "weight");
    add(list, full, rows, columns);
    snprintf(full, sizeof full, "%s.%s", name, legacy ? "beta" : "bias");
    add(list, full, rows, 0);
}

static void add_layer(struct tensor_list *list, uint32_t index)
{
    uint32_t h = list->model->shape.hidden, m = list->model->shape.intermediate;
    const struct {
        const char *name;
        uint32_t rows, columns;
    } parts[] = {
        {"attention.self.query", h, h},   {"attention.self.key", h, h},         {"attention.self.value", h, h},
        {"attention.output.dense", h, h}, {"attention.output.LayerNorm", h, 0}, {"intermediate.dense", m, h},
        {"output.dense", h, m},           {"output.LayerNorm", h, 0},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char name[96];
        snprintf(name, sizeof name, "encoder.layer.%u.%s", index, parts[i].name);
        add_pair(list, name, parts[i].rows, parts[i].columns);
    }
}

static void add_all(struct tensor_list *list)
{
    const struct image_shape *shape = &list->model->shape;
    add(list, "embeddings.word_embeddings.weight", shape->vocab, shape->hidden);
    add(list, "embeddings.position_embeddings.weight", shape->positions, shape->hidden);
    add(list, "embeddings.token_type_embeddings.weight", shape->types, shape->hidden);
    add_pair(list, "embeddings.LayerNorm", shape->hidden, 0);
    for (uint32_t i = 0; i < shape->layers; i++)
        add_layer(list, i);
    if (!list->model->extra_tensors)
        return;
    add(list, "embeddings.position_ids", 1, shape->positions);
    snprintf(list->items[list->n - 1].dtype, sizeof list->items->dtype, "U32");
    add_pair(list, "pooler.dense", shape->hidden, shape->hidden);
    add(list, "cls.predictions.bias", shape->vocab, 0);
    add(list, "cls.predictions.decoder.weight", shape->vocab, shape->hidden);
    snprintf(list->items[list->n - 1].dtype, sizeof list->items->dtype, "F4"); /* of no interest, so any may be */
}

static bool is_narrow(const struct writer_tensor *tensor)
{
    return strcmp(tensor->dtype, "F16") == 0 || strcmp(tensor->dtype, "BF16") == 0;
}

static size_t tensor_size(const struct writer_tensor *tensor)
{
    size_t count = (size_t)tensor->rows * (tensor->columns ? tensor->columns : 1);
    return count * (is_narrow(tensor) ? 2 : 4);
}

/* Normal numbers only: what the values are. */
static uint16_t half_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value == 0)
        return 0;
    return (uint16_t)((bits >> 16 & 0x8000) | ((bits >> 23 & 0xFF) - 127 + 15) << 10 | (bits >> 13 & 0x3FF));
}

static uint16_t narrow(float value, const char *dtype)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return strcmp(dtype, "BF16") == 0 ? (uint16_t)(bits >> 16) : half_of(value);
}

static void put_values(struct buf *file, const struct writer_tensor *tensor)
{
    size_t size = tensor_size(tensor);
    unsigned char *out = (unsigned char *)buf_reserve(file, size);
    memset(out, 0, size);
    file->len += size;
    if (strcmp(tensor->dtype, "F32") == 0)
        memcpy(out, tensor->values, size);
    if (!is_narrow(tensor))
        return;
    for (size_t i = 0; i < size / 2; i++) {
        uint16_t value = narrow(tensor->values[i], tensor->dtype);
        memcpy(out + 2 * i, &value, sizeof value);
    }
}

static bool in_shard(const struct tensor_list *list, size_t index, uint32_t shard)
{
    return !list->items[index].skip && (list->model->shards == 0 || index % list->model->shards == shard);
}

static void write_shard(const char *dir, const char *name, const struct tensor_list *list, uint32_t shard)
{
    struct buf header = {0}, file = {0};
    size_t offset = 0;
    buf_puts(&header, "{\"__metadata__\": {\"format\": \"pt\"}");
    for (size_t i = 0; i < list->n; i++) {
        const struct writer_tensor *tensor = &list->items[i];
        if (!in_shard(list, i, shard))
            continue;
        buf_printf(&header, ", \"%s\": {\"dtype\": \"%s\", \"shape\": [%u", tensor->name, tensor->dtype, tensor->rows);
        if (tensor->columns)
            buf_printf(&header, ", %u", tensor->columns);
        buf_printf(&header, "], \"data_offsets\": [%zu, %zu]}", offset, offset + tensor_size(tensor));
        offset += tensor_size(tensor);
    }
    buf_puts(&header, "}");
    while (header.len % 8 != list->model->misalign)
        buf_puts(&header, " ");
    put_header(&file, header.data, header.len);
    for (size_t i = 0; i < list->n; i++) {
        if (in_shard(list, i, shard))
            put_values(&file, &list->items[i]);
    }
    writer_file(dir, name, file.data, file.len);
    buf_finish(&header);
    buf_finish(&file);
}

static void write_shards(const char *dir, const struct tensor_list *list)
{
    struct buf index = {0};
    buf_puts(&index, "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {");
    for (size_t i = 0; i < list->n; i++)
        buf_printf(&index, "%s\"%s\": \"shard-%zu.safetensors\"", i ? ", " : "", list->items[i].name,
                   i % list->model->shards);
    buf_puts(&index, "}}");
    writer_file(dir, "model.safetensors.index.json", index.data, index.len);
    buf_finish(&index);
    for (uint32_t shard = 0; shard < list->model->shards; shard++) {
        char name[64];
        snprintf(name, sizeof name, "shard-%u.safetensors", shard);
        write_shard(dir, name, list, shard);
    }
}

void writer_weights(const char *dir, const struct writer_model *model)
{
    struct tensor_list list = {.model = model};
    add_all(&list);
    for (size_t i = 0; i < list.n && model->edit; i++)
        model->edit(&list.items[i], model->cookie);
    if (model->shards)
        write_shards(dir, &list);
    else
        write_shard(dir, "model.safetensors", &list, 0);
    for (size_t i = 0; i < list.n; i++)
        free(list.items[i].values);
    free(list.items);
}

void writer_config(const char *dir, const struct writer_model *model)
{
    const struct image_shape *shape = &model->shape;
    struct buf text = {0};
    buf_printf(
        &text,
        "{\"model_type\": \"bert\", \"hidden_size\": %u, \"num_hidden_layers\": %u, \"num_attention_heads\": %u, "
        "\"intermediate_size\": %u, \"vocab_size\": %u, \"max_position_embeddings\": %u, "
        "\"type_vocab_size\": %u, \"hidden_act\": \"gelu\", \"layer_norm_eps\": %g}",
        shape->hidden, shape->layers, shape->heads, shape->intermediate, shape->vocab, shape->positions, shape->types,
        (double)shape->layer_norm_eps);
    writer_file(dir, "config.json", text.data, text.len);
    buf_finish(&text);
}
