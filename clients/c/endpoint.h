/* Which endpoint a request goes to: the one with the fewest requests that does not rest. One that fails again and again
 * rests, longer each time, and is then tried by a single request (a circuit breaker). */
#ifndef BERTD_CLIENT_ENDPOINT_H
#define BERTD_CLIENT_ENDPOINT_H

#include "clients/c/client.h"

/** What a request gets. */
struct bertd_endpoint_choice {
    struct bertd_endpoint *endpoint; /**< NULL: all rest */
    struct bertd_knowledge known;    /**< of the endpoint */
    uint64_t until_ms;               /**< where all rest: when to ask again */
    struct bertd_error last;         /**< where all rest: why the one that is the first to be tried again does */
    uint32_t failed_trials; /**< so often, since the client was made, an endpoint had rested and failed again */
};

/** Choose for a request, and count it as running there.
 *  tried  bit i: not endpoint i, where there is another
 *  any    those that rest count too. Thread: any */
void bertd_endpoint_choose(struct bertd_client *client, uint64_t tried, bool any, uint64_t now_ms,
                           struct bertd_endpoint_choice *ret);
/** Whether an endpoint that is not among `tried` could be chosen now. Thread: any */
bool bertd_endpoint_another(struct bertd_client *client, uint64_t tried, uint64_t now_ms);

/** A request ended and says nothing of the endpoint: it was cancelled. Thread: any */
void bertd_endpoint_release(struct bertd_client *client, struct bertd_endpoint *endpoint);
/** It answered. Thread: any */
void bertd_endpoint_succeeded(struct bertd_client *client, struct bertd_endpoint *endpoint);
/** It did not answer or is not well, or has too much to do (`err` says which, and for how long). Thread: any */
void bertd_endpoint_failed(struct bertd_client *client, struct bertd_endpoint *endpoint, uint64_t now_ms,
                           const struct bertd_error *err);

/** Remember what answers there, or that another request found it out before. Takes `info`.
 *  known  of `info`; what counts afterwards. Thread: any */
void bertd_endpoint_learn(struct bertd_client *client, struct bertd_endpoint *endpoint, struct bertd_knowledge *known,
                          struct bertd_info *info);
/** Remember that it has no EmbedBatch. Thread: any */
void bertd_endpoint_rest_only(struct bertd_client *client, struct bertd_endpoint *endpoint);
/** The bit of an endpoint in `tried`. */
uint64_t bertd_endpoint_bit(const struct bertd_client *client, const struct bertd_endpoint *endpoint);
/** From half of `ms` to all of it, by chance. Thread: any */
uint64_t bertd_endpoint_jitter(struct bertd_client *client, uint64_t ms);

#endif
