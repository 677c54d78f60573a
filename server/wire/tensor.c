#include "server/wire/tensor.h"

#include <string.h>

#include "base/utf8.h"
#include "server/wire/fields.h"
#include "server/wire/v2.h"

enum { TEXT, IDS, MASK };

static const char *const names[WIRE_TENSORS] = {WIRE_V2_TEXT, WIRE_V2_IDS, WIRE_V2_MASK};

static bool read_shape(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    struct wire_tensor *tensor = target;
    if (!wire_json_enter_array(json))
        return wire_json_expected(json, "`shape`", "an array of integers");
    while (wire_json_next_item(json)) {
        if (tensor->n_dimensions == WIRE_TENSOR_DIMENSIONS)
            return wire_json_fail(json, STATUS_VALIDATION, "`shape`: expected at most two dimensions");
        if (!wire_field_count(json, name, limits, &tensor->shape[tensor->n_dimensions]))
            return false;
        tensor->n_dimensions++;
    }
    if (json->status == STATUS_OK && tensor->n_dimensions == 0)
        return wire_json_fail(json, STATUS_VALIDATION, "`shape`: expected one dimension or two");
    return json->status == STATUS_OK;
}

static bool take_binary(struct wire_json *json, struct wire_tensors *tensors, uint32_t size, struct wire_tensor *tensor)
{
    if (size > tensors->binary_len - tensors->taken)
        return wire_json_fail(json, STATUS_VALIDATION,
                              "`binary_data_size`: there are not so many bytes behind the JSON (see "
                              "Inference-Header-Content-Length)");
    tensor->binary = tensors->binary + tensors->taken;
    tensor->binary_len = size;
    tensors->taken += size;
    return true;
}

static bool read_tensor(struct wire_json *json, const struct wire_limits *limits, struct wire_tensors *tensors)
{
    struct wire_string name = {0};
    struct wire_tensor tensor = {.given = true};
    uint32_t binary_size = UINT32_MAX;
    const struct wire_field parameters[] = {{"binary_data_size", wire_field_count, &binary_size, false}};
    const struct wire_field fields[] = {
        {"name", wire_field_string, &name, true},
        {"shape", read_shape, &tensor, true},
        {"datatype", wire_field_string, &tensor.datatype, true},
        {"parameters", wire_field_object, &(struct wire_object){parameters, 1, tensors->unknown}, false},
        {"data", wire_field_later, &tensor.data, false},
    };
    if (!wire_field_object(json, "inputs", limits, &(struct wire_object){fields, 5, tensors->unknown}))
        return false;
    int which = TEXT;
    while (which < WIRE_TENSORS && !wire_string_is(name, names[which]))
        which++;
    if (which == WIRE_TENSORS)
        return wire_json_fail(json, STATUS_VALIDATION,
                              "`inputs`: the model has \"text\", or \"input_ids\" with or without \"attention_mask\"");
    if (tensors->items[which].given)
        return wire_json_fail(json, STATUS_VALIDATION, "`inputs`: \"%s\" is given twice", names[which]);
    if ((tensor.data.start != NULL) == (binary_size != UINT32_MAX))
        return wire_json_fail(json, STATUS_VALIDATION, "`inputs`: \"%s\" needs either `data` or `binary_data_size`",
                              names[which]);
    if (!tensor.data.start && !take_binary(json, tensors, binary_size, &tensor))
        return false;
    tensors->items[which] = tensor;
    return true;
}

bool wire_tensors_read(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    struct wire_tensors *tensors = target;
    (void)name;
    if (!wire_json_enter_array(json))
        return wire_json_expected(json, "`inputs`", "an array of tensors");
    while (wire_json_next_item(json)) {
        if (!read_tensor(json, limits, tensors))
            return false;
    }
    if (json->status == STATUS_OK && tensors->taken < tensors->binary_len)
        return wire_json_fail(json, STATUS_VALIDATION, "there are %zu bytes behind the JSON that belong to no input",
                              tensors->binary_len - tensors->taken);
    return json->status == STATUS_OK;
}

/* Where the values of one tensor go to, one after the other. */
struct sink {
    const char *name;
    size_t n; /* so far */
    size_t capacity;
    struct wire_input *texts; /* NULL: they are numbers */
    uint32_t *numbers;
};

static enum status take_text(struct sink *sink, struct wire_string text, struct error *err)
{
    if (text.len == 0)
        return error_set(err, STATUS_EMPTY, "`%s[%zu]` cannot be empty", sink->name, sink->n);
    if (sink->n < sink->capacity)
        sink->texts[sink->n] = (struct wire_input){.text = text};
    sink->n++;
    return STATUS_OK;
}

