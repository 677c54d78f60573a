#include "server/model/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "server/model/scan.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the tensors' bytes are used as they are in the file");

struct model_safetensors {
    struct model_tensor *tensors;
    size_t n;
    size_t capacity;
};

struct parser {
    struct model_scan scan;
    const char *header;
    const unsigned char *data;
    uint64_t data_size;
    struct model_safetensors *out;
};

struct dtype_row {
    const char *name;
    uint32_t size;
};

static const struct dtype_row dtypes[MODEL_DTYPE_COUNT] = {
#define X(name, size) {#name, size},
    MODEL_DTYPE_MAP(X)
#undef X
};

const char *model_dtype_name(enum model_dtype dtype)
{
    return dtypes[dtype].name;
}

static int name_length(const struct model_tensor *tensor)
{
    return (int)tensor->name_len;
}

static enum status syntax_error(const struct parser *parser, const char *expected, struct error *err)
{
    return error_set(err, STATUS_FORMAT, "header, byte %zu: expected %s",
                     8 + (size_t)(parser->scan.at - parser->header), expected);
}

static enum status tensor_error(const struct model_tensor *tensor, const char *what, struct error *err)
{
    return error_set(err, STATUS_FORMAT, "tensor %.*s: %s", name_length(tensor), tensor->name, what);
}

/* {"format": "pt", ...}: strings only. */
static enum status skip_metadata(struct parser *parser, struct error *err)
{
    struct model_slice key, value;
    if (!model_scan_take(&parser->scan, '{'))
        return syntax_error(parser, "an object of strings for __metadata__", err);
    if (model_scan_take(&parser->scan, '}'))
        return STATUS_OK;
    do {
        if (!model_scan_string(&parser->scan, &key) || !model_scan_take(&parser->scan, ':') ||
            !model_scan_string(&parser->scan, &value))
            return syntax_error(parser, "an object of strings for __metadata__", err);
    } while (model_scan_take(&parser->scan, ','));
    return model_scan_take(&parser->scan, '}') ? STATUS_OK : syntax_error(parser, "'}' after __metadata__", err);
}

static enum status parse_dtype(struct parser *parser, struct model_tensor *tensor, struct error *err)
{
    struct model_slice text;
    if (!model_scan_string(&parser->scan, &text))
        return tensor_error(tensor, "dtype is not a string", err);
    if (text.len > 16)
        return tensor_error(tensor, "dtype is not one that safetensors has", err);
    int i = 0;
    while (i < MODEL_DTYPE_OTHER && !model_slice_is(text, dtypes[i].name))
        i++;
    tensor->dtype = (enum model_dtype)i;
    tensor->dtype_name = text.data;
    tensor->dtype_name_len = (uint32_t)text.len;
    return STATUS_OK;
}

static enum status parse_shape(struct parser *parser, struct model_tensor *tensor, struct error *err)
{
    if (!model_scan_take(&parser->scan, '['))
        return tensor_error(tensor, "shape is not an array", err);
    if (model_scan_take(&parser->scan, ']'))
        return STATUS_OK;
    do {
        if (tensor->rank == MODEL_MAX_RANK)
            return tensor_error(tensor, "shape has more than 8 dimensions", err);
        if (!model_scan_count(&parser->scan, &tensor->shape[tensor->rank++]))
            return tensor_error(tensor, "shape holds something else than whole numbers below 2^64", err);
    } while (model_scan_take(&parser->scan, ','));
    return model_scan_take(&parser->scan, ']') ? STATUS_OK : tensor_error(tensor, "shape does not end with ']'", err);
}

static enum status parse_offsets(struct parser *parser, struct model_tensor *tensor, struct error *err)
{
    uint64_t begin, end;
    if (!model_scan_take(&parser->scan, '[') || !model_scan_count(&parser->scan, &begin) ||
        !model_scan_take(&parser->scan, ',') || !model_scan_count(&parser->scan, &end) ||
        !model_scan_take(&parser->scan, ']'))
        return tensor_error(tensor, "data_offsets is not an array of two whole numbers below 2^64", err);
    if (begin > end || end > parser->data_size)
        return error_set(err, STATUS_FORMAT,
                         "tensor %.*s: data_offsets [%llu, %llu] lie outside the file's %llu bytes of data",
                         name_length(tensor), tensor->name, (unsigned long long)begin, (unsigned long long)end,
                         (unsigned long long)parser->data_size);
    tensor->data = parser->data + begin;
    tensor->size = end - begin;
    return STATUS_OK;
}

