/* Whole directories of small random models, written by writer.c: every form a checkpoint may have gives the same
 * image, and a damaged one an error that names the file and the tensor. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/model/model.h"
#include "tests/model/writer.h"

static enum status load(const char *dir, enum image_precision precision, struct image **ret, struct error *err)
{
    struct model_info info;
    enum status status = model_read_info(&info, dir, false, err);
    return status == STATUS_OK ? model_load_image(ret, dir, &info, precision, NULL, err) : status;
}

static uint64_t checksum_of(const struct writer_model *model, enum image_precision precision)
{
    char *dir = writer_directory();
    struct image *image = NULL;
    struct error err;
    writer_config(dir, model);
    writer_weights(dir, model);
    cr_assert_eq(load(dir, precision, &image, &err), STATUS_OK, "%s", err.message);
    uint64_t checksum = image->checksum;
    image_release(&image);
    writer_remove(dir);
    return checksum;
}

Test(checkpoint, every_form_gives_the_same_image)
{
    static const char *const dtypes[] = {"F32", "F16", "BF16"};
    for (int precision = IMAGE_INT8; precision <= IMAGE_FP32; precision++) {
        struct writer_model plain = writer_default();
        uint64_t expected = checksum_of(&plain, precision);
        for (uint32_t form = 0; form < 3 * 2 * 2 * 2 * 3; form++) {
            struct writer_model model = plain;
            model.dtype = dtypes[form % 3];
            model.prefix = form / 3 % 2 ? "bert." : "";
            model.legacy_norms = form / 6 % 2;
            model.extra_tensors = form / 12 % 2;
            model.shards = form / 24 == 0 ? 0 : form / 24 == 1 ? 1 : 3;
            model.misalign = form % 8;
            cr_assert_eq(checksum_of(&model, precision), expected, "form %u", form);
        }
    }
}

static void mix_dtypes(struct writer_tensor *tensor, void *cookie)
{
    static const char *const dtypes[] = {"F32", "F16", "BF16"};
    unsigned *n = cookie;
    snprintf(tensor->dtype, sizeof tensor->dtype, "%s", dtypes[(*n)++ % 3]);
}

/* Each layer may have its own mix: what was in place in one is converted in the next. */
Test(checkpoint, dtypes_may_be_mixed)
{
    struct writer_model plain = writer_default(), mixed = plain;
    unsigned n = 0;
    mixed.edit = mix_dtypes;
    mixed.cookie = &n;
    cr_assert_eq(checksum_of(&mixed, IMAGE_FP32), checksum_of(&plain, IMAGE_FP32));
}

Test(checkpoint, the_image_holds_the_values)
{
    struct writer_model model = writer_default();
    char *dir = writer_directory();
    struct model_info info;
    struct image *image;
    struct error err;
    model.dtype = "BF16";
    writer_config(dir, &model);
    writer_weights(dir, &model);
    cr_assert_eq(model_read_info(&info, dir, false, &err), STATUS_OK, "%s", err.message);
    cr_assert_str_eq(info.checkpoint_dtype, "BF16");
    cr_assert_eq(model_load_image(&image, dir, &info, IMAGE_FP32, NULL, &err), STATUS_OK, "%s", err.message);
    uint32_t state = 2654435761u; /* the writer's first tensor: the words */
    for (size_t i = 0; i < (size_t)model.shape.vocab * model.shape.hidden; i++) {
        state = state * 1664525u + 1013904223u;
        cr_assert_eq(image->word_embeddings[i], ((int)(state >> 24) - 128) / 128.0f, "element %zu", i);
    }
    image_release(&image);
    writer_remove(dir);
}

/* One tensor, by name, made wrong in one way. */
struct damage {
    const char *tensor;
    const char *dtype;  /* set to this */
    const char *rename; /* set to this */
    uint32_t rows, columns;
    float value; /* set the first element to this */
    bool skip;
    enum status status;
    const char *message;
};

