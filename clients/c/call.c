#include "clients/c/call.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clients/c/cancel.h"
#include "clients/c/error.h"
#include "clients/c/options.h"
#include "clients/c/part.h"
#include "clients/c/request.h"

void bertd_call_move(struct bertd_call *call, struct bertd_calls *list)
{
    if (call->list) {
        *(call->previous ? &call->previous->next : &call->list->first) = call->next;
        *(call->next ? &call->next->previous : &call->list->last) = call->previous;
    }
    call->list = list;
    call->next = NULL;
    call->previous = list ? list->last : NULL;
    if (!list)
        return;
    *(list->last ? &list->last->next : &list->first) = call;
    list->last = call;
}

static void end(struct bertd_call *call)
{
    struct bertd_queue *queue = call->queue;
    while (call->parts)
        bertd_part_destroy(call->parts);
    if (call->cancel_fd >= 0) {
        epoll_ctl(queue->epoll_fd, EPOLL_CTL_DEL, call->cancel_fd, NULL);
        close(call->cancel_fd);
        call->cancel_fd = -1;
    }
    call->done = true;
    queue->pending--;
    bertd_call_move(call, &queue->done);
}

void bertd_call_fail(struct bertd_call *call, const struct bertd_error *err)
{
    if (call->done)
        return;
    call->error = *err;
    bertd_answer_drop(call);
    end(call);
}

static void fail_memory(struct bertd_call *call)
{
    struct bertd_error err;
    bertd_fail_memory(&err);
    bertd_call_fail(call, &err);
}

/* Whether deadline or switch ended it. */
static bool is_over(struct bertd_call *call, uint64_t now_ms)
{
    struct bertd_error err;
    if (call->options.cancel && atomic_load(&call->options.cancel->thrown))
        bertd_fail(&err, BERTD_CANCELLED, "the call was cancelled by its switch");
    else if (now_ms >= call->deadline_ms)
        bertd_fail(&err, BERTD_DEADLINE, "no answer within %u ms: raise timeout_ms, or ask for less at once",
                   call->options.timeout_ms);
    else
        return false;
    bertd_call_fail(call, &err);
    return true;
}

static void try_part(struct bertd_part *part, uint64_t now_ms)
{
    struct bertd_call *call = part->call;
    struct bertd_error err;
    if (bertd_part_try(part, now_ms, &err) != BERTD_OK)
        bertd_call_fail(call, &err);
}

void bertd_call_on_transfer(struct bertd_transfer *transfer, CURLcode code, uint64_t now_ms)
{
    struct bertd_call *call = transfer->part->call;
    struct bertd_error err;
    if (bertd_part_on_transfer(transfer, code, now_ms, &err) != BERTD_OK)
        bertd_call_fail(call, &err);
}

/* A part that begins with the first text that is in none. False where there is no need of one. */
static bool add_part(struct bertd_call *call, uint64_t now_ms)
{
    if (call->done || call->next_text >= call->inputs.n || call->n_parts >= call->queue->client->options.connections)
        return false;
    for (const struct bertd_part *part = call->parts; part; part = part->next)
        if (part->begin == part->end)
            return false; /* it has yet to find out how many texts it may take */
    struct bertd_part *part = bertd_part_create(call, 0, 0);
    if (!part)
        fail_memory(call);
    else
        try_part(part, now_ms);
    return part != NULL;
}

void bertd_call_advance(struct bertd_call *call, uint64_t now_ms)
{
    struct bertd_error err;
    if (call->done || is_over(call, now_ms))
        return;
    for (struct bertd_part *part = call->parts, *next = NULL; part && !call->done; part = next) {
        next = part->next;
        if (part->step == BERTD_STEP_WAITING && part->not_before_ms <= now_ms)
            try_part(part, now_ms);
    }
    while (add_part(call, now_ms))
        ;
    if (call->done || call->texts_done < call->inputs.n)
        return;
    if (bertd_answer_finish(call, &err) == BERTD_OK)
        end(call);
    else
        bertd_call_fail(call, &err);
}

uint64_t bertd_call_wakes_ms(const struct bertd_call *call)
{
    uint64_t at = call->deadline_ms;
    for (const struct bertd_part *part = call->parts; part; part = part->next)
        if (part->step == BERTD_STEP_WAITING && part->not_before_ms < at)
            at = part->not_before_ms;
    return at;
}

static enum bertd_status check_choice(const char *name, enum bertd_choice choice, struct bertd_error *err)
{
    return choice <= BERTD_NO ? BERTD_OK
                              : bertd_fail(err, BERTD_INVALID, "%s is not BERTD_DEFAULT, BERTD_YES or BERTD_NO", name);
}

