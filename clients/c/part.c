#include "clients/c/part.h"

#include "clients/c/endpoint.h"
#include "clients/c/error.h"
#include "clients/c/learn.h"
#include "clients/c/request.h"

enum { DEFAULT_BATCH = 256, LONGEST_BACKOFF_MS = 10000, LONGEST_SHIFT = 10 };

static struct bertd_client *client_of(const struct bertd_part *part)
{
    return part->call->queue->client;
}

static enum bertd_operation operation_of(const struct bertd_part *part)
{
    return part->call->inputs.operation;
}

struct bertd_part *bertd_part_create(struct bertd_call *call, size_t begin, size_t end)
{
    struct bertd_part *part = bertd_memory_new(&call->queue->client->memory, 1, sizeof *part);
    if (!part)
        return NULL;
    *part = (struct bertd_part){.call = call, .next = call->parts, .begin = begin, .end = end};
    call->parts = part;
    call->n_parts++;
    return part;
}

static void give_transfer_back(struct bertd_part *part)
{
    if (part->transfer)
        bertd_transfer_give_back(part->call->queue, part->transfer);
    part->transfer = NULL;
}

void bertd_part_destroy(struct bertd_part *part)
{
    struct bertd_call *call = part->call;
    struct bertd_part **at = &call->parts;
    give_transfer_back(part);
    if (part->endpoint)
        bertd_endpoint_release(client_of(part), part->endpoint);
    while (*at != part)
        at = &(*at)->next;
    *at = part->next;
    call->n_parts--;
    bertd_memory_free(&call->queue->client->memory, part);
}

/* How many texts one request takes. */
static size_t batch_of(const struct bertd_part *part)
{
    size_t own = client_of(part)->options.max_batch,
           its = part->known.max_batch ? part->known.max_batch : DEFAULT_BATCH;
    return own && own < its ? own : its;
}

/* Take the first texts that are in no part: as many as a request takes, or fewer so that all requests are alike. */
static void take_texts(struct bertd_part *part)
{
    struct bertd_call *call = part->call;
    size_t batch = batch_of(part), left = call->inputs.n - call->next_text, n = 0;
    uint64_t bytes = 0, most = client_of(part)->options.max_request_bytes;
    size_t requests = (left + batch - 1) / batch;
    batch = (left + requests - 1) / requests;
    part->begin = call->next_text;
    for (; n < batch; n++) {
        bytes += operation_of(part) <= BERTD_TOKENIZE ? bertd_call_length(&call->inputs, part->begin + n) : 0;
        if (n > 0 && bytes > most)
            break;
    }
    part->end = call->next_text = part->begin + n;
}

/* Keep the first `n` texts; the others become a part that waits. False: no memory. */
static bool shorten(struct bertd_part *part, size_t n)
{
    if (!bertd_part_create(part->call, part->begin + n, part->end))
        return false;
    part->end = part->begin + n;
    return true;
}

static bool fit(struct bertd_part *part)
{
    if (part->step != BERTD_STEP_REQUEST && operation_of(part) <= BERTD_TOKENIZE)
        return true; /* how many is to be found out */
    if (part->begin == part->end)
        take_texts(part);
    return part->end - part->begin <= batch_of(part) || shorten(part, batch_of(part));
}

/* Send the request of its step to its endpoint. */
static enum bertd_status send_request(struct bertd_part *part, uint64_t now_ms, struct bertd_error *err)
{
    struct bertd_queue *queue = part->call->queue;
    uint64_t left_ms = part->call->deadline_ms > now_ms ? part->call->deadline_ms - now_ms : 1;
    bool post = false;
    part->transfer = fit(part) ? bertd_transfer_take(queue) : NULL;
    if (!part->transfer)
        return bertd_fail_memory(err);
    part->transfer->part = part;
    enum bertd_status status = bertd_request_write(part, left_ms, &post, err);
    if (status != BERTD_OK)
        return status;
    return bertd_transfer_start(queue, part->transfer, post, left_ms) ? BERTD_OK : bertd_fail_memory(err);
}

