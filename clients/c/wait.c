/* Calls that wait: each borrows an idle queue of the client, so that connections are used again and threads do not wait
 * for each other. */
#include <math.h>
#include <string.h>

#include "clients/c/error.h"
#include "clients/c/queue.h"

enum { MAX_IDLE = 16, LONGEST_PATH = 1024 };

static enum bertd_status take_queue(struct bertd_client *client, struct bertd_queue **ret, struct bertd_error *err)
{
    pthread_mutex_lock(&client->lock);
    struct bertd_queue *queue = client->idle;
    if (queue) {
        client->idle = queue->next;
        client->n_idle--;
    }
    pthread_mutex_unlock(&client->lock);
    if (!queue)
        return bertd_queue_create(client, ret, err);
    *ret = queue;
    return BERTD_OK;
}

static void give_queue_back(struct bertd_client *client, struct bertd_queue *queue)
{
    pthread_mutex_lock(&client->lock);
    bool kept = client->n_idle < MAX_IDLE;
    if (kept) {
        queue->next = client->idle;
        client->idle = queue;
        client->n_idle++;
    }
    pthread_mutex_unlock(&client->lock);
    if (!kept)
        bertd_queue_destroy(&queue);
}

static enum bertd_status run(struct bertd_client *client, const struct bertd_inputs *inputs,
                             const struct bertd_call_options *options, void **ret, struct bertd_error *err)
{
    struct bertd_queue *queue = NULL;
    struct bertd_call *call = NULL;
    enum bertd_status status = take_queue(client, &queue, err);
    if (status != BERTD_OK)
        return status;
    status = bertd_call_create(queue, inputs, options, NULL, &call, err);
    if (status == BERTD_OK) {
        bertd_queue_wait(queue, -1);
        status = bertd_call_status(call, err);
        *ret = call->result;
        call->result = NULL;
        bertd_call_destroy(&call);
    }
    give_queue_back(client, queue);
    return status;
}

enum bertd_status bertd_embed(struct bertd_client *client, const char *const *texts, const size_t *lengths, size_t n,
                              const struct bertd_call_options *options, struct bertd_embeddings **ret,
                              struct bertd_error *err)
{
    struct bertd_inputs inputs = {.operation = BERTD_EMBED, .texts = texts, .lengths = lengths, .n = n};
    void *result = NULL;
    enum bertd_status status = run(client, &inputs, options, &result, err);
    if (status == BERTD_OK)
        *ret = result;
    return status;
}

/* The caller's options with another buffer. Errors are found by the call. */
static struct bertd_call_options with_buffer(const struct bertd_call_options *options, float *buffer, size_t capacity)
{
    struct bertd_call_options changed = bertd_call_options_default();
    if (options)
        memcpy(&changed, options, options->size < sizeof changed ? options->size : sizeof changed);
    changed.size = sizeof changed;
    changed.buffer = buffer;
    changed.capacity = capacity;
    return changed;
}

enum bertd_status bertd_embed_one(struct bertd_client *client, const char *text,
                                  const struct bertd_call_options *options, float *vector, size_t capacity,
                                  size_t *ret_width, struct bertd_error *err)
{
    struct bertd_embeddings *found = NULL;
    struct bertd_call_options changed = with_buffer(options, vector, capacity);
    enum bertd_status status = bertd_embed(client, &text, NULL, 1, &changed, &found, err);
    if (status == BERTD_OK && ret_width)
        *ret_width = found->width;
    bertd_free(found);
    return status;
}

enum bertd_status bertd_embed_all(struct bertd_client *client, const char *const *texts, const size_t *lengths,
                                  size_t n, const struct bertd_call_options *options,
                                  struct bertd_token_embeddings **ret, struct bertd_error *err)
{
    struct bertd_inputs inputs = {.operation = BERTD_EMBED_ALL, .texts = texts, .lengths = lengths, .n = n};
    void *result = NULL;
    enum bertd_status status = run(client, &inputs, options, &result, err);
    if (status == BERTD_OK)
        *ret = result;
    return status;
}

