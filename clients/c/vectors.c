#include <string.h>

#include "clients/c/proto.h"
#include "clients/c/request.h"
#include "clients/c/results.h"
#include "clients/c/transfer.h"

static enum bertd_status read_batch(struct bertd_part *part, struct bertd_error *err)
{
    struct bertd_call *call = part->call;
    const struct bertd_bytes *answer = &part->transfer->answer;
    size_t n = part->end - part->begin;
    struct bertd_proto_batch batch = {.max = n};
    if (!bertd_proto_read_batch(answer->data, answer->len, &batch))
        return bertd_results_broken(part, err, "it is no EmbedBatchResponse");
    if (batch.rows != n || batch.vectors.len % (n * sizeof(float)) != 0 ||
        batch.width != batch.vectors.len / n / sizeof(float))
        return bertd_results_broken(part, err, "rows, width and the bytes of vectors do not fit");
    enum bertd_status status = bertd_results_begin(part, (size_t)batch.width, err);
    if (status != BERTD_OK)
        return status;
    memcpy(bertd_results_row(part, 0), batch.vectors.data, batch.vectors.len);
    bertd_results_fix(bertd_results_row(part, 0), n * (size_t)batch.width);
    batch.tokens = (uint32_t *)call->embeddings->tokens + part->begin;
    batch.truncated = (uint8_t *)call->embeddings->truncated + part->begin;
    bertd_proto_read_batch(answer->data, answer->len, &batch);
    call->lacks_tokens |= batch.n_tokens != n;
    call->lacks_truncated |= batch.n_truncated != n;
    call->embeddings->total_tokens += batch.sum_tokens;
    return BERTD_OK;
}

static enum bertd_status read_rows(struct bertd_part *part, struct bertd_json *json, struct bertd_bytes *floats,
                                   struct bertd_error *err)
{
    size_t rows = 0;
    int more = 0;
    if (!bertd_json_open(json, '['))
        return bertd_results_broken(part, err, "no array of vectors");
    while ((more = bertd_json_more(json, ']', &rows)) == 1) {
        bertd_bytes_clear(floats);
        if (!bertd_results_vector(json, floats))
            return bertd_results_broken(part, err, "a vector is no array of numbers");
        enum bertd_status status = bertd_results_store(part, rows - 1, floats, err);
        if (status != BERTD_OK)
            return status;
    }
    if (more != 0 || !bertd_json_ends(json))
        return bertd_results_broken(part, err, "it breaks off, or goes on behind its end");
    return rows == part->end - part->begin ? BERTD_OK : bertd_results_broken(part, err, "fewer vectors than texts");
}

enum bertd_status bertd_vectors_read(struct bertd_part *part, struct bertd_error *err)
{
    struct bertd_call *call = part->call;
    const struct bertd_transfer *transfer = part->transfer;
    if (bertd_request_is_batch(part))
        return read_batch(part, err);
    struct bertd_json json = bertd_json_of(transfer->answer.data, transfer->answer.len);
    struct bertd_bytes floats = {.memory = &call->queue->client->memory};
    enum bertd_status status = read_rows(part, &json, &floats, err);
    bertd_bytes_finish(&floats);
    if (status != BERTD_OK)
        return status;
    const char *tokens = bertd_transfer_answer_header(transfer, "x-compute-tokens");
    struct bertd_json number = bertd_json_of(tokens, tokens ? strlen(tokens) : 0);
    uint64_t counted = 0;
    if (tokens && bertd_json_count(&number, &counted))
        call->embeddings->total_tokens += counted;
    call->lacks_tokens = call->lacks_truncated = true;
    return BERTD_OK;
}