static enum bertd_step first_step(const struct bertd_part *part)
{
    enum bertd_operation operation = operation_of(part);
    bool known = part->known.server != BERTD_SERVER_UNKNOWN;
    if (operation == BERTD_HEALTH || operation == BERTD_GET || (operation != BERTD_INFO && known))
        return BERTD_STEP_REQUEST;
    return part->endpoint->openai ? BERTD_STEP_MODELS : BERTD_STEP_INFO;
}

/* All endpoints rest. One request at a time tries whether they are well: what it finds counts for all who wait.
 * False: no more tries. */
static bool wait_for_endpoint(struct bertd_part *part, const struct bertd_endpoint_choice *choice)
{
    if (part->waits)
        part->tries += choice->failed_trials - part->failed_trials;
    part->waits = true;
    part->failed_trials = choice->failed_trials;
    part->not_before_ms = choice->until_ms;
    return part->tries <= part->call->retries && choice->until_ms < part->call->deadline_ms;
}

enum bertd_status bertd_part_try(struct bertd_part *part, uint64_t now_ms, struct bertd_error *err)
{
    struct bertd_endpoint_choice choice;
    bertd_endpoint_choose(client_of(part), part->tried, operation_of(part) == BERTD_HEALTH, now_ms, &choice);
    if (!choice.endpoint)
        return wait_for_endpoint(part, &choice) ? BERTD_OK : bertd_fail_as(err, &choice.last);
    part->endpoint = choice.endpoint;
    part->known = choice.known;
    part->waits = false;
    part->step = first_step(part);
    return send_request(part, now_ms, err);
}

/* What follows on how a request ended. */
enum outcome { DONE, NEXT_STEP, AGAIN, ELSEWHERE, FAILED };

/* What answers is known now. */
static enum outcome learned(struct bertd_part *part, struct bertd_info *info)
{
    if (operation_of(part) == BERTD_INFO) {
        part->call->result = info;
        return DONE;
    }
    part->known = bertd_learn_knowledge(info);
    bertd_endpoint_learn(client_of(part), part->endpoint, &part->known, info);
    part->step = BERTD_STEP_REQUEST;
    return NEXT_STEP;
}

/* `answer` NULL: there is no such path. */
static enum outcome on_models(struct bertd_part *part, const struct bertd_bytes *answer, struct bertd_error *err)
{
    struct bertd_info *info = NULL;
    if (operation_of(part) == BERTD_HEALTH && answer)
        return DONE;
    enum bertd_status status =
        bertd_learn_models(client_of(part), part->endpoint, answer, operation_of(part) != BERTD_INFO, &info, err);
    if (status != BERTD_OK)
        return status == BERTD_PROTOCOL ? ELSEWHERE : FAILED;
    return learned(part, info);
}

static enum outcome on_info(struct bertd_part *part, const struct bertd_bytes *answer, struct bertd_error *err)
{
    struct bertd_info *info = NULL;
    if (answer && bertd_learn_info(client_of(part), part->endpoint, answer, &info, err) != BERTD_OK)
        return FAILED;
    if (info)
        return learned(part, info);
    part->step = BERTD_STEP_MODELS;
    return NEXT_STEP;
}

static enum outcome on_answer(struct bertd_part *part, struct bertd_error *err)
{
    if (part->step == BERTD_STEP_INFO)
        return on_info(part, &part->transfer->answer, err);
    if (part->step == BERTD_STEP_MODELS)
        return on_models(part, &part->transfer->answer, err);
    enum bertd_status status = bertd_answer_read(part, err);
    if (status == BERTD_PROTOCOL)
        bertd_transfer_distrust(part->transfer);
    return status == BERTD_OK ? DONE : status == BERTD_PROTOCOL ? ELSEWHERE : FAILED;
}