static enum status check_size(const struct model_tensor *tensor, struct error *err)
{
    uint64_t size = dtypes[tensor->dtype].size;
    bool empty = false, overflow = false;
    if (tensor->dtype == MODEL_DTYPE_OTHER)
        return STATUS_OK;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        empty |= tensor->shape[i] == 0;
        overflow |= __builtin_mul_overflow(size, tensor->shape[i], &size);
    }
    if (empty)
        size = 0;
    else if (overflow)
        return tensor_error(tensor, "shape has more than 2^64 bytes", err);
    if (size != tensor->size)
        return error_set(err, STATUS_FORMAT, "tensor %.*s: data_offsets span %llu bytes, dtype and shape ask for %llu",
                         name_length(tensor), tensor->name, (unsigned long long)tensor->size, (unsigned long long)size);
    return STATUS_OK;
}

enum field { FIELD_DTYPE, FIELD_SHAPE, FIELD_OFFSETS, FIELD_COUNT };
static const char *const field_names[FIELD_COUNT] = {"dtype", "shape", "data_offsets"};
typedef enum status parse_field(struct parser *parser, struct model_tensor *tensor, struct error *err);
static parse_field *const field_parsers[FIELD_COUNT] = {parse_dtype, parse_shape, parse_offsets};

static enum status parse_one_field(struct parser *parser, struct model_tensor *tensor, unsigned *seen,
                                   struct error *err)
{
    struct model_slice key;
    if (!model_scan_string(&parser->scan, &key) || !model_scan_take(&parser->scan, ':'))
        return tensor_error(tensor, "not an object of dtype, shape and data_offsets", err);
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (!model_slice_is(key, field_names[i]))
            continue;
        if (*seen & 1u << i)
            return error_set(err, STATUS_FORMAT, "tensor %.*s: %s is there twice", name_length(tensor), tensor->name,
                             field_names[i]);
        *seen |= 1u << i;
        return field_parsers[i](parser, tensor, err);
    }
    return tensor_error(tensor, "has a field besides dtype, shape and data_offsets", err);
}

static enum status parse_tensor(struct parser *parser, struct model_tensor *tensor, struct error *err)
{
    if (!model_scan_take(&parser->scan, '{'))
        return tensor_error(tensor, "not an object of dtype, shape and data_offsets", err);
    unsigned seen = 0;
    do {
        enum status status = parse_one_field(parser, tensor, &seen, err);
        if (status != STATUS_OK)
            return status;
    } while (model_scan_take(&parser->scan, ','));
    if (!model_scan_take(&parser->scan, '}'))
        return tensor_error(tensor, "not an object of dtype, shape and data_offsets", err);
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (!(seen & 1u << i))
            return error_set(err, STATUS_FORMAT, "tensor %.*s: %s is missing", name_length(tensor), tensor->name,
                             field_names[i]);
    }
    return check_size(tensor, err);
}

static struct model_tensor *add_tensor(struct model_safetensors *out)
{
    if (out->n == out->capacity) {
        size_t capacity = out->capacity ? 2 * out->capacity : 64;
        struct model_tensor *grown = mem_realloc(out->tensors, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        out->tensors = grown;
        out->capacity = capacity;
    }
    struct model_tensor *tensor = &out->tensors[out->n++];
    *tensor = (struct model_tensor){0};
    return tensor;
}

static enum status parse_entry(struct parser *parser, bool *seen_metadata, struct error *err)
{
    struct model_slice name;
    if (!model_scan_string(&parser->scan, &name) || !model_scan_take(&parser->scan, ':'))
        return syntax_error(parser, "a tensor's name and ':'", err);
    if (model_slice_is(name, "__metadata__")) {
        if (*seen_metadata)
            return error_set(err, STATUS_FORMAT, "header: __metadata__ is there twice");
        *seen_metadata = true;
        return skip_metadata(parser, err);
    }
    if (name.len > MODEL_MAX_NAME)
        return error_set(err, STATUS_FORMAT, "header: a tensor's name has %zu bytes; the limit is %d", name.len,
                         MODEL_MAX_NAME);
    /* Undecoded, two spellings of one name would look like two tensors. No real name needs an escape. */
    if (memchr(name.data, '\\', name.len))
        return error_set(err, STATUS_UNSUPPORTED, "tensor %.*s: a name with escapes", (int)name.len, name.data);
    struct model_tensor *tensor = add_tensor(parser->out);
    if (!tensor)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu tensors", parser->out->n + 1);
    tensor->name = name.data;
    tensor->name_len = (uint32_t)name.len;
    return parse_tensor(parser, tensor, err);
}

static enum status parse_header(struct parser *parser, struct error *err)
{
    bool seen_metadata = false;
    if (!model_scan_take(&parser->scan, '{'))
        return syntax_error(parser, "'{'", err);
    if (!model_scan_take(&parser->scan, '}')) {
        do {
            enum status status = parse_entry(parser, &seen_metadata, err);
            if (status != STATUS_OK)
                return status;
        } while (model_scan_take(&parser->scan, ','));
        if (!model_scan_take(&parser->scan, '}'))
            return syntax_error(parser, "',' or '}'", err);
    }
    return model_scan_done(&parser->scan) ? STATUS_OK : syntax_error(parser, "the header's end", err);
}

typedef int tensor_order(const void *a, const void *b);

static void sort(struct model_safetensors *out, tensor_order *by)
{
    if (out->n > 0)
        qsort(out->tensors, out->n, sizeof *out->tensors, by);
}

static int by_place(const void *a, const void *b)
{
    const struct model_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size);
}

