#include <string.h>

#include "clients/c/base64.h"
#include "clients/c/results.h"

/* A vector as an array of numbers, or as their bytes in base64. */
static bool read_embedding(struct bertd_json *json, struct bertd_bytes *floats)
{
    struct bertd_slice text;
    bertd_bytes_clear(floats);
    if (bertd_json_peek(json) == '[')
        return bertd_results_vector(json, floats);
    if (!bertd_json_text(json, &text))
        return false;
    size_t size = bertd_base64_size(text);
    if (size == SIZE_MAX || size % sizeof(float) != 0)
        return false;
    char *to = bertd_bytes_add(floats, size);
    if (!to)
        return true; /* whoever stores it sees that */
    if (!bertd_base64_read(text, to))
        return false;
    bertd_results_fix((float *)(void *)to, size / sizeof(float));
    return true;
}

/* One element of OpenAI's `data`. */
static enum bertd_status read_item(struct bertd_part *part, struct bertd_json *json, size_t row,
                                   struct bertd_bytes *floats, struct bertd_error *err)
{
    size_t members = 0;
    uint64_t index = row;
    bool found = false;
    int more = 0;
    if (!bertd_json_open(json, '{'))
        return bertd_results_broken(part, err, "an element of data is no object");
    while ((more = bertd_json_more(json, '}', &members)) == 1) {
        struct bertd_slice name;
        bool fine = bertd_json_name(json, &name);
        if (fine && bertd_json_is(name, "embedding"))
            fine = found = read_embedding(json, floats);
        else if (fine && bertd_json_is(name, "index"))
            fine = bertd_json_count(json, &index);
        else
            fine = fine && bertd_json_skip(json);
        if (!fine)
            return bertd_results_broken(part, err, "an element of data has an embedding or index that is none");
    }
    if (more != 0 || !found)
        return bertd_results_broken(part, err, "an element of data has no embedding");
    enum bertd_status status = bertd_results_store(part, index < part->end ? (size_t)index : part->end, floats, err);
    if (status != BERTD_OK)
        return status;
    uint8_t *seen = (uint8_t *)part->call->embeddings->truncated + part->begin + index; /* nobody else needs it */
    return (*seen)++ == 0 ? BERTD_OK : bertd_results_broken(part, err, "two elements of data have the same index");
}

static enum bertd_status read_items(struct bertd_part *part, struct bertd_json *json, struct bertd_bytes *floats,
                                    struct bertd_error *err)
{
    size_t rows = 0;
    int more = 0;
    if (!bertd_json_open(json, '['))
        return bertd_results_broken(part, err, "data is no array");
    while ((more = bertd_json_more(json, ']', &rows)) == 1) {
        enum bertd_status status = read_item(part, json, rows - 1, floats, err);
        if (status != BERTD_OK)
            return status;
    }
    if (more != 0)
        return bertd_results_broken(part, err, "data breaks off");
    return rows == part->end - part->begin ? BERTD_OK : bertd_results_broken(part, err, "other vectors than texts");
}

static bool read_usage(struct bertd_json *json, uint64_t *ret)
{
    size_t members = 0;
    int more = 0;
    if (bertd_json_peek(json) != '{')
        return bertd_json_skip(json);
    bertd_json_open(json, '{');
    while ((more = bertd_json_more(json, '}', &members)) == 1) {
        struct bertd_slice name;
        if (!bertd_json_name(json, &name) ||
            !(bertd_json_is(name, "total_tokens") ? bertd_json_count(json, ret) : bertd_json_skip(json)))
            return false;
    }
    return more == 0;
}

static enum bertd_status read_openai(struct bertd_part *part, struct bertd_json *json, struct bertd_bytes *floats,
                                     struct bertd_error *err)
{
    size_t members = 0;
    uint64_t tokens = 0;
    bool found = false;
    int more = 0;
    if (!bertd_json_open(json, '{'))
        return bertd_results_broken(part, err, "no object");
    while ((more = bertd_json_more(json, '}', &members)) == 1) {
        struct bertd_slice name;
        enum bertd_status status = BERTD_OK;
        if (!bertd_json_name(json, &name))
            return bertd_results_broken(part, err, "no member where one should be");
        if (bertd_json_is(name, "data") && !found) {
            status = read_items(part, json, floats, err);
            found = true;
        } else if (bertd_json_is(name, "usage") ? !read_usage(json, &tokens) : !bertd_json_skip(json)) {
            return bertd_results_broken(part, err, "it breaks off");
        }
        if (status != BERTD_OK)
            return status;
    }
    if (more != 0 || !found)
        return bertd_results_broken(part, err, "no data, or it breaks off");
    part->call->embeddings->total_tokens += tokens;
    return BERTD_OK;
}

enum bertd_status bertd_openai_read(struct bertd_part *part, struct bertd_error *err)
{
    struct bertd_call *call = part->call;
    struct bertd_json json = bertd_json_of(part->transfer->answer.data, part->transfer->answer.len);
    struct bertd_bytes floats = {.memory = &call->queue->client->memory};
    if (call->embeddings) /* of an earlier try */
        memset((uint8_t *)call->embeddings->truncated + part->begin, 0, part->end - part->begin);
    enum bertd_status status = read_openai(part, &json, &floats, err);
    bertd_bytes_finish(&floats);
    if (status == BERTD_OK)
        call->lacks_tokens = call->lacks_truncated = true;
    return status;
}