enum bertd_status bertd_tokenize(struct bertd_client *client, const char *const *texts, const size_t *lengths, size_t n,
                                 const struct bertd_call_options *options, struct bertd_tokens **ret,
                                 struct bertd_error *err)
{
    struct bertd_inputs inputs = {.operation = BERTD_TOKENIZE, .texts = texts, .lengths = lengths, .n = n};
    void *result = NULL;
    enum bertd_status status = run(client, &inputs, options, &result, err);
    if (status == BERTD_OK)
        *ret = result;
    return status;
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static float cosine(const float *a, const float *b, size_t n)
{
    double lengths = sqrt(dot(a, a, n) * dot(b, b, n));
    double value = lengths > 0 ? dot(a, b, n) / lengths : 0;
    return (float)(value > 1 ? 1 : value < -1 ? -1 : value);
}

enum bertd_status bertd_similarity(struct bertd_client *client, const char *source, const char *const *texts,
                                   const size_t *lengths, size_t n, const struct bertd_call_options *options,
                                   float *scores, struct bertd_error *err)
{
    struct bertd_embeddings *found = NULL;
    struct bertd_call_options changed = with_buffer(options, NULL, 0);
    if (n == 0 || n >= SIZE_MAX / sizeof source || !texts || !source)
        return bertd_fail(err, BERTD_INVALID, "give a source and at least one text to compare with it");
    const char **all = bertd_memory_new(&client->memory, n + 1, sizeof *all);
    size_t *all_lengths = bertd_memory_new(&client->memory, n + 1, sizeof *all_lengths);
    enum bertd_status status = BERTD_NO_MEMORY;
    if (!all || !all_lengths) {
        bertd_fail_memory(err);
    } else {
        all[0] = source;
        all_lengths[0] = strlen(source);
        for (size_t i = 0; i < n; i++) {
            all[i + 1] = texts[i];
            all_lengths[i + 1] = lengths ? lengths[i] : texts[i] ? strlen(texts[i]) : 1;
        }
        status = bertd_embed(client, all, all_lengths, n + 1, &changed, &found, err);
        if (status != BERTD_OK && err && err->input >= 0)
            err->input--; /* of the texts; -1 is the source */
    }
    for (size_t i = 0; status == BERTD_OK && i < n; i++)
        scores[i] = cosine(found->vectors, found->vectors + (i + 1) * found->width, found->width);
    bertd_free(found);
    bertd_memory_free(&client->memory, all);
    bertd_memory_free(&client->memory, all_lengths);
    return status;
}

enum bertd_status bertd_get_info(struct bertd_client *client, const struct bertd_call_options *options,
                                 struct bertd_info **ret, struct bertd_error *err)
{
    struct bertd_inputs inputs = {.operation = BERTD_INFO, .n = 1};
    void *result = NULL;
    enum bertd_status status = run(client, &inputs, options, &result, err);
    if (status == BERTD_OK)
        *ret = result;
    return status;
}

enum bertd_status bertd_check_health(struct bertd_client *client, const struct bertd_call_options *options,
                                     struct bertd_error *err)
{
    struct bertd_inputs inputs = {.operation = BERTD_HEALTH, .n = 1};
    void *result = NULL;
    return run(client, &inputs, options, &result, err);
}

enum bertd_status bertd_get(struct bertd_client *client, const char *path, const struct bertd_call_options *options,
                            struct bertd_text **ret, struct bertd_error *err)
{
    struct bertd_inputs inputs = {.operation = BERTD_GET, .n = 1, .path = path};
    void *result = NULL;
    size_t len = path ? strnlen(path, LONGEST_PATH) : 0;
    if (len == 0 || len == LONGEST_PATH || path[0] != '/')
        return bertd_fail(err, BERTD_INVALID, "a path begins with / and is shorter than %d bytes", LONGEST_PATH);
    for (size_t i = 0; i < len; i++)
        if (path[i] <= ' ' || path[i] > '~')
            return bertd_fail(err, BERTD_INVALID, "a path has visible ASCII: write other bytes as %%XX");
    enum bertd_status status = run(client, &inputs, options, &result, err);
    if (status == BERTD_OK)
        *ret = result;
    return status;
}
