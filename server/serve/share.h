/* Sequences that are being computed, so that equal ones are computed once. Private to the room.
 *
 * A request whose results may be shared is a party, each of its sequences a part. A part leads when its party has it
 * computed, and waits when an equal one leads. Parts and parties are memory of their requests.
 *
 * A part waits only for a request of the same client, of the same class, that ends by its own deadline. Such a request
 * stands before it in the same line of the scheduler's queue: so nobody waits longer than if nothing were shared,
 * nobody is late because of another, and no deadline needs to be watched here. Who does not wait has the sequence
 * computed for itself.
 *
 * When a leader fails, its parts' waiters are open again: they look anew, and the first of them leads. Where it failed
 * by the computation itself, not by its deadline or its client, each is computed by itself from then on: else they
 * would fail one after the other.
 */
#ifndef BERTD_SERVE_SHARE_H
#define BERTD_SERVE_SHARE_H

#include <pthread.h>

#include "server/serve/cache.h"

enum serve_part_state { SERVE_PART_OPEN, SERVE_PART_DONE, SERVE_PART_LEADS, SERVE_PART_WAITS };

struct serve_part {
    struct serve_cache_key key;
    struct batch_item *item; /* with `out`; a result goes there, and the times */
    struct serve_party *party;
    bool cached; /* its result was in the cache */
    /* The room's own; guarded by the lock: */
    enum serve_part_state state;
    uint64_t since_ns;          /* WAITS */
    struct serve_part *lead;    /* WAITS: for this one */
    struct serve_part *waiters; /* LEADS */
    struct serve_part *next;    /* LEADS: of the bucket; WAITS: of the waiters */
    struct serve_part *previous;
};

struct serve_party {
    struct serve_part *parts; /* [n_parts] */
    uint32_t n_parts;
    struct serve_part **leads; /* [n_leads], space for n_parts: what it is to have computed in this round */
    uint32_t n_leads;
    uint64_t client;
    enum batch_class class;
    uint64_t deadline_ns;
    /* Guarded by the lock until the party is over: */
    uint32_t pending; /* what a round still waits for: its waiting parts, and one for all that lead */
    bool alone;       /* waits for no other party any more */
    bool over;
    enum status status; /* OK until its first failure */
    struct error err;
    struct serve_party *next; /* of those whose round is over */
};

struct serve_share {
    pthread_mutex_t lock;
    struct serve_cache *cache; /* borrowed */
    uint32_t width;
    struct serve_part **buckets; /* of what leads; NULL: not begun */
};

/** Results have `width` values; `cache` is borrowed. Errors: NO_MEMORY */
enum status serve_share_init(struct serve_share *share, struct serve_cache *cache, uint32_t width, struct error *err);
/** Nothing may be under way. One that was not begun, zero, is fine. */
void serve_share_finish(struct serve_share *share);
/** Begin a party whose parts are zero but for key, item and party. Its first round has begun then. */
void serve_share_begin(struct serve_party *party);
/** Find a place for an open part: it is DONE by the cache, WAITS, or LEADS and is among the party's leads. OPEN: the
 * party has failed. Thread: the one that has the party's round in hand. */
enum serve_part_state serve_share_claim(struct serve_share *share, struct serve_part *part);
/** The party's leads were computed with OK, or were not; or there were none. Their results stand where the items say
 * and are given to who waits for them. Its own failure is the party's, unless it has one. Returns those whose round is
 * over by this, a list by `next`, perhaps with `party` itself. Each is either `over`, and its status is settled, or its
 * next round has begun: its open parts are to be claimed. */
struct serve_party *serve_share_settle(struct serve_share *share, struct serve_party *party, enum status status,
                                       const struct error *err);
/** The party fails, and waits no longer. What it leads goes on until serve_share_settle. Nothing happens where it is
 *  over. Returns the party if its round is over by this, else NULL. Thread: any. */
struct serve_party *serve_share_give_up(struct serve_share *share, struct serve_party *party, enum status status,
                                        const struct error *err);

#endif