static enum status take_number(struct sink *sink, uint64_t number, bool integer, struct error *err)
{
    if (!integer || number > UINT32_MAX)
        return error_set(err, STATUS_VALIDATION, "`%s`: expected integers from 0 to %u", sink->name, UINT32_MAX);
    if (sink->n < sink->capacity)
        sink->numbers[sink->n] = (uint32_t)number;
    sink->n++;
    return STATUS_OK;
}

/* One value, or an array of values in arrays as deep as the reader allows. */
static bool read_values(struct wire_json *json, struct sink *sink)
{
    struct wire_string text;
    uint64_t number = 0;
    bool integer = false;
    enum wire_json_kind kind = wire_json_peek(json);
    if (kind == WIRE_JSON_ARRAY) {
        for (bool more = wire_json_enter_array(json); more && wire_json_next_item(json);)
            more = read_values(json, sink);
        return json->status == STATUS_OK;
    }
    if (kind != (sink->texts ? WIRE_JSON_STRING : WIRE_JSON_NUMBER))
        return wire_json_fail(json, STATUS_VALIDATION, "`%s`: expected %s, got %s", sink->name,
                              sink->texts ? "strings" : "integers", wire_json_kind_name(kind));
    if (!(sink->texts ? wire_json_read_string(json, &text) : wire_json_read_uint(json, &number, &integer)))
        return false;
    struct error err;
    enum status status = sink->texts ? take_text(sink, text, &err) : take_number(sink, number, integer, &err);
    return status == STATUS_OK || wire_json_fail(json, status, "%s", err.message);
}

/* Each text has its length in front, four bytes little-endian. */
static enum status read_binary_texts(const struct wire_tensor *tensor, struct sink *sink, struct error *err)
{
    const char *at = tensor->binary, *end = at + tensor->binary_len;
    while (at < end) {
        uint32_t len = 0;
        if (end - at < 4 || (memcpy(&len, at, 4), len > (size_t)(end - at) - 4))
            return error_set(err, STATUS_VALIDATION, "`%s[%zu]` ends in its middle", sink->name, sink->n);
        at += 4;
        if (utf8_valid(at, len) < len)
            return error_set(err, STATUS_VALIDATION, "`%s[%zu]` is not UTF-8", sink->name, sink->n);
        enum status status = take_text(sink, (struct wire_string){at, len}, err);
        if (status != STATUS_OK)
            return status;
        at += len;
    }
    return STATUS_OK;
}

