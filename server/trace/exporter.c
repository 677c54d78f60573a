#include "server/trace/exporter.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"

enum { ATTEMPTS = 5, LONGEST_WAIT_MS = 30000, END_MS = 2000, REASON_SIZE = 160 };

static const uint64_t millisecond_ns = 1000000u;

/* The spans of one request, encoded. */
struct piece {
    char *json; /* [len], with commas between spans */
    size_t len;
    uint32_t n_spans;
    uint64_t queued_ns;
    struct piece *next;
};

struct trace_exporter {
    struct trace_settings settings; /* read-only */
    const char *version;
    trace_on_change *on_change;
    pthread_mutex_t lock; /* guards the queue and `stop` */
    pthread_cond_t wake;
    struct piece *first;
    struct piece **end; /* of the queue: where the next one is hung */
    uint32_t n_spans;   /* queued */
    bool stop;
    atomic_uint_fast64_t end_ns; /* when even a transfer that runs is given up; 0: not yet */
    atomic_uint_fast64_t sent;
    atomic_uint_fast64_t dropped;
    pthread_t thread;
    /* The thread's own: */
    CURL *curl;
    bool works; /* the last batch was taken */
};

enum outcome { TAKEN, AGAIN, REFUSED };

static size_t ignore(char *bytes, size_t size, size_t n, void *cookie)
{
    (void)bytes;
    (void)cookie;
    return size * n;
}

/* Nonzero ends the transfer. */
static int on_progress(void *cookie, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct trace_exporter *exporter = cookie;
    (void)a, (void)b, (void)c, (void)d;
    uint64_t end = atomic_load(&exporter->end_ns);
    return end && clock_now_ns() > end;
}

static bool set_up(struct trace_exporter *exporter)
{
    const struct trace_settings *settings = &exporter->settings;
    char agent[64];
    CURL *curl = exporter->curl = curl_easy_init();
    if (!curl)
        return false;
    snprintf(agent, sizeof agent, "bertd/%s", exporter->version);
    bool fine = curl_easy_setopt(curl, CURLOPT_URL, settings->url) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_USERAGENT, agent) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    if (settings->certificate)
        fine = fine && curl_easy_setopt(curl, CURLOPT_CAINFO, settings->certificate) == CURLE_OK;
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, settings->headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)settings->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, exporter);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    return fine;
}

