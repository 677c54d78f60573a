#include "server/serve/accounts.h"

#include "base/clock.h"
#include "base/mem.h"
#include "server/serve/call.h"
#include "server/serve/server.h"

static const double seconds_of_requests = 1, seconds_of_tokens = 60; /* that may come at once */

void serve_account_release(struct serve_account *account)
{
    if (account && atomic_fetch_sub(&account->references, 1) == 1)
        mem_free(account);
}

static void count(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

enum status serve_account_admit(struct serve_call *call, struct error *err)
{
    struct serve_account *account = call->account;
    uint64_t wait_ns = 0;
    if (!account)
        return STATUS_OK;
    if (atomic_load(&account->bulk)) {
        call->has_class = true;
        call->class = BATCH_BULK;
    }
    if (serve_limit_take(&account->requests, 1, seconds_of_requests, clock_now_ns(), &wait_ns) == SERVE_TAKEN) {
        count(&account->n_requests, 1);
        return STATUS_OK;
    }
    count(&account->n_refused_requests, 1);
    call->retry_after_ns = wait_ns;
    return error_set(err, STATUS_OVERLOADED,
                     "the API key %s has made its %g requests a second (requests_per_second): try again in %llu s",
                     account->name, atomic_load(&account->requests.per_second), serve_seconds_up(wait_ns));
}

enum status serve_account_take_tokens(struct serve_call *call, uint64_t tokens, struct error *err)
{
    struct serve_account *account = call->account;
    uint64_t wait_ns = 0;
    if (!account)
        return STATUS_OK;
    enum serve_taken taken = serve_limit_take(&account->tokens, tokens, seconds_of_tokens, clock_now_ns(), &wait_ns);
    if (taken == SERVE_TAKEN) {
        count(&account->n_tokens, tokens);
        return STATUS_OK;
    }
    double limit = atomic_load(&account->tokens.per_second) * seconds_of_tokens;
    count(&account->n_refused_tokens, 1);
    if (taken == SERVE_TAKE_NEVER)
        return error_set(err, STATUS_VALIDATION,
                         "the request has %llu tokens, more than the %g a minute of the API key %s "
                         "(tokens_per_minute): send fewer or shorter inputs",
                         (unsigned long long)tokens, limit, account->name);
    call->retry_after_ns = wait_ns;
    return error_set(err, STATUS_OVERLOADED,
                     "the API key %s has used its %g tokens a minute (tokens_per_minute): try again in %llu s",
                     account->name, limit, serve_seconds_up(wait_ns));
}

/* Names need no escapes. An account with several keys is told of once: they stand next to each other or not. */
static bool is_first(const struct serve_access *access, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (access->keys[i].account == access->keys[index].account)
            return false;
    }
    return true;
}

static void write_counter(const struct serve_access *access, struct buf *out, const char *name, const char *help,
                          size_t offset)
{
    metrics_write_head(out, name, "counter", help);
    for (uint32_t i = 0; i < access->n_keys; i++) {
        struct serve_account *account = access->keys[i].account;
        atomic_uint_fast64_t *counter = (atomic_uint_fast64_t *)((char *)account + offset);
        if (is_first(access, i))
            buf_printf(out, "%s{key=\"%s\"} %llu\n", name, account->name,
                       (unsigned long long)atomic_load_explicit(counter, memory_order_relaxed));
    }
}

static void write_refused(const struct serve_access *access, struct buf *out)
{
    static const char name[] = "bertd_key_refused_total";
    metrics_write_head(out, name, "counter", "Requests of an API key past one of its limits");
    for (uint32_t i = 0; i < access->n_keys; i++) {
        const struct serve_account *account = access->keys[i].account;
        if (is_first(access, i))
            buf_printf(out, "%s{key=\"%s\",limit=\"requests\"} %llu\n%s{key=\"%s\",limit=\"tokens\"} %llu\n", name,
                       account->name, (unsigned long long)atomic_load(&account->n_refused_requests), name,
                       account->name, (unsigned long long)atomic_load(&account->n_refused_tokens));
    }
}

static void write_all(void *cookie, struct buf *out)
{
    struct serve_access *access = cookie;
    pthread_rwlock_rdlock(&access->lock);
    if (access->n_keys > 0) {
        write_counter(access, out, "bertd_key_requests_total", "Requests of an API key that were admitted",
                      offsetof(struct serve_account, n_requests));
        write_counter(access, out, "bertd_key_tokens_total", "Tokens of an API key's requests",
                      offsetof(struct serve_account, n_tokens));
        write_refused(access, out);
    }
    pthread_rwlock_unlock(&access->lock);
}

enum status serve_access_init(struct serve_server *server, struct error *err)
{
    if (metrics_writer_create(server->options.metrics, write_all, &server->access))
        return error_set(err, STATUS_NO_MEMORY, "no memory for the metrics");
    pthread_rwlockattr_t writers_first; /* else a reload would wait for a moment without requests */
    pthread_rwlockattr_init(&writers_first);
    pthread_rwlockattr_setkind_np(&writers_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&server->access.lock, &writers_first);
    pthread_rwlockattr_destroy(&writers_first);
    return STATUS_OK;
}
