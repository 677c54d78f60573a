#include "clients/c/results.h"

#include <string.h>

#include "clients/c/error.h"

enum bertd_status bertd_results_broken(const struct bertd_part *part, struct bertd_error *err, const char *what)
{
    return bertd_fail(err, BERTD_PROTOCOL,
                      "%s: the answer is not understood: %s; check that this is the address of an "
                      "embeddings server, and that nothing before it changes answers",
                      part->endpoint->shown, what);
}

enum bertd_status bertd_results_begin(struct bertd_part *part, size_t width, struct bertd_error *err)
{
    struct bertd_call *call = part->call;
    size_t n = call->inputs.n, size = 0, vectors_at = 0, tokens_at = 0, truncated_at = 0;
    float *buffer = call->options.buffer;
    if (call->embeddings)
        return call->embeddings->width == width
                   ? BERTD_OK
                   : bertd_results_broken(part, err, "vectors of another width than before, so another model");
    if (width == 0)
        return bertd_results_broken(part, err, "vectors without values");
    if (width > SIZE_MAX / n / sizeof(float))
        return bertd_fail_memory(err);
    if (buffer && call->options.capacity < n * width)
        return bertd_fail(err, BERTD_BUFFER, "the buffer has room for %zu floats; %zu vectors of %zu values need %zu",
                          call->options.capacity, n, width, n * width);
    bool fits = bertd_memory_add(&size, 1, sizeof *call->embeddings) && (vectors_at = size) &&
                bertd_memory_add(&size, buffer ? 0 : n * width, sizeof(float)) && (tokens_at = size) &&
                bertd_memory_add(&size, n, sizeof(uint32_t)) && (truncated_at = size) && bertd_memory_add(&size, n, 1);
    char *block = fits ? bertd_memory_block(&call->queue->client->memory, size) : NULL;
    if (!block)
        return bertd_fail_memory(err);
    call->embeddings = (struct bertd_embeddings *)block;
    call->embeddings->rows = n;
    call->embeddings->width = width;
    call->embeddings->vectors = buffer ? buffer : (float *)(block + vectors_at);
    call->embeddings->tokens = (uint32_t *)(block + tokens_at);
    call->embeddings->truncated = (uint8_t *)(block + truncated_at);
    return BERTD_OK;
}

void bertd_results_fix(float *values, size_t n)
{
    (void)values, (void)n;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bits = __builtin_bswap32(bits);
        memcpy(&values[i], &bits, sizeof bits);
    }
#endif
}

float *bertd_results_row(const struct bertd_part *part, size_t row)
{
    const struct bertd_embeddings *embeddings = part->call->embeddings;
    return embeddings->vectors + (part->begin + row) * embeddings->width;
}

bool bertd_results_vector(struct bertd_json *json, struct bertd_bytes *floats)
{
    size_t count = 0;
    int more = 0;
    if (!bertd_json_open(json, '['))
        return false;
    while ((more = bertd_json_more(json, ']', &count)) == 1) {
        float value = 0;
        if (!bertd_json_float(json, &value))
            return false;
        bertd_bytes_append(floats, &value, sizeof value);
    }
    return more == 0;
}

enum bertd_status bertd_results_store(struct bertd_part *part, size_t row, const struct bertd_bytes *floats,
                                      struct bertd_error *err)
{
    if (floats->failed)
        return bertd_fail_memory(err);
    if (row >= part->end - part->begin)
        return bertd_results_broken(part, err, "more vectors than texts");
    enum bertd_status status = bertd_results_begin(part, floats->len / sizeof(float), err);
    if (status == BERTD_OK)
        memcpy(bertd_results_row(part, row), floats->data, floats->len);
    return status;
}
