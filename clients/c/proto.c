#include "clients/c/proto.h"

#include <string.h>

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

/* Numbers of fields, as in schemas/bertd.proto. */
enum {
    INPUTS = 1,
    TRUNCATE = 3,
    DIRECTION = 4,
    PROMPT_NAME = 5,
    NORMALIZE = 6,
    DIMENSIONS = 7,
    CHUNK = 8,
    PRIORITY = 10
};
enum { ROWS = 1, WIDTH = 2, VECTORS = 3, TRUNCATED = 4, TOKENS = 5 };

static void put_varint(struct bertd_bytes *bytes, uint64_t value)
{
    unsigned char out[10];
    size_t n = 0;
    do
        out[n++] = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    while (value >>= 7);
    bertd_bytes_append(bytes, out, n);
}

static void put_number(struct bertd_bytes *bytes, unsigned field, uint64_t value)
{
    put_varint(bytes, field << 3 | VARINT);
    put_varint(bytes, value);
}

static void put_bytes(struct bertd_bytes *bytes, unsigned field, const char *data, size_t len)
{
    put_varint(bytes, field << 3 | BYTES);
    put_varint(bytes, len);
    bertd_bytes_append(bytes, data, len);
}

static void put_choice(struct bertd_bytes *bytes, unsigned field, enum bertd_choice choice)
{
    if (choice != BERTD_DEFAULT)
        put_number(bytes, field, choice == BERTD_YES);
}

void bertd_proto_write_text(struct bertd_bytes *bytes, const char *text, size_t len)
{
    put_bytes(bytes, INPUTS, text, len);
}

void bertd_proto_write_options(struct bertd_bytes *bytes, const struct bertd_call_options *options)
{
    put_choice(bytes, TRUNCATE, options->truncate);
    if (options->truncate_direction == BERTD_LEFT)
        put_number(bytes, DIRECTION, 1);
    if (options->prompt_name)
        put_bytes(bytes, PROMPT_NAME, options->prompt_name, strlen(options->prompt_name));
    put_choice(bytes, NORMALIZE, options->normalize);
    if (options->dimensions)
        put_number(bytes, DIMENSIONS, options->dimensions);
    put_choice(bytes, CHUNK, options->chunk);
    if (options->priority != BERTD_PRIORITY_DEFAULT)
        put_number(bytes, PRIORITY, options->priority);
}

static bool get_varint(struct bertd_slice *from, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && from->len > 0; shift += 7) {
        unsigned char byte = (unsigned char)*from->data++;
        from->len--;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return false;
}

/* A field: its number, and its value in one of the two. */
static bool get_field(struct bertd_slice *from, uint64_t *ret_key, uint64_t *ret_number, struct bertd_slice *ret_bytes)
{
    uint64_t len = 0;
    if (!get_varint(from, ret_key))
        return false;
    switch (*ret_key & 7) {
    case VARINT:
        return get_varint(from, ret_number);
    case FIXED64:
        len = 8;
        break;
    case FIXED32:
        len = 4;
        break;
    case BYTES:
        if (!get_varint(from, &len))
            return false;
        break;
    default:
        return false;
    }
    if (len > from->len)
        return false;
    *ret_bytes = (struct bertd_slice){.data = from->data, .len = (size_t)len};
    from->data += len;
    from->len -= (size_t)len;
    return true;
}

static void add_tokens(struct bertd_proto_batch *batch, uint64_t value)
{
    if (batch->tokens && batch->n_tokens < batch->max)
        batch->tokens[batch->n_tokens] = (uint32_t)value;
    batch->sum_tokens += value;
    batch->n_tokens++;
}

static void add_truncated(struct bertd_proto_batch *batch, uint64_t value)
{
    if (batch->truncated && batch->n_truncated < batch->max)
        batch->truncated[batch->n_truncated] = value != 0;
    batch->n_truncated++;
}

static bool add_packed(struct bertd_proto_batch *batch, struct bertd_slice packed,
                       void (*add)(struct bertd_proto_batch *, uint64_t))
{
    uint64_t value = 0;
    while (packed.len > 0) {
        if (!get_varint(&packed, &value))
            return false;
        add(batch, value);
    }
    return true;
}

bool bertd_proto_read_batch(const void *data, size_t len, struct bertd_proto_batch *batch)
{
    struct bertd_slice from = {.data = data, .len = len};
    batch->rows = batch->width = batch->n_tokens = batch->n_truncated = batch->sum_tokens = 0;
    batch->vectors = (struct bertd_slice){.data = NULL};
    while (from.len > 0) {
        uint64_t key = 0, number = 0;
        struct bertd_slice bytes = {.data = NULL};
        if (!get_field(&from, &key, &number, &bytes))
            return false;
        switch (key) {
        case ROWS << 3 | VARINT:
            batch->rows = number;
            break;
        case WIDTH << 3 | VARINT:
            batch->width = number;
            break;
        case VECTORS << 3 | BYTES:
            batch->vectors = bytes;
            break;
        case TRUNCATED << 3 | VARINT:
            add_truncated(batch, number);
            break;
        case TRUNCATED << 3 | BYTES:
            if (!add_packed(batch, bytes, add_truncated))
                return false;
            break;
        case TOKENS << 3 | VARINT:
            add_tokens(batch, number);
            break;
        case TOKENS << 3 | BYTES:
            if (!add_packed(batch, bytes, add_tokens))
                return false;
            break;
        default:
            break;
        }
    }
    return true;
}