static enum status check_cover(const struct parser *parser, struct error *err)
{
    struct model_safetensors *out = parser->out;
    sort(out, by_place);
    const unsigned char *expected = parser->data;
    for (size_t i = 0; i < out->n; i++) {
        const struct model_tensor *tensor = &out->tensors[i];
        if (tensor->data != expected)
            return error_set(err, STATUS_FORMAT, "tensor %.*s: data begin at byte %zu, %s where the one before ends",
                             name_length(tensor), tensor->name, (size_t)(tensor->data - parser->data),
                             tensor->data < expected ? "an overlap: not" : "a gap: not");
        expected = tensor->data + tensor->size;
    }
    size_t covered = (size_t)(expected - parser->data);
    if (covered != parser->data_size)
        return error_set(err, STATUS_FORMAT, "%llu bytes of data, of which the tensors cover %zu",
                         (unsigned long long)parser->data_size, covered);
    return STATUS_OK;
}

static int compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_name(const void *a, const void *b)
{
    const struct model_tensor *x = a, *y = b;
    return compare_names(x->name, x->name_len, y->name, y->name_len);
}

static enum status check_names(struct model_safetensors *out, struct error *err)
{
    sort(out, by_name);
    for (size_t i = 1; i < out->n; i++) {
        if (by_name(&out->tensors[i - 1], &out->tensors[i]) == 0)
            return tensor_error(&out->tensors[i], "is there twice", err);
    }
    return STATUS_OK;
}

static enum status find_header(const unsigned char *data, size_t size, size_t *ret, struct error *err)
{
    uint64_t header_size;
    if (size < sizeof header_size)
        return error_set(err, STATUS_FORMAT, "%zu bytes are too few for a safetensors file", size);
    memcpy(&header_size, data, sizeof header_size);
    if (header_size > MODEL_MAX_HEADER)
        return error_set(err, STATUS_FORMAT, "a header of %llu bytes; the limit is %d (is this a safetensors file?)",
                         (unsigned long long)header_size, MODEL_MAX_HEADER);
    if (header_size > size - sizeof header_size)
        return error_set(err, STATUS_FORMAT, "truncated: a header of %llu bytes in a file of %zu",
                         (unsigned long long)header_size, size);
    if (utf8_valid((const char *)data + sizeof header_size, (size_t)header_size) < header_size)
        return error_set(err, STATUS_FORMAT, "the header is not UTF-8");
    *ret = (size_t)header_size;
    return STATUS_OK;
}

enum status model_safetensors_parse(struct model_safetensors **ret, const unsigned char *data, size_t size,
                                    struct error *err)
{
    size_t header_size = 0;
    enum status status = find_header(data, size, &header_size, err);
    if (status != STATUS_OK)
        return status;
    struct model_safetensors *out = mem_calloc(1, sizeof *out);
    if (!out)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the list of tensors");
    const char *header = (const char *)data + sizeof(uint64_t);
    struct parser parser = {
        .scan = {.at = header, .end = header + header_size},
        .header = header,
        .data = data + sizeof(uint64_t) + header_size,
        .data_size = size - sizeof(uint64_t) - header_size,
        .out = out,
    };
    status = parse_header(&parser, err);
    if (status == STATUS_OK)
        status = check_names(out, err);
    if (status == STATUS_OK)
        status = check_cover(&parser, err);
    if (status != STATUS_OK) {
        model_safetensors_destroy(&out);
        return status;
    }
    sort(out, by_name);
    *ret = out;
    return STATUS_OK;
}

void model_safetensors_destroy(struct model_safetensors **safetensors)
{
    if (!*safetensors)
        return;
    mem_free((*safetensors)->tensors);
    mem_free(*safetensors);
    *safetensors = NULL;
}

size_t model_safetensors_count(const struct model_safetensors *safetensors)
{
    return safetensors->n;
}

const struct model_tensor *model_safetensors_at(const struct model_safetensors *safetensors, size_t index)
{
    return &safetensors->tensors[index];
}

const struct model_tensor *model_safetensors_find(const struct model_safetensors *safetensors, const char *name)
{
    size_t len = strlen(name), low = 0, high = safetensors->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct model_tensor *tensor = &safetensors->tensors[middle];
        int order = compare_names(tensor->name, tensor->name_len, name, len);
        if (order == 0)
            return tensor;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
