#include "base/log_queue.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"

enum log_queue_state { DIRECT, QUEUED, STOPPING, DEAF /* stderr took nothing until the end */ };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    log_queue_notice *notice;
    enum log_queue_state state;
    uint64_t put, taken; /* bytes so far; their place is the remainder by the size */
    uint64_t dropped;    /* lines, of which nothing was said yet */
    uint64_t all_dropped;
    bool finished; /* the thread writes no more */
    char bytes[LOG_QUEUE_SIZE];
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void write_whole(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);
        if (n > 0) {
            line += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) { /* others may have made it non-blocking */
            struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (n == 0 || errno != EINTR) {
            return;
        }
    }
}

static void copy_in(const char *line, size_t len)
{
    size_t at = queue.put % LOG_QUEUE_SIZE;
    size_t first = len < LOG_QUEUE_SIZE - at ? len : LOG_QUEUE_SIZE - at;
    memcpy(queue.bytes + at, line, first);
    memcpy(queue.bytes, line + first, len - first);
    queue.put += len;
}

/* The next line into `line`; returns its length, 0 where nothing is queued. */
static size_t take(char line[LOG_LINE_SIZE])
{
    size_t len = 0;
    while (queue.taken < queue.put && len < LOG_LINE_SIZE) {
        line[len] = queue.bytes[queue.taken++ % LOG_QUEUE_SIZE];
        if (line[len++] == '\n')
            break;
    }
    if (len == 0 && queue.dropped > 0) {
        len = (size_t)queue.notice(line, LOG_LINE_SIZE, queue.dropped);
        queue.dropped = 0;
    }
    return len;
}

static void *run(void *unused)
{
    (void)unused;
    char line[LOG_LINE_SIZE];
    pthread_mutex_lock(&queue.lock);
    for (;;) {
        size_t len = take(line);
        if (len > 0) {
            pthread_mutex_unlock(&queue.lock);
            write_whole(line, len);
            pthread_mutex_lock(&queue.lock);
        } else if (queue.state == QUEUED) {
            cond_wait_until(&queue.changed, &queue.lock, COND_FOREVER);
        } else {
            break;
        }
    }
    queue.finished = true;
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
    return NULL;
}

enum status log_queue_start(log_queue_notice *notice, struct error *err)
{
    sigset_t all, before;
    queue.notice = notice;
    queue.finished = false;
    cond_init(&queue.changed);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the other threads */
    queue.state = QUEUED;
    int failed = pthread_create(&queue.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed)
        return STATUS_OK;
    queue.state = DIRECT;
    return error_set(err, STATUS_NO_MEMORY, "no thread for the log: %s", strerror(failed));
}

void log_queue_stop(uint32_t timeout_ms)
{
    uint64_t end = clock_now_ns() + timeout_ms * 1000000ull;
    pthread_mutex_lock(&queue.lock);
    bool running = queue.state == QUEUED;
    if (running) {
        queue.state = STOPPING;
        pthread_cond_broadcast(&queue.changed);
        while (!queue.finished && clock_now_ns() < end)
            cond_wait_until(&queue.changed, &queue.lock, end);
        queue.state = queue.finished ? DIRECT : DEAF;
    }
    bool finished = queue.finished;
    pthread_mutex_unlock(&queue.lock);
    if (running && finished)
        pthread_join(queue.thread, NULL);
    else if (running)
        pthread_detach(queue.thread);
}

/* A line that was dropped is spoken of before the next one that is not. */
static void enqueue(const char *line, size_t len)
{
    char notice[LOG_LINE_SIZE];
    size_t notice_len = queue.dropped > 0 ? (size_t)queue.notice(notice, sizeof notice, queue.dropped) : 0;
    if (LOG_QUEUE_SIZE - (queue.put - queue.taken) < notice_len + len) {
        queue.dropped++;
        queue.all_dropped++;
        return;
    }
    copy_in(notice, notice_len);
    copy_in(line, len);
    queue.dropped = 0;
    pthread_cond_signal(&queue.changed);
}

uint64_t log_queue_dropped(void)
{
    pthread_mutex_lock(&queue.lock);
    uint64_t dropped = queue.all_dropped;
    pthread_mutex_unlock(&queue.lock);
    return dropped;
}

void log_queue_put(const char *line, size_t len)
{
    pthread_mutex_lock(&queue.lock);
    enum log_queue_state state = queue.state;
    if (state == QUEUED || state == STOPPING)
        enqueue(line, len);
    pthread_mutex_unlock(&queue.lock);
    if (state == DIRECT)
        write_whole(line, len);
}
