/* The safetensors parser on any bytes: what it accepts is consistent, and is JSON to another parser too. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "server/model/safetensors.h"
#include "tests/fuzz/require.h"

static void check_tensor(const struct model_safetensors *tensors, size_t index, const uint8_t *data, size_t size)
{
    const struct model_tensor *tensor = model_safetensors_at(tensors, index);
    char name[MODEL_MAX_NAME + 1];
    REQUIRE(tensor->name_len <= MODEL_MAX_NAME && tensor->rank <= MODEL_MAX_RANK);
    memcpy(name, tensor->name, tensor->name_len);
    name[tensor->name_len] = '\0';
    REQUIRE(model_safetensors_find(tensors, name) == tensor);
    REQUIRE(tensor->data >= data && tensor->size <= (size_t)(data + size - tensor->data));
    if (tensor->dtype == MODEL_DTYPE_OTHER)
        return;                   /* whose elements have no size that is known */
    uint64_t left = tensor->size; /* divided by every dimension it must leave an element's size */
    bool empty = false;
    for (uint32_t i = 0; i < tensor->rank; i++)
        empty |= tensor->shape[i] == 0;
    for (uint32_t i = 0; i < tensor->rank && !empty; i++) {
        REQUIRE(left % tensor->shape[i] == 0);
        left /= tensor->shape[i];
    }
    REQUIRE(empty ? tensor->size == 0 : left == 1 || left == 2 || left == 4 || left == 8);
}

static void check_json(const struct model_safetensors *tensors, const uint8_t *data)
{
    uint64_t header_size;
    memcpy(&header_size, data, sizeof header_size);
    const char *header = (const char *)data + sizeof header_size;
    if (memmem(header, header_size, "\\u", 2))
        return; /* we do not look at what an escape in the metadata means */
    json_t *root = json_loadb(header, header_size, 0, NULL);
    REQUIRE(json_is_object(root));
    size_t metadata = json_object_get(root, "__metadata__") != NULL;
    REQUIRE(json_object_size(root) == model_safetensors_count(tensors) + metadata);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_safetensors *tensors = NULL;
    struct error err = {0};
    enum status status = model_safetensors_parse(&tensors, data, size, &err);
    if (status != STATUS_OK) {
        REQUIRE(!tensors && err.status == status && err.message[0]);
        REQUIRE(status == STATUS_FORMAT || status == STATUS_UNSUPPORTED);
        REQUIRE(utf8_valid(err.message, strlen(err.message)) == strlen(err.message));
        return 0;
    }
    for (size_t i = 0; i < model_safetensors_count(tensors); i++)
        check_tensor(tensors, i, data, size);
    check_json(tensors, data);
    model_safetensors_destroy(&tensors);
    return 0;
}