static void damage_tensor(struct writer_tensor *tensor, void *cookie)
{
    const struct damage *damage = cookie;
    if (strcmp(tensor->name, damage->tensor) != 0)
        return;
    tensor->skip = damage->skip;
    if (damage->dtype)
        snprintf(tensor->dtype, sizeof tensor->dtype, "%s", damage->dtype);
    if (damage->rename)
        snprintf(tensor->name, sizeof tensor->name, "%s", damage->rename);
    if (damage->rows) {
        tensor->rows = damage->rows;
        tensor->columns = damage->columns;
    }
    if (damage->value != 0)
        tensor->values[0] = damage->value;
}

#define QUERY "encoder.layer.1.attention.self.query.weight"
#define WORDS "embeddings.word_embeddings.weight"
#define NORM  "encoder.layer.2.output.LayerNorm.weight"

static const struct damage damages[] = {
    {.tensor = QUERY, .skip = true, .status = STATUS_FORMAT, .message = "tensor " QUERY " is missing"},
    {.tensor = WORDS, .skip = true, .status = STATUS_FORMAT, .message = "tensor " WORDS " is missing"},
    {.tensor = NORM, .skip = true, .status = STATUS_FORMAT, .message = "tensor " NORM " is missing"},
    {.tensor = QUERY, .rename = "bert." QUERY, .status = STATUS_FORMAT, .message = "tensor " QUERY " is missing"},
    {.tensor = QUERY,
     .rename = "encoder.layer.1.attention.self.key.weight",
     .status = STATUS_FORMAT,
     .message = "tensor encoder.layer.1.attention.self.key.weight: is there twice"},
    {.tensor = QUERY, .dtype = "I32", .status = STATUS_UNSUPPORTED, .message = "tensor " QUERY ": dtype I32"},
    {.tensor = QUERY, .dtype = "X32", .status = STATUS_UNSUPPORTED, .message = "tensor " QUERY ": dtype X32"},
    {.tensor = QUERY,
     .rows = 8,
     .columns = 32,
     .status = STATUS_FORMAT,
     .message = "tensor " QUERY ": shape [8, 32]; config.json asks for [16, 16]"},
    {.tensor = QUERY,
     .rows = 256,
     .status = STATUS_FORMAT,
     .message = "tensor " QUERY ": shape [256]; config.json asks"},
    {.tensor = WORDS,
     .rows = 10,
     .columns = 16,
     .status = STATUS_FORMAT,
     .message = "tensor " WORDS ": shape [10, 16]; config.json asks for [20, 16]"},
    {.tensor = NORM,
     .rows = 4,
     .columns = 4,
     .status = STATUS_FORMAT,
     .message = "tensor " NORM ": shape [4, 4]; config.json asks for [16]"},
    {.tensor = QUERY, .value = NAN, .status = STATUS_FORMAT, .message = QUERY},
    {.tensor = NORM, .value = INFINITY, .status = STATUS_FORMAT, .message = NORM},
    {.tensor = WORDS, .value = -INFINITY, .status = STATUS_FORMAT, .message = WORDS},
};

static void expect_error(const char *dir, enum status expected, const char *file, const char *message)
{
    struct image *image = NULL;
    struct error err = {0};
    enum status status = load(dir, IMAGE_INT8, &image, &err);
    cr_expect_eq(status, expected, "%s: %s: %s", message, status_name(status), err.message);
    cr_expect(strstr(err.message, message), "\"%s\" lacks \"%s\"", err.message, message);
    cr_expect(strstr(err.message, file), "\"%s\" lacks \"%s\"", err.message, file);
    cr_expect_null(image);
}

Test(checkpoint, damaged_tensors_are_named)
{
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct writer_model model = writer_default();
        char *dir = writer_directory();
        model.edit = damage_tensor;
        model.cookie = (void *)&damages[i];
        writer_config(dir, &model);
        writer_weights(dir, &model);
        expect_error(dir, damages[i].status, "/model.safetensors: ", damages[i].message);
        writer_remove(dir);
    }
}