static enum status read_binary_numbers(const struct wire_tensor *tensor, size_t size, struct sink *sink,
                                       struct error *err)
{
    if (tensor->binary_len % size)
        return error_set(err, STATUS_VALIDATION, "`%s`: %zu bytes are no whole number of values", sink->name,
                         tensor->binary_len);
    for (size_t i = 0; i < tensor->binary_len; i += size) {
        int64_t number = 0;
        int32_t half = 0;
        memcpy(size == sizeof number ? (void *)&number : (void *)&half, tensor->binary + i, size);
        number = size == sizeof number ? number : half;
        enum status status = take_number(sink, (uint64_t)number, number >= 0, err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status read_data(const struct wire_tensor *tensor, size_t size, struct sink *sink, struct error *err)
{
    struct wire_json json = tensor->data;
    enum status status;
    json.err = err;
    if (json.start)
        status = read_values(&json, sink) ? STATUS_OK : json.status;
    else
        status = size ? read_binary_numbers(tensor, size, sink, err) : read_binary_texts(tensor, sink, err);
    if (status == STATUS_OK && sink->n != sink->capacity)
        status = error_set(err, STATUS_VALIDATION, "`%s`: its shape has %zu values, its data %zu", sink->name,
                           sink->capacity, sink->n);
    return status;
}

/* Bytes of a number; 0: not one of ids. */
static size_t number_size(struct wire_string datatype)
{
    return wire_string_is(datatype, "INT64")   ? sizeof(int64_t)
           : wire_string_is(datatype, "INT32") ? sizeof(int32_t)
                                               : 0;
}

static enum status check_count(const char *name, uint32_t n, const struct wire_limits *limits, struct error *err)
{
    if (n == 0)
        return error_set(err, STATUS_EMPTY, "`%s` cannot be empty", name);
    return wire_check_count(n, limits, err);
}

static enum status read_texts(const struct wire_tensor *tensor, struct wire_inputs *ret,
                              const struct wire_limits *limits, struct arena *arena, struct error *err)
{
    uint32_t n = tensor->shape[0];
    if (!wire_string_is(tensor->datatype, "BYTES"))
        return error_set(err, STATUS_VALIDATION, "`text`: expected the datatype BYTES");
    if (tensor->n_dimensions == 2 && tensor->shape[1] != 1)
        return error_set(err, STATUS_VALIDATION, "`text`: expected the shape [n] or [n,1]");
    enum status status = check_count("text", n, limits, err);
    if (status != STATUS_OK)
        return status;
    struct wire_input *items = arena_alloc_array(arena, n, sizeof *items, _Alignof(struct wire_input));
    if (!items)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the inputs");
    struct sink sink = {.name = "text", .capacity = n, .texts = items};
    status = read_data(tensor, 0, &sink, err);
    if (status == STATUS_OK)
        *ret = (struct wire_inputs){.items = items, .n = n};
    return status;
}

/* New: the numbers of a tensor of this shape [n][length]. */
static enum status read_numbers(const struct wire_tensor *tensor, const char *name, uint32_t **ret, struct arena *arena,
                                struct error *err)
{
    size_t size = number_size(tensor->datatype);
    if (!size)
        return error_set(err, STATUS_VALIDATION, "`%s`: expected the datatype INT64 or INT32", name);
    if (tensor->n_dimensions != 2)
        return error_set(err, STATUS_VALIDATION, "`%s`: expected the shape [n,length]", name);
    uint64_t n = (uint64_t)tensor->shape[0] * tensor->shape[1];
    size_t bytes = tensor->data.start ? (size_t)(tensor->data.end - tensor->data.at) : tensor->binary_len;
    if (n > bytes) /* before there is memory for so many */
        return error_set(err, STATUS_VALIDATION, "`%s`: its shape has more values than its data", name);
    uint32_t *numbers = arena_alloc_array(arena, n, sizeof *numbers, sizeof *numbers);
    if (!numbers)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the token ids");
    struct sink sink = {.name = name, .capacity = n, .numbers = numbers};
    enum status status = read_data(tensor, size, &sink, err);
    if (status == STATUS_OK)
        *ret = numbers;
    return status;
}

/* What the mask leaves of `ids` [length], in place. */
static uint32_t apply_mask(uint32_t *ids, const uint32_t *mask, uint32_t length)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < length; i++) {
        if (!mask || mask[i])
            ids[n++] = ids[i];
    }
    return n;
}

static enum status read_ids(const struct wire_tensor *tensor, const struct wire_tensor *mask_tensor,
                            struct wire_inputs *ret, const struct wire_limits *limits, struct arena *arena,
                            struct error *err)
{
    uint32_t n = tensor->shape[0], length = tensor->shape[1];
    uint32_t *ids = NULL, *mask = NULL;
    enum status status = check_count("input_ids", n, limits, err);
    if (status == STATUS_OK)
        status = read_numbers(tensor, "input_ids", &ids, arena, err);
    if (status == STATUS_OK && mask_tensor->given)
        status = read_numbers(mask_tensor, "attention_mask", &mask, arena, err);
    if (status != STATUS_OK)
        return status;
    if (mask && memcmp(mask_tensor->shape, tensor->shape, sizeof tensor->shape) != 0)
        return error_set(err, STATUS_VALIDATION, "`attention_mask`: expected the shape of `input_ids`");
    struct wire_input *items = arena_alloc_array(arena, n, sizeof *items, _Alignof(struct wire_input));
    if (!items)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the inputs");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t *own = ids + (size_t)i * length;
        items[i] =
            (struct wire_input){.ids = own, .n_ids = apply_mask(own, mask ? mask + (size_t)i * length : NULL, length)};
        if (items[i].n_ids == 0)
            return error_set(err, STATUS_EMPTY, "`input_ids[%u]` cannot be empty", i);
    }
    *ret = (struct wire_inputs){.items = items, .n = n};
    return STATUS_OK;
}

enum status wire_tensors_inputs(const struct wire_tensors *tensors, struct wire_inputs *ret,
                                const struct wire_limits *limits, struct arena *arena, struct error *err)
{
    const struct wire_tensor *items = tensors->items;
    if (items[TEXT].given == items[IDS].given || (items[MASK].given && !items[IDS].given))
        return error_set(err, STATUS_VALIDATION,
                         "`inputs`: expected \"text\", or \"input_ids\" with or without \"attention_mask\"");
    return items[TEXT].given ? read_texts(&items[TEXT], ret, limits, arena, err)
                             : read_ids(&items[IDS], &items[MASK], ret, limits, arena, err);
}
