#include "server/http/refusals.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"

/* One for the process, as the log is. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint64_t second;
    uint64_t left_out;
    uint32_t lines;
} windows[STATUS_COUNT];

int http_refusals_allow(enum status status, uint64_t second, uint64_t *ret_left_out)
{
    pthread_mutex_lock(&lock);
    if (windows[status].second != second)
        windows[status].lines = 0;
    windows[status].second = second;
    int allowed = windows[status].lines < HTTP_REFUSALS_A_SECOND;
    if (allowed) {
        *ret_left_out = windows[status].left_out;
        windows[status].left_out = 0;
        windows[status].lines++;
    } else {
        windows[status].left_out++;
    }
    pthread_mutex_unlock(&lock);
    return allowed;
}

void http_log_refusal(const struct http_refusal *refusal)
{
    uint64_t left_out;
    if (!log_enabled(LOG_INFO) || !http_refusals_allow(refusal->status, clock_now_ns() / 1000000000u, &left_out))
        return;
    log_info("request refused", log_str("request_id", refusal->id), log_str("route", refusal->route),
             log_str("client", refusal->client), log_str("status", status_name(refusal->status)),
             log_str("reason", refusal->reason), log_int("left_out", (int64_t)left_out),
             refusal->code ? log_int("code", refusal->code) : (struct log_field){NULL, LOG_END, {0}});
}