Test(checkpoint, a_model_for_another_config_is_refused)
{
    struct writer_model model = writer_default();
    char *dir = writer_directory();
    writer_weights(dir, &model);
    model.shape.layers = 4;
    writer_config(dir, &model);
    expect_error(dir, STATUS_FORMAT,
                 "/model.safetensors: ", "tensor encoder.layer.3.attention.self.query.weight is missing");
    model.shape.layers = 3;
    model.shape.intermediate = 25;
    writer_config(dir, &model);
    expect_error(dir, STATUS_FORMAT, "/model.safetensors: ",
                 "tensor encoder.layer.0.intermediate.dense.weight: shape [24, 16]; config.json asks for [25, 16]");
    writer_remove(dir);
}

Test(checkpoint, absent_and_empty_files)
{
    struct writer_model model = writer_default();
    char *dir = writer_directory();
    expect_error(dir, STATUS_IO, "/config.json: ", "No such file");
    writer_config(dir, &model);
    expect_error(dir, STATUS_IO, "/model.safetensors: ", "model.safetensors.index.json");
    writer_file(dir, "model.safetensors", "", 0);
    expect_error(dir, STATUS_FORMAT, "/model.safetensors: ", "0 bytes are too few");
    writer_file(dir, "model.safetensors", "\0\0\0\0\1\0\0\0{}", 10);
    expect_error(dir, STATUS_FORMAT, "/model.safetensors: ", "a header of 4294967296 bytes; the limit is");
    writer_safetensors(dir, "model.safetensors", "{}", 0);
    expect_error(dir, STATUS_FORMAT, "/model.safetensors: ", "tensor " WORDS " is missing");
    writer_file(dir, "config.json", "", 0);
    expect_error(dir, STATUS_FORMAT, "/config.json: ", "line 1");
    writer_remove(dir);
    expect_error("/nowhere", STATUS_IO, "/nowhere/config.json: ", "No such file");
}

Test(checkpoint, a_json_file_over_the_limit_is_not_parsed)
{
    char *dir = writer_directory(), *spaces = mem_calloc(1, (4 << 20) + 1);
    memset(spaces, ' ', (4 << 20) + 1);
    writer_file(dir, "config.json", spaces, (4 << 20) + 1);
    expect_error(dir, STATUS_FORMAT, "/config.json: ", "4194305 bytes; the limit is 4194304");
    mem_free(spaces);
    writer_remove(dir);
}

struct bad_index {
    const char *text;
    enum status status;
    const char *file;
    const char *message;
};

#define INDEX "model.safetensors.index.json: "

static const struct bad_index bad_indices[] = {
    {"[]", STATUS_FORMAT, INDEX, "weight_map is not an object"},
    {"{}", STATUS_FORMAT, INDEX, "weight_map is not an object"},
    {"{\"weight_map\": []}", STATUS_FORMAT, INDEX, "weight_map is not an object"},
    {"{\"weight_map\": {}}", STATUS_FORMAT, INDEX, "weight_map is not an object with tensors"},
    {"{\"weight_map\": {\"t.a\": 1}}", STATUS_FORMAT, INDEX, "t.a: the shard is not a file of the model"},
    {"{\"weight_map\": {\"t.a\": \"../shard-0.safetensors\"}}", STATUS_FORMAT, INDEX, "t.a: the shard is not a file"},
    {"{\"weight_map\": {\"t.a\": \"/etc/passwd\"}}", STATUS_FORMAT, INDEX, "t.a: the shard is not a file"},
    {"{\"weight_map\": {\"t.a\": \"..\"}}", STATUS_FORMAT, INDEX, "t.a: the shard is not a file"},
    {"{\"weight_map\": {\"t.a\": \"\"}}", STATUS_FORMAT, INDEX, "t.a: the shard is not a file"},
    {"{\"weight_map\": {\"t.a\": \"x\", \"t.a\": \"x\"}}", STATUS_FORMAT, INDEX, "duplicate"},
    {"{\"weight_map\": {\"t.a\": \"absent.safetensors\"}}", STATUS_IO, "/absent.safetensors: ", "No such file"},
    {"{\"weight_map\": {\"t.a\": \"config.json\"}}", STATUS_FORMAT, "/config.json: ", "a header of"},
    {"{\"weight_map\": {\"t.a\": \"shard-0.safetensors\"}}", STATUS_FORMAT, INDEX, "tensor " WORDS " is missing"},
    {"{\"weight_map\": {\"" WORDS "\": \"shard-1.safetensors\"}}", STATUS_FORMAT,
     "/shard-1.safetensors: ", "tensor " WORDS " is missing"},
};

