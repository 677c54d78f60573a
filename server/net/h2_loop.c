/* What connections and streams ask of their event thread. */
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>

#include "server/net/h2_parts.h"

enum { BYTE_NS = 1000000000 / 16384 };
/* Frames of which a client needs few: so many at once, and so many a second. */
enum { BUCKET_SIZE = 900, BUCKET_PER_SECOND = 30, BUCKET_NS = 1000000000 / BUCKET_PER_SECOND };

static _Thread_local const struct h2_loop *here;

void h2_loop_enter(const struct h2_loop *loop)
{
    here = loop;
}

bool h2_loop_is_here(const struct h2_loop *loop)
{
    return here == loop;
}

void h2_loop_wake(struct h2_loop *loop)
{
    eventfd_write(loop->wake, 1);
}

/* The thread looks at its jobs before it sleeps. */
void h2_loop_post(struct h2_loop *loop, struct h2_job *job)
{
    atomic_fetch_add(&loop->posting, 1);
    struct h2_job *last = atomic_load(&loop->jobs);
    do {
        job->next = last;
    } while (!atomic_compare_exchange_weak(&loop->jobs, &last, job));
    if (!last && here != loop)
        h2_loop_wake(loop);
    atomic_fetch_sub(&loop->posting, 1);
}

void h2_loop_mark(struct h2_connection *connection)
{
    if (connection->is_dirty)
        return;
    connection->is_dirty = true;
    connection->dirty_next = connection->loop->dirty;
    connection->loop->dirty = connection;
}

void h2_loop_mark_stream(struct h2_stream *stream)
{
    struct h2_loop *loop = stream->connection->loop;
    if (stream->is_due)
        return;
    stream->is_due = true;
    stream->due_next = loop->due;
    loop->due = stream;
}

static uint64_t idle_ns(const struct h2_loop *loop)
{
    return loop->h2->server->options.idle_timeout_s * 1000000000ull;
}

uint64_t h2_loop_expect(const struct h2_loop *loop)
{
    return loop->now_ns + idle_ns(loop);
}

uint64_t h2_loop_extend(const struct h2_loop *loop, uint64_t by_ns, size_t n)
{
    uint64_t most_ns = loop->now_ns + 2 * idle_ns(loop);
    by_ns += (uint64_t)n * BYTE_NS;
    return by_ns < most_ns ? by_ns : most_ns;
}

const char *h2_loop_date(struct h2_loop *loop)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if ((uint64_t)now.tv_sec != loop->date_s) {
        static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        struct tm tm;
        gmtime_r(&now.tv_sec, &tm);
        snprintf(loop->date, sizeof loop->date, "%s, %02d %s %d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
                 months[tm.tm_mon], 1900 + tm.tm_year, tm.tm_hour, tm.tm_min, tm.tm_sec);
        loop->date_s = (uint64_t)now.tv_sec;
    }
    return loop->date;
}

void h2_bucket_fill(struct h2_bucket *bucket)
{
    if (bucket->since_ns)
        bucket->left = BUCKET_SIZE;
}

bool h2_bucket_take(struct h2_bucket *bucket, uint64_t now_ns)
{
    uint64_t more = (now_ns - bucket->since_ns) / BUCKET_NS;
    if (more > 0 || bucket->since_ns == 0) {
        bucket->left = more > BUCKET_SIZE - bucket->left ? BUCKET_SIZE : bucket->left + (uint32_t)more;
        bucket->since_ns = now_ns;
    }
    if (bucket->left == 0)
        return false;
    bucket->left--;
    return true;
}