/* The address is never said: it may have a password in it. */
static enum outcome post(struct trace_exporter *exporter, const struct buf *body, char reason[REASON_SIZE])
{
    long code = 0;
    curl_easy_setopt(exporter->curl, CURLOPT_POSTFIELDS, body->data);
    curl_easy_setopt(exporter->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
    CURLcode result = curl_easy_perform(exporter->curl);
    if (result != CURLE_OK) {
        snprintf(reason, REASON_SIZE, "%s", curl_easy_strerror(result));
        return AGAIN;
    }
    curl_easy_getinfo(exporter->curl, CURLINFO_RESPONSE_CODE, &code);
    snprintf(reason, REASON_SIZE, "the collector answers %ld", code);
    if (code >= 200 && code < 300)
        return TAKEN;
    return code == 429 || code == 502 || code == 503 || code == 504 ? AGAIN : REFUSED;
}

/* False when the exporter ends meanwhile. */
static bool wait_ms(struct trace_exporter *exporter, uint64_t ms)
{
    uint64_t until = clock_now_ns() + ms * millisecond_ns;
    pthread_mutex_lock(&exporter->lock);
    while (!exporter->stop && clock_now_ns() < until)
        cond_wait_until(&exporter->wake, &exporter->lock, until);
    bool stopped = exporter->stop;
    pthread_mutex_unlock(&exporter->lock);
    return !stopped;
}

static void tell(struct trace_exporter *exporter, bool works, const char *reason)
{
    if (works != exporter->works && exporter->on_change)
        exporter->on_change(works ? NULL : reason);
    exporter->works = works;
}

static bool deliver(struct trace_exporter *exporter, const struct buf *body)
{
    char reason[REASON_SIZE] = "no memory";
    uint64_t pause_ms = exporter->settings.delay_ms;
    enum outcome outcome = REFUSED;
    for (int attempt = 0; !body->failed && attempt < ATTEMPTS; attempt++) {
        outcome = post(exporter, body, reason);
        tell(exporter, outcome == TAKEN, reason);
        if (outcome != AGAIN || attempt + 1 == ATTEMPTS || !wait_ms(exporter, pause_ms))
            break;
        pause_ms = pause_ms * 2 < LONGEST_WAIT_MS ? pause_ms * 2 : LONGEST_WAIT_MS;
    }
    return outcome == TAKEN;
}

/* Take up to a batch off the queue, at least one piece. The lock is held. */
static struct piece *take_batch(struct trace_exporter *exporter, uint32_t *ret_spans)
{
    struct piece *batch = exporter->first, **last = &batch;
    uint32_t n = 0;
    while (*last && (n == 0 || n + (*last)->n_spans <= exporter->settings.max_batch)) {
        n += (*last)->n_spans;
        last = &(*last)->next;
    }
    exporter->first = *last;
    if (!exporter->first)
        exporter->end = &exporter->first;
    *last = NULL;
    exporter->n_spans -= n;
    *ret_spans = n;
    return batch;
}

static void write_body(const struct trace_exporter *exporter, struct buf *out, const struct piece *batch)
{
    buf_printf(
        out,
        "{\"resourceSpans\":[{\"resource\":%s,\"scopeSpans\":[{\"scope\":{\"name\":\"bertd\",\"version\":\"%s\"},"
        "\"spans\":[",
        exporter->settings.resource, exporter->version);
    for (const struct piece *piece = batch; piece; piece = piece->next) {
        buf_append(out, piece->json, piece->len);
        if (piece->next)
            buf_puts(out, ",");
    }
    buf_puts(out, "]}]}]}");
}

static void free_pieces(struct piece *piece)
{
    while (piece) {
        struct piece *next = piece->next;
        mem_free(piece->json);
        mem_free(piece);
        piece = next;
    }
}

static void send_batch(struct trace_exporter *exporter, struct piece *batch, uint32_t n_spans)
{
    struct buf body = {0};
    write_body(exporter, &body, batch);
    free_pieces(batch);
    atomic_fetch_add(deliver(exporter, &body) ? &exporter->sent : &exporter->dropped, n_spans);
    buf_finish(&body);
}

/* When the oldest span has waited long enough; the lock is held. */
static uint64_t due_ns(const struct trace_exporter *exporter)
{
    if (exporter->stop || exporter->n_spans >= exporter->settings.max_batch)
        return 0;
    return exporter->first ? exporter->first->queued_ns + exporter->settings.delay_ms * millisecond_ns : COND_FOREVER;
}

static void *run(void *cookie)
{
    struct trace_exporter *exporter = cookie;
    pthread_mutex_lock(&exporter->lock);
    while (exporter->first || !exporter->stop) {
        uint64_t due = due_ns(exporter);
        if (clock_now_ns() < due) {
            cond_wait_until(&exporter->wake, &exporter->lock, due);
            continue;
        }
        uint32_t n = 0;
        struct piece *batch = take_batch(exporter, &n);
        pthread_mutex_unlock(&exporter->lock);
        send_batch(exporter, batch, n);
        pthread_mutex_lock(&exporter->lock);
    }
    pthread_mutex_unlock(&exporter->lock);
    return NULL;
}

static void free_exporter(struct trace_exporter *exporter)
{
    if (exporter->curl)
        curl_easy_cleanup(exporter->curl);
    free_pieces(exporter->first);
    pthread_cond_destroy(&exporter->wake);
    pthread_mutex_destroy(&exporter->lock);
    trace_settings_finish(&exporter->settings);
    mem_free(exporter);
    curl_global_cleanup();
}

static enum status start(struct trace_exporter **ret, const struct trace_settings *settings, const char *version,
                         trace_on_change *on_change, struct error *err)
{
    struct trace_exporter *exporter = mem_calloc(1, sizeof *exporter);
    if (!exporter)
        return error_set(err, STATUS_NO_MEMORY, "no memory for traces");
    exporter->settings = *settings;
    exporter->version = version;
    exporter->on_change = on_change;
    exporter->works = true;
    exporter->end = &exporter->first;
    pthread_mutex_init(&exporter->lock, NULL);
    cond_init(&exporter->wake);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (set_up(exporter) && pthread_create(&exporter->thread, NULL, run, exporter) == 0) {
        *ret = exporter;
        return STATUS_OK;
    }
    exporter->settings = (struct trace_settings){0}; /* the caller's still */
    free_exporter(exporter);
    return error_set(err, STATUS_INTERNAL, "the thread that sends spans could not be started");
}

enum status trace_exporter_create(struct trace_exporter **ret, const char *version,
                                  const char *(*get_env)(const char *), trace_on_change *on_change, struct error *err)
{
    struct trace_settings settings = {0};
    enum status status = trace_settings_read(&settings, version, get_env, err);
    if (status != STATUS_OK)
        return status;
    if (!settings.url) {
        *ret = NULL;
        return STATUS_OK;
    }
    status = start(ret, &settings, version, on_change, err);
    if (status != STATUS_OK)
        trace_settings_finish(&settings);
    return status;
}

void trace_exporter_destroy(struct trace_exporter **ref)
{
    struct trace_exporter *exporter = *ref;
    *ref = NULL;
    if (!exporter)
        return;
    atomic_store(&exporter->end_ns, clock_now_ns() + END_MS * millisecond_ns);
    pthread_mutex_lock(&exporter->lock);
    exporter->stop = true;
    pthread_cond_broadcast(&exporter->wake);
    pthread_mutex_unlock(&exporter->lock);
    pthread_join(exporter->thread, NULL);
    free_exporter(exporter);
}

bool trace_exporter_samples(const struct trace_exporter *exporter, const struct trace_context *context)
{
    return trace_settings_sample(&exporter->settings, context);
}

static uint64_t unix_minus_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - clock_now_ns();
}