/* There is no such path: another kind of server than it seemed. */
static enum outcome on_absent(struct bertd_part *part, struct bertd_error *err)
{
    if (part->step == BERTD_STEP_INFO)
        return on_info(part, NULL, err);
    if (part->step == BERTD_STEP_MODELS)
        return on_models(part, NULL, err);
    if (operation_of(part) == BERTD_HEALTH && !part->endpoint->openai) {
        part->step = BERTD_STEP_MODELS;
        return NEXT_STEP;
    }
    if (!bertd_request_is_batch(part))
        return FAILED;
    part->known.rest_only = true;
    bertd_endpoint_rest_only(client_of(part), part->endpoint);
    return NEXT_STEP;
}

static enum outcome on_too_large(struct bertd_part *part, struct bertd_error *err)
{
    size_t n = part->end - part->begin;
    if (part->step != BERTD_STEP_REQUEST || n < 2)
        return FAILED;
    if (shorten(part, n / 2))
        return NEXT_STEP;
    bertd_fail_memory(err);
    return FAILED;
}

static enum outcome judge(struct bertd_part *part, CURLcode code, struct bertd_error *err)
{
    switch (bertd_transfer_judge(part->transfer, code, err)) {
    case BERTD_ANSWERED:
        return on_answer(part, err);
    case BERTD_ABSENT:
        return on_absent(part, err);
    case BERTD_TOO_LARGE:
        return on_too_large(part, err);
    case BERTD_AGAIN:
        return AGAIN;
    case BERTD_ELSEWHERE:
        return ELSEWHERE;
    case BERTD_FINAL:
        break;
    }
    return FAILED;
}

/* Set when to try again. False: no more. */
static bool try_again(struct bertd_part *part, bool elsewhere, uint64_t now_ms, const struct bertd_error *err)
{
    struct bertd_client *client = client_of(part);
    struct bertd_call *call = part->call;
    if (part->tries > call->retries)
        return false;
    part->step = BERTD_STEP_WAITING;
    part->not_before_ms = now_ms;
    if (operation_of(part) == BERTD_HEALTH || bertd_endpoint_another(client, part->tried, now_ms))
        return true;
    if (elsewhere)
        return false;
    unsigned shift = part->tries - 1 < LONGEST_SHIFT ? part->tries - 1 : LONGEST_SHIFT;
    uint64_t pause_ms = (uint64_t)client->options.backoff_ms << shift;
    pause_ms = bertd_endpoint_jitter(client, pause_ms < LONGEST_BACKOFF_MS ? pause_ms : LONGEST_BACKOFF_MS);
    part->tried = 0;
    part->not_before_ms = now_ms + (pause_ms > err->retry_after_ms ? pause_ms : err->retry_after_ms);
    return part->not_before_ms < call->deadline_ms;
}

/* Tell the endpoint, and let go of it. */
static void leave_endpoint(struct bertd_part *part, enum outcome outcome, uint64_t now_ms,
                           const struct bertd_error *err)
{
    struct bertd_endpoint *endpoint = part->endpoint;
    part->endpoint = NULL;
    if (outcome == AGAIN || outcome == ELSEWHERE)
        bertd_endpoint_failed(client_of(part), endpoint, now_ms, err);
    else if (outcome == DONE || err->http_status)
        bertd_endpoint_succeeded(client_of(part), endpoint);
    else
        bertd_endpoint_release(client_of(part), endpoint);
}

enum bertd_status bertd_part_on_transfer(struct bertd_transfer *transfer, CURLcode code, uint64_t now_ms,
                                         struct bertd_error *err)
{
    struct bertd_part *part = transfer->part;
    *err = (struct bertd_error){.input = -1};
    enum outcome outcome = judge(part, code, err);
    give_transfer_back(part);
    if (outcome == NEXT_STEP)
        return send_request(part, now_ms, err);
    part->tried |= bertd_endpoint_bit(client_of(part), part->endpoint);
    err->attempts = ++part->tries;
    leave_endpoint(part, outcome, now_ms, err);
    if (outcome == DONE) {
        part->call->texts_done += part->end - part->begin;
        bertd_part_destroy(part);
        return BERTD_OK;
    }
    if (outcome != FAILED && try_again(part, outcome == ELSEWHERE, now_ms, err))
        return BERTD_OK;
    return err->status;
}
