#include "clients/c/queue.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "clients/c/error.h"
#include "clients/c/transfer.h"

enum { EVENTS = 64 };

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *cookie, void *known)
{
    struct bertd_queue *queue = cookie;
    struct bertd_transfer *transfer = NULL;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(queue->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer) == CURLE_OK && transfer)
        transfer->listens = what & CURL_POLL_IN;
    struct epoll_event event = {.data.u64 = (uint32_t)fd};
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (epoll_ctl(queue->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0)
        queue->broken = true;
    curl_multi_assign(queue->multi, fd, queue);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *cookie)
{
    struct bertd_queue *queue = cookie;
    (void)multi;
    queue->curl_at_ms = timeout_ms < 0 ? UINT64_MAX : bertd_client_now_ms() + (uint64_t)timeout_ms;
    return 0;
}

enum bertd_status bertd_queue_create(struct bertd_client *client, struct bertd_queue **ret, struct bertd_error *err)
{
    struct bertd_queue *queue = bertd_memory_new(&client->memory, 1, sizeof *queue);
    if (!queue)
        return bertd_fail_memory(err);
    queue->client = client;
    queue->curl_at_ms = UINT64_MAX;
    queue->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    queue->multi = curl_multi_init();
    if (queue->epoll_fd < 0 || !queue->multi) {
        enum bertd_status status =
            queue->multi ? bertd_fail(err, BERTD_SYSTEM, "no descriptor for a queue: close some, or raise ulimit -n")
                         : bertd_fail_memory(err);
        bertd_queue_destroy(&queue);
        return status;
    }
    curl_multi_setopt(queue->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(queue->multi, CURLMOPT_SOCKETDATA, queue);
    curl_multi_setopt(queue->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(queue->multi, CURLMOPT_TIMERDATA, queue);
    *ret = queue;
    return BERTD_OK;
}

static void destroy_calls(struct bertd_calls *calls)
{
    while (calls->first) {
        struct bertd_call *call = calls->first;
        bertd_call_destroy(&call);
    }
}

void bertd_queue_destroy(struct bertd_queue **queue)
{
    struct bertd_queue *gone = *queue;
    *queue = NULL;
    if (!gone)
        return;
    destroy_calls(&gone->active);
    destroy_calls(&gone->done);
    destroy_calls(&gone->reported);
    while (gone->free) {
        struct bertd_transfer *next = gone->free->next;
        bertd_transfer_destroy(gone->free);
        gone->free = next;
    }
    if (gone->multi)
        curl_multi_cleanup(gone->multi);
    if (gone->epoll_fd >= 0)
        close(gone->epoll_fd);
    bertd_memory_free(&gone->client->memory, gone);
}

/* Transfers that ended. Returns whether there were any. */
static bool take_ended(struct bertd_queue *queue, uint64_t now_ms)
{
    bool any = false;
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(queue->multi, &left))) {
        struct bertd_transfer *transfer = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* the message is gone with its transfer */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        bertd_call_on_transfer(transfer, code, now_ms);
        any = true;
    }
    return any;
}

static void advance_all(struct bertd_queue *queue, uint64_t now_ms)
{
    struct bertd_error err;
    for (struct bertd_call *call = queue->active.first, *next = NULL; call; call = next) {
        next = call->next;
        if (queue->broken) {
            bertd_fail(&err, BERTD_SYSTEM,
                       "no memory of the system to watch a socket: raise fs.epoll.max_user_watches");
            bertd_call_fail(call, &err);
        }
        bertd_call_advance(call, now_ms);
    }
    queue->broken = false;
}

static void tell_curl(struct bertd_queue *queue, const struct epoll_event *event)
{
    int running = 0;
    int what = (event->events & EPOLLIN ? CURL_CSELECT_IN : 0) | (event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (event->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    if (event->data.u64 != BERTD_QUEUE_SWITCH)
        curl_multi_socket_action(queue->multi, (curl_socket_t)event->data.u64, what, &running);
}

/* Wait up to `wait_ms` (-1: for ever) until there is something to do, and do it. */
static void work(struct bertd_queue *queue, int wait_ms)
{
    struct epoll_event events[EVENTS];
    int running = 0;
    bool again = true;
    int n = epoll_wait(queue->epoll_fd, events, EVENTS, wait_ms);
    for (int i = 0; i < n; i++)
        tell_curl(queue, &events[i]);
    while (again) {
        uint64_t now_ms = bertd_client_now_ms();
        if (queue->curl_at_ms <= now_ms) {
            queue->curl_at_ms = UINT64_MAX;
            curl_multi_socket_action(queue->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        again = take_ended(queue, now_ms);
        advance_all(queue, now_ms);
        again = again || queue->curl_at_ms <= now_ms;
    }
}

int bertd_queue_fd(const struct bertd_queue *queue)
{
    return queue->epoll_fd;
}

int bertd_queue_timeout_ms(const struct bertd_queue *queue)
{
    uint64_t at = queue->pending > 0 ? queue->curl_at_ms : UINT64_MAX, now_ms = bertd_client_now_ms();
    if (queue->done.first)
        return 0;
    for (const struct bertd_call *call = queue->active.first; call; call = call->next) {
        uint64_t its = bertd_call_wakes_ms(call);
        at = its < at ? its : at;
    }
    if (at == UINT64_MAX)
        return -1;
    if (at <= now_ms)
        return 0;
    return at - now_ms < INT32_MAX ? (int)(at - now_ms) : INT32_MAX;
}

static struct bertd_call *take_done(struct bertd_queue *queue)
{
    struct bertd_call *call = queue->done.first;
    if (call)
        bertd_call_move(call, &queue->reported);
    return call;
}

struct bertd_call *bertd_queue_poll(struct bertd_queue *queue)
{
    if (!queue->done.first)
        work(queue, 0);
    return take_done(queue);
}

struct bertd_call *bertd_queue_wait(struct bertd_queue *queue, int timeout_ms)
{
    uint64_t end_ms = timeout_ms < 0 ? UINT64_MAX : bertd_client_now_ms() + (uint64_t)timeout_ms;
    while (!queue->done.first && queue->pending > 0) {
        uint64_t now_ms = bertd_client_now_ms();
        int wait_ms = bertd_queue_timeout_ms(queue);
        if (end_ms != UINT64_MAX && (wait_ms < 0 || end_ms < now_ms + (uint64_t)wait_ms))
            wait_ms = end_ms > now_ms ? (int)(end_ms - now_ms) : 0;
        work(queue, wait_ms);
        if (!queue->done.first && bertd_client_now_ms() >= end_ms)
            return NULL;
    }
    return take_done(queue);
}

size_t bertd_queue_pending(const struct bertd_queue *queue)
{
    return queue->pending;
}