static bool put(struct trace_exporter *exporter, struct piece *piece)
{
    pthread_mutex_lock(&exporter->lock);
    bool room = !exporter->stop && exporter->n_spans + piece->n_spans <= exporter->settings.max_queue;
    if (room) {
        *exporter->end = piece;
        exporter->end = &piece->next;
        exporter->n_spans += piece->n_spans;
        bool due = exporter->first == piece || exporter->n_spans >= exporter->settings.max_batch;
        if (due)
            pthread_cond_signal(&exporter->wake);
    }
    pthread_mutex_unlock(&exporter->lock);
    return room;
}

void trace_exporter_submit(struct trace_exporter *exporter, const struct trace_context *context,
                           const struct trace_span *spans, uint32_t n)
{
    struct buf json = {0};
    uint64_t unix_ns = unix_minus_clock();
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0)
            buf_puts(&json, ",");
        trace_span_write(&json, context, &spans[i], unix_ns);
    }
    struct piece *piece = mem_calloc(1, sizeof *piece);
    size_t len = 0;
    char *bytes = buf_take(&json, &len);
    if (piece)
        *piece = (struct piece){.json = bytes, .len = len, .n_spans = n, .queued_ns = clock_now_ns()};
    if (piece && bytes && put(exporter, piece))
        return;
    mem_free(bytes);
    mem_free(piece);
    atomic_fetch_add(&exporter->dropped, n);
}

void trace_exporter_get_stats(const struct trace_exporter *exporter, struct trace_stats *ret)
{
    *ret = (struct trace_stats){.sent = atomic_load(&exporter->sent), .dropped = atomic_load(&exporter->dropped)};
}