Test(checkpoint, bad_indices_are_named)
{
    for (size_t i = 0; i < sizeof bad_indices / sizeof *bad_indices; i++) {
        struct writer_model model = writer_default();
        char *dir = writer_directory();
        model.shards = 2;
        writer_config(dir, &model);
        writer_weights(dir, &model);
        writer_text(dir, "model.safetensors.index.json", bad_indices[i].text);
        expect_error(dir, bad_indices[i].status, bad_indices[i].file, bad_indices[i].message);
        writer_remove(dir);
    }
}

Test(checkpoint, too_many_shards)
{
    struct writer_model model = writer_default();
    char *dir = writer_directory(), text[40000], name[32];
    size_t at = (size_t)snprintf(text, sizeof text, "{\"weight_map\": {");
    for (int i = 0; i <= 256; i++) {
        snprintf(name, sizeof name, "s%d", i);
        writer_safetensors(dir, name, "{}", 0);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s\"t%d\": \"s%d\"", i ? ", " : "", i, i);
    }
    snprintf(text + at, sizeof text - at, "}}");
    writer_config(dir, &model);
    writer_text(dir, "model.safetensors.index.json", text);
    expect_error(dir, STATUS_UNSUPPORTED, INDEX, "more than 256 shards");
    writer_remove(dir);
}

/* Cut anywhere, the file is refused (and never read past its end). */
Test(checkpoint, truncated_files)
{
    struct writer_model model = writer_default();
    char *dir = writer_directory(), path[512], *bytes = mem_alloc(1 << 20);
    writer_config(dir, &model);
    writer_weights(dir, &model);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    FILE *file = fopen(path, "rb");
    size_t size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    for (size_t cut = 0; cut < size; cut += size / 50) {
        writer_file(dir, "model.safetensors", bytes, cut);
        expect_error(dir, STATUS_FORMAT, "/model.safetensors: ", "");
    }
    mem_free(bytes);
    writer_remove(dir);
}

Test(checkpoint, each_allocation_may_fail)
{
    struct writer_model model = writer_default();
    char *dir = writer_directory();
    struct model_info info;
    struct error err;
    model.dtype = "F16";
    model.shards = 2;
    writer_config(dir, &model);
    writer_weights(dir, &model);
    cr_assert_eq(model_read_info(&info, dir, false, &err), STATUS_OK, "%s", err.message);
    for (int precision = IMAGE_INT8; precision <= IMAGE_FP32; precision++) {
        struct image *image = NULL;
        long n = 0;
        for (;; n++) {
            mem_fail_after(n);
            enum status status = model_load_image(&image, dir, &info, (enum image_precision)precision, NULL, &err);
            mem_fail_after(-1);
            if (status == STATUS_OK)
                break;
            cr_assert_eq(status, STATUS_NO_MEMORY, "%ld: %s", n, err.message);
            cr_assert_null(image);
        }
        cr_assert_geq(n, 25, "only %ld allocations", n);
        image_release(&image);
    }
    for (long n = 0;; n++) {
        struct model_info other = {.max_seq_length = 77};
        mem_fail_after(n);
        enum status status = model_read_info(&other, dir, false, &err);
        mem_fail_after(-1);
        if (status == STATUS_OK)
            break;
        cr_assert_eq(status, STATUS_NO_MEMORY, "%ld: %s", n, err.message);
        cr_assert_eq(other.max_seq_length, 77);
    }
    writer_remove(dir);
}
