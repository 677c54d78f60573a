/* Calls that do not wait, and their results. */
#include "clients/c/error.h"
#include "clients/c/queue.h"

static enum bertd_status submit(struct bertd_queue *queue, enum bertd_operation operation, const char *const *texts,
                                const size_t *lengths, size_t n, const struct bertd_call_options *options, void *cookie,
                                struct bertd_call **ret, struct bertd_error *err)
{
    struct bertd_inputs inputs = {.operation = operation, .texts = texts, .lengths = lengths, .n = n};
    return bertd_call_create(queue, &inputs, options, cookie, ret, err);
}

enum bertd_status bertd_submit_embed(struct bertd_queue *queue, const char *const *texts, const size_t *lengths,
                                     size_t n, const struct bertd_call_options *options, void *cookie,
                                     struct bertd_call **ret, struct bertd_error *err)
{
    return submit(queue, BERTD_EMBED, texts, lengths, n, options, cookie, ret, err);
}

enum bertd_status bertd_submit_embed_all(struct bertd_queue *queue, const char *const *texts, const size_t *lengths,
                                         size_t n, const struct bertd_call_options *options, void *cookie,
                                         struct bertd_call **ret, struct bertd_error *err)
{
    return submit(queue, BERTD_EMBED_ALL, texts, lengths, n, options, cookie, ret, err);
}

enum bertd_status bertd_submit_tokenize(struct bertd_queue *queue, const char *const *texts, const size_t *lengths,
                                        size_t n, const struct bertd_call_options *options, void *cookie,
                                        struct bertd_call **ret, struct bertd_error *err)
{
    return submit(queue, BERTD_TOKENIZE, texts, lengths, n, options, cookie, ret, err);
}

static enum bertd_status take(struct bertd_call *call, enum bertd_operation operation, void **ret,
                              struct bertd_error *err)
{
    if (call->inputs.operation != operation)
        return bertd_fail(err, BERTD_INVALID, "the call is of another kind than the result that is asked for");
    if (!call->done)
        return bertd_fail(err, BERTD_INVALID, "the call is not done: wait until bertd_queue_poll gives it");
    if (call->error.status != BERTD_OK)
        return bertd_fail_as(err, &call->error);
    if (!call->result)
        return bertd_fail(err, BERTD_INVALID, "the result of the call was taken before");
    *ret = call->result;
    call->result = NULL;
    return BERTD_OK;
}

enum bertd_status bertd_call_embeddings(struct bertd_call *call, struct bertd_embeddings **ret, struct bertd_error *err)
{
    void *result = NULL;
    enum bertd_status status = take(call, BERTD_EMBED, &result, err);
    if (status == BERTD_OK)
        *ret = result;
    return status;
}

enum bertd_status bertd_call_token_embeddings(struct bertd_call *call, struct bertd_token_embeddings **ret,
                                              struct bertd_error *err)
{
    void *result = NULL;
    enum bertd_status status = take(call, BERTD_EMBED_ALL, &result, err);
    if (status == BERTD_OK)
        *ret = result;
    return status;
}

enum bertd_status bertd_call_tokens(struct bertd_call *call, struct bertd_tokens **ret, struct bertd_error *err)
{
    void *result = NULL;
    enum bertd_status status = take(call, BERTD_TOKENIZE, &result, err);
    if (status == BERTD_OK)
        *ret = result;
    return status;
}
