#include "clients/c/endpoint.h"

#include <time.h>

enum { LONGEST_REST_MS = 30000, PROBE_MS = 20, LONGEST_SHIFT = 10 };

uint64_t bertd_client_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t bertd_endpoint_bit(const struct bertd_client *client, const struct bertd_endpoint *endpoint)
{
    return UINT64_C(1) << (endpoint - client->endpoints);
}

/* The lock is held. */
static uint64_t jitter(struct bertd_client *client, uint64_t ms)
{
    client->random = client->random * 6364136223846793005u + 1442695040888963407u;
    return ms / 2 + (client->random >> 33) % (ms - ms / 2 + 1);
}

uint64_t bertd_endpoint_jitter(struct bertd_client *client, uint64_t ms)
{
    pthread_mutex_lock(&client->lock);
    uint64_t chosen = jitter(client, ms);
    pthread_mutex_unlock(&client->lock);
    return chosen;
}

/* When it may get a request, at the earliest; the lock is held. */
static uint64_t free_at(const struct bertd_client *client, const struct bertd_endpoint *endpoint, uint64_t now_ms)
{
    bool trial = endpoint->failures >= client->options.breaker_failures;
    if (endpoint->rests_until_ms > now_ms)
        return endpoint->rests_until_ms;
    return trial && endpoint->probing ? now_ms + PROBE_MS : now_ms;
}

/* The best of those that are not `tried`; the lock is held. */
static struct bertd_endpoint *best(struct bertd_client *client, uint64_t tried, bool any, uint64_t now_ms)
{
    struct bertd_endpoint *found = NULL;
    for (size_t i = 0; i < client->n_endpoints; i++) {
        struct bertd_endpoint *endpoint = &client->endpoints[i];
        if ((tried >> i & 1) || (!any && free_at(client, endpoint, now_ms) > now_ms))
            continue;
        if (!found || endpoint->running < found->running)
            found = endpoint;
    }
    return found;
}

static void find_earliest(const struct bertd_client *client, uint64_t now_ms, struct bertd_endpoint_choice *ret)
{
    ret->until_ms = UINT64_MAX;
    for (size_t i = 0; i < client->n_endpoints; i++) {
        uint64_t its = free_at(client, &client->endpoints[i], now_ms);
        if (its < ret->until_ms) {
            ret->until_ms = its;
            ret->last = client->endpoints[i].last;
        }
    }
}

void bertd_endpoint_choose(struct bertd_client *client, uint64_t tried, bool any, uint64_t now_ms,
                           struct bertd_endpoint_choice *ret)
{
    pthread_mutex_lock(&client->lock);
    struct bertd_endpoint *endpoint = best(client, tried, any, now_ms);
    if (!endpoint)
        endpoint = best(client, 0, any, now_ms);
    *ret = (struct bertd_endpoint_choice){.endpoint = endpoint, .failed_trials = client->failed_trials};
    if (endpoint) {
        endpoint->running++;
        endpoint->probing = endpoint->failures >= client->options.breaker_failures;
        ret->known = endpoint->known;
    } else {
        find_earliest(client, now_ms, ret);
    }
    pthread_mutex_unlock(&client->lock);
}

bool bertd_endpoint_another(struct bertd_client *client, uint64_t tried, uint64_t now_ms)
{
    pthread_mutex_lock(&client->lock);
    bool found = best(client, tried, false, now_ms) != NULL;
    pthread_mutex_unlock(&client->lock);
    return found;
}

void bertd_endpoint_release(struct bertd_client *client, struct bertd_endpoint *endpoint)
{
    pthread_mutex_lock(&client->lock);
    endpoint->running--;
    endpoint->probing = false;
    pthread_mutex_unlock(&client->lock);
}

void bertd_endpoint_succeeded(struct bertd_client *client, struct bertd_endpoint *endpoint)
{
    pthread_mutex_lock(&client->lock);
    endpoint->running--;
    endpoint->probing = false;
    endpoint->failures = 0;
    pthread_mutex_unlock(&client->lock);
}

/* How long it rests; the lock is held. Requests that were under way when it began to rest say nothing new. */
static uint64_t rest_after_failure(struct bertd_client *client, struct bertd_endpoint *endpoint)
{
    const struct bertd_options *options = &client->options;
    bool rested = endpoint->failures >= options->breaker_failures;
    if (rested && !endpoint->probing)
        return 0;
    client->failed_trials += rested;
    if (++endpoint->failures < options->breaker_failures)
        return 0;
    unsigned times = endpoint->failures - options->breaker_failures;
    uint64_t rest_ms = (uint64_t)options->breaker_rest_ms << (times < LONGEST_SHIFT ? times : LONGEST_SHIFT);
    return jitter(client, rest_ms < LONGEST_REST_MS ? rest_ms : LONGEST_REST_MS);
}

void bertd_endpoint_failed(struct bertd_client *client, struct bertd_endpoint *endpoint, uint64_t now_ms,
                           const struct bertd_error *err)
{
    pthread_mutex_lock(&client->lock);
    uint64_t rest_ms = err->status == BERTD_OVERLOADED ? 0 : rest_after_failure(client, endpoint);
    if (rest_ms < err->retry_after_ms)
        rest_ms = err->retry_after_ms;
    endpoint->running--;
    endpoint->probing = false;
    endpoint->last = *err;
    if (endpoint->rests_until_ms < now_ms + rest_ms)
        endpoint->rests_until_ms = now_ms + rest_ms;
    pthread_mutex_unlock(&client->lock);
}

void bertd_endpoint_learn(struct bertd_client *client, struct bertd_endpoint *endpoint, struct bertd_knowledge *known,
                          struct bertd_info *info)
{
    pthread_mutex_lock(&client->lock);
    if (endpoint->info) {
        bertd_free(info);
        *known = endpoint->known;
    } else {
        endpoint->info = info;
        endpoint->known = *known;
    }
    pthread_mutex_unlock(&client->lock);
}

void bertd_endpoint_rest_only(struct bertd_client *client, struct bertd_endpoint *endpoint)
{
    pthread_mutex_lock(&client->lock);
    endpoint->known.rest_only = true;
    pthread_mutex_unlock(&client->lock);
}
