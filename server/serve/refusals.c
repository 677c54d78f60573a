#include "server/serve/refusals.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/serve/log_fields.h"

/* One for the process, as the log is. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint64_t second;
    uint64_t left_out;
    uint32_t lines;
} windows[STATUS_COUNT];

int serve_refusals_allow(enum status status, uint64_t second, uint64_t *ret_left_out)
{
    pthread_mutex_lock(&lock);
    if (windows[status].second != second)
        windows[status].lines = 0;
    windows[status].second = second;
    int allowed = windows[status].lines < SERVE_REFUSALS_A_SECOND;
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

void serve_log_refusal(const struct serve_refusal *refusal)
{
    uint64_t left_out;
    if (!log_enabled(LOG_INFO) || !serve_refusals_allow(refusal->status, clock_now_ns() / 1000000000u, &left_out))
        return;
    struct log_field fields[SERVE_CALL_FIELDS + 8] = {
        log_str("request_id", refusal->id),      log_str("route", refusal->route),
        log_str("client", refusal->client),      log_str("status", status_name(refusal->status)),
        log_str("reason", refusal->reason),      log_int("left_out", (int64_t)left_out),
        log_int("code", (int64_t)refusal->code), {NULL, LOG_END, {0}}};
    struct serve_call_words words;
    if (refusal->code == 0)
        fields[6].kind = LOG_END;
    serve_add_call_fields(fields, refusal->call, &words);
    log_write(LOG_INFO, "request refused", fields);
}