/* The caller's options, whatever size they had when it was built. */
static enum bertd_status read_options(struct bertd_call_options *ret, const struct bertd_call_options *options,
                                      struct bertd_error *err)
{
    struct bertd_call_options read = {.size = sizeof read};
    enum bertd_status status =
        options ? bertd_options_copy(&read, sizeof read, options, options->size, "call", err) : BERTD_OK;
    if (status != BERTD_OK || (status = bertd_options_check_header("request_id", read.request_id, err)) != BERTD_OK ||
        (status = bertd_options_check_header("traceparent", read.traceparent, err)) != BERTD_OK ||
        (status = check_choice("truncate", read.truncate, err)) != BERTD_OK ||
        (status = check_choice("normalize", read.normalize, err)) != BERTD_OK ||
        (status = check_choice("chunk", read.chunk, err)) != BERTD_OK)
        return status;
    if (read.priority > BERTD_PRIORITY_BULK)
        return bertd_fail(err, BERTD_INVALID, "priority is none of enum bertd_priority");
    if (read.truncate_direction > BERTD_LEFT)
        return bertd_fail(err, BERTD_INVALID, "truncate_direction is none of enum bertd_direction");
    *ret = read;
    return BERTD_OK;
}

static enum bertd_status check_inputs(const struct bertd_inputs *inputs, struct bertd_error *err)
{
    if (inputs->operation > BERTD_TOKENIZE)
        return BERTD_OK;
    if (inputs->n == 0 || !inputs->texts)
        return bertd_fail(err, BERTD_INVALID, "there are no texts: give at least one");
    for (size_t i = 0; i < inputs->n; i++)
        if (!inputs->texts[i] && (!inputs->lengths || inputs->lengths[i] > 0)) {
            bertd_fail(err, BERTD_INVALID, "text %zu is NULL", i);
            if (err)
                err->input = (int64_t)i;
            return BERTD_INVALID;
        }
    return BERTD_OK;
}

/* The call wakes its queue when the switch is thrown. Its descriptor is copied, since other calls of the queue may have
 * the same switch. */
static enum bertd_status watch_switch(struct bertd_call *call, struct bertd_error *err)
{
    if (!call->options.cancel)
        return BERTD_OK;
    int fd = fcntl(call->options.cancel->fd, F_DUPFD_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = BERTD_QUEUE_SWITCH};
    if (fd >= 0 && epoll_ctl(call->queue->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) {
        call->cancel_fd = fd;
        return BERTD_OK;
    }
    if (fd >= 0)
        close(fd);
    return bertd_fail(err, BERTD_SYSTEM, "no descriptor to watch the switch with: close some, or raise ulimit -n");
}

enum bertd_status bertd_call_create(struct bertd_queue *queue, const struct bertd_inputs *inputs,
                                    const struct bertd_call_options *options, void *cookie, struct bertd_call **ret,
                                    struct bertd_error *err)
{
    struct bertd_client *client = queue->client;
    struct bertd_call_options read;
    enum bertd_status status = read_options(&read, options, err);
    if (status != BERTD_OK || (status = check_inputs(inputs, err)) != BERTD_OK)
        return status;
    struct bertd_call *call = bertd_memory_new(&client->memory, 1, sizeof *call);
    if (!call)
        return bertd_fail_memory(err);
    if (read.timeout_ms == 0)
        read.timeout_ms = client->options.timeout_ms;
    *call = (struct bertd_call){.queue = queue, .inputs = *inputs, .options = read, .cookie = cookie, .cancel_fd = -1};
    call->error.input = -1;
    status = watch_switch(call, err);
    if (status != BERTD_OK) {
        bertd_memory_free(&client->memory, call);
        return status;
    }
    bool health = inputs->operation == BERTD_HEALTH;
    call->retries = health ? (uint32_t)client->n_endpoints - 1 : client->options.retries;
    uint64_t now_ms = bertd_client_now_ms();
    call->deadline_ms = now_ms + read.timeout_ms;
    queue->pending++;
    bertd_call_move(call, &queue->active);
    bertd_call_advance(call, now_ms);
    *ret = call;
    return BERTD_OK;
}

void *bertd_call_cookie(const struct bertd_call *call)
{
    return call->cookie;
}

enum bertd_status bertd_call_status(const struct bertd_call *call, struct bertd_error *err)
{
    return call->error.status == BERTD_OK ? BERTD_OK : bertd_fail_as(err, &call->error);
}

void bertd_call_cancel(struct bertd_call *call)
{
    struct bertd_error err;
    bertd_fail(&err, BERTD_CANCELLED, "the call was cancelled");
    bertd_call_fail(call, &err);
}

void bertd_call_destroy(struct bertd_call **call)
{
    struct bertd_call *gone = *call;
    *call = NULL;
    if (!gone)
        return;
    bertd_call_cancel(gone);
    bertd_answer_drop(gone);
    bertd_call_move(gone, NULL);
    bertd_memory_free(&gone->queue->client->memory, gone);
}
