/* Which endpoint a request goes to: the one with the fewest requests that does not rest. One that fails again and again
 * rests, longer each time, and is then tried by a single request (a circuit breaker). */
#ifndef BERTD_CLIENT_ENDPOINT_H
#define BERTD_CLIENT_ENDPOINT_H

#include "clients/c/client.h"

/** Choose for a request, and count it as running there.
 *  tried        bit i: not endpoint i, where there is another
 *  any          those that rest count too
 *  ret_until    set where there is none: when to ask again, in ms
 *  ret_known    what is known of the endpoint
 *  ret_last     set where there is none: why the one that is the first to be tried again rests
 *  Returns NULL: all rest. Thread: any */
struct bertd_endpoint *bertd_endpoint_choose(struct bertd_client *client, uint64_t tried, bool any, uint64_t now_ms,
                                             uint64_t *ret_until, struct bertd_knowledge *ret_known,
                                             struct bertd_error *ret_last);
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
