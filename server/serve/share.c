#include "server/serve/share.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum { BUCKETS = 4096 };

enum status serve_share_init(struct serve_share *share, struct serve_cache *cache, uint32_t width, struct error *err)
{
    *share = (struct serve_share){
        .cache = cache, .width = width, .buckets = mem_calloc(BUCKETS, sizeof(struct serve_part *))};
    if (!share->buckets)
        return error_set(err, STATUS_NO_MEMORY, "no memory for what is being computed");
    pthread_mutex_init(&share->lock, NULL);
    return STATUS_OK;
}

void serve_share_finish(struct serve_share *share)
{
    if (!share->buckets)
        return;
    pthread_mutex_destroy(&share->lock);
    mem_free(share->buckets);
    *share = (struct serve_share){0};
}

void serve_share_begin(struct serve_party *party)
{
    party->n_leads = 0;
    party->pending = 1;
}

/* Lists of parts ----------------------------------------------------------------------------------------------------*/

static void link_part(struct serve_part **first, struct serve_part *part)
{
    part->previous = NULL;
    part->next = *first;
    if (*first)
        (*first)->previous = part;
    *first = part;
}

static void unlink_part(struct serve_part **first, struct serve_part *part)
{
    if (part->next)
        part->next->previous = part->previous;
    if (part->previous)
        part->previous->next = part->next;
    else
        *first = part->next;
}

static struct serve_part **bucket_of(struct serve_share *share, const struct serve_part *part)
{
    return &share->buckets[part->key.hash % BUCKETS];
}

/* Parties, with the lock --------------------------------------------------------------------------------------------*/

static bool may_wait_for(const struct serve_party *party, const struct serve_party *leader)
{
    if (party == leader)
        return true;
    return !party->alone && party->client == leader->client && party->class == leader->class &&
           (party->deadline_ns == 0 || (leader->deadline_ns != 0 && leader->deadline_ns <= party->deadline_ns));
}

static bool has_open(const struct serve_party *party)
{
    for (uint32_t i = 0; i < party->n_parts; i++)
        if (party->parts[i].state == SERVE_PART_OPEN)
            return true;
    return false;
}

/* One thing less to wait for. */
static void release(struct serve_party *party, struct serve_party **list)
{
    if (--party->pending > 0)
        return;
    party->over = party->status != STATUS_OK || !has_open(party);
    if (!party->over)
        serve_share_begin(party);
    party->next = *list;
    *list = party;
}

static void stop_waiting(struct serve_part *part, enum serve_part_state state, struct serve_party **list)
{
    unlink_part(&part->lead->waiters, part);
    part->state = state;
    release(part->party, list);
}

static void fail(struct serve_party *party, enum status status, const struct error *err, struct serve_party **list)
{
    if (party->status == STATUS_OK) {
        party->status = status;
        party->err = *err;
    }
    for (uint32_t i = 0; i < party->n_parts; i++)
        if (party->parts[i].state == SERVE_PART_WAITS)
            stop_waiting(&party->parts[i], SERVE_PART_OPEN, list);
}

/* Whose fault it was not may be tried by another. */
static bool is_leaders_own(enum status status)
{
    return status == STATUS_CANCELLED || status == STATUS_TIMEOUT || status == STATUS_OVERLOADED;
}

static void deliver(struct serve_share *share, struct serve_part *lead, struct serve_part *waiter)
{
    uint64_t waited = clock_now_ns() - waiter->since_ns;
    uint64_t computed = lead->item->inference_ns;
    memcpy(waiter->item->out, lead->item->out, share->width * sizeof(float));
    waiter->item->inference_ns = computed < waited ? computed : waited;
    waiter->item->queue_ns = waited - waiter->item->inference_ns;
}

static void settle_lead(struct serve_share *share, struct serve_part *lead, enum status status,
                        struct serve_party **list)
{
    unlink_part(bucket_of(share, lead), lead);
    for (struct serve_part *waiter; (waiter = lead->waiters);) {
        if (status == STATUS_OK)
            deliver(share, lead, waiter);
        else if (!is_leaders_own(status))
            waiter->party->alone = true;
        stop_waiting(waiter, status == STATUS_OK ? SERVE_PART_DONE : SERVE_PART_OPEN, list);
    }
    lead->state = status == STATUS_OK ? SERVE_PART_DONE : SERVE_PART_OPEN;
}

/* What is offered ---------------------------------------------------------------------------------------------------*/

static enum serve_part_state place(struct serve_share *share, struct serve_part *part)
{
    struct serve_part **bucket = bucket_of(share, part);
    struct serve_party *party = part->party;
    if (party->status != STATUS_OK)
        return SERVE_PART_OPEN;
    for (struct serve_part *lead = *bucket; lead; lead = lead->next) {
        if (!serve_cache_same_key(&lead->key, &part->key) || !may_wait_for(party, lead->party))
            continue;
        part->lead = lead;
        part->since_ns = clock_now_ns();
        link_part(&lead->waiters, part);
        party->pending++;
        return SERVE_PART_WAITS;
    }
    /* With the lock, since who led it adds it to the cache before it leaves the bucket. */
    part->cached = serve_cache_find(share->cache, &part->key, part->item->out);
    if (part->cached)
        return SERVE_PART_DONE;
    link_part(bucket, part);
    part->waiters = NULL;
    party->leads[party->n_leads++] = part;
    return SERVE_PART_LEADS;
}

enum serve_part_state serve_share_claim(struct serve_share *share, struct serve_part *part)
{
    pthread_mutex_lock(&share->lock);
    if (part->state == SERVE_PART_OPEN)
        part->state = place(share, part);
    enum serve_part_state state = part->state;
    pthread_mutex_unlock(&share->lock);
    return state;
}

struct serve_party *serve_share_settle(struct serve_share *share, struct serve_party *party, enum status status,
                                       const struct error *err)
{
    struct serve_party *list = NULL;
    for (uint32_t i = 0; i < party->n_leads && status == STATUS_OK; i++)
        serve_cache_add(share->cache, &party->leads[i]->key, party->leads[i]->item->out);
    pthread_mutex_lock(&share->lock);
    for (uint32_t i = 0; i < party->n_leads; i++)
        settle_lead(share, party->leads[i], status, &list);
    if (status != STATUS_OK)
        fail(party, status, err, &list);
    release(party, &list);
    pthread_mutex_unlock(&share->lock);
    return list;
}

struct serve_party *serve_share_give_up(struct serve_share *share, struct serve_party *party, enum status status,
                                        const struct error *err)
{
    struct serve_party *list = NULL;
    pthread_mutex_lock(&share->lock);
    if (!party->over)
        fail(party, status, err, &list);
    pthread_mutex_unlock(&share->lock);
    return list;
}
