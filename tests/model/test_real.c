/* The real all-MiniLM-L6-v2. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "server/model/model.h"
#include "server/model/safetensors.h"
#include "tests/model/real.h"

static struct model_info info_of(const char *dir)
{
    struct model_info info;
    struct error err;
    cr_assert_eq(model_read_info(&info, dir, false, &err), STATUS_OK, "%s", err.message);
    return info;
}

static struct image *load(const char *dir, enum image_precision precision)
{
    struct model_info info = info_of(dir);
    struct image *image;
    struct error err;
    cr_assert_eq(model_load_image(&image, dir, &info, precision, NULL, &err), STATUS_OK, "%s", err.message);
    return image;
}

Test(real, info)
{
    struct model_info info = info_of(real_model());
    cr_assert_eq(info.shape.hidden, 384);
    cr_assert_eq(info.shape.layers, 6);
    cr_assert_eq(info.shape.heads, 12);
    cr_assert_eq(info.shape.intermediate, 1536);
    cr_assert_eq(info.shape.vocab, 30522);
    cr_assert_eq(info.shape.positions, 512);
    cr_assert_eq(info.shape.types, 2);
    cr_assert_eq(info.shape.activation, IMAGE_GELU);
    cr_assert(info.pooling_known && info.normalize && info.pooling == MODEL_POOL_MEAN);
    cr_assert_eq(info.max_seq_length, 256);
    cr_assert_str_eq(info.checkpoint_dtype, "F32");
}

static void expect_tensor(const struct model_safetensors *tensors, const char *name, const float *values)
{
    const struct model_tensor *tensor = model_safetensors_find(tensors, name);
    cr_assert(tensor, "%s", name);
    cr_assert(memcmp(tensor->data, values, tensor->size) == 0, "%s differs from the file", name);
}

Test(real, the_binary32_image_holds_the_files_values)
{
    const char *dir = real_model();
    char path[1100];
    struct file_map map;
    struct model_safetensors *tensors;
    struct error err;
    struct image *image = load(dir, IMAGE_FP32);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    cr_assert_eq(file_map(&map, path, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(model_safetensors_parse(&tensors, map.data, map.size, &err), STATUS_OK, "%s", err.message);
    expect_tensor(tensors, "embeddings.word_embeddings.weight", image->word_embeddings);
    expect_tensor(tensors, "embeddings.position_embeddings.weight", image->position_embeddings);
    expect_tensor(tensors, "embeddings.token_type_embeddings.weight", image->type_embeddings);
    expect_tensor(tensors, "embeddings.LayerNorm.bias", image->embedding_norm.beta);
    expect_tensor(tensors, "encoder.layer.5.output.LayerNorm.weight", image->layers[5].output_norm.gamma);
    expect_tensor(tensors, "encoder.layer.3.attention.output.dense.weight", image->layers[3].output.weights_f32);
    expect_tensor(tensors, "encoder.layer.0.intermediate.dense.weight", image->layers[0].ffn1.weights_f32);
    expect_tensor(tensors, "encoder.layer.5.output.dense.weight", image->layers[5].ffn2.weights_f32);
    expect_tensor(tensors, "encoder.layer.5.output.dense.bias", image->layers[5].ffn2.bias);
    expect_tensor(tensors, "encoder.layer.2.attention.self.value.weight",
                  image->layers[2].qkv.weights_f32 + (size_t)image_qkv_offset(image, 2) * 384);
    model_safetensors_destroy(&tensors);
    file_unmap(&map);
    image_release(&image);
}

Test(real, two_loads_give_the_same_image)
{
    const char *dir = real_model();
    struct image *a = load(dir, IMAGE_INT8), *b = load(dir, IMAGE_INT8);
    cr_assert_eq(a->checksum, b->checksum);
    cr_assert(image_verify(a));
    image_release(&a);
    image_release(&b);
}

Test(real, nothing_stays_mapped)
{
    struct image *image = load(real_model(), IMAGE_INT8);
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[1200];
    while (fgets(line, sizeof line, maps))
        cr_assert(!strstr(line, ".safetensors"), "%s", line);
    fclose(maps);
    image_release(&image);
}
