#include "server/serve/cache.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    BLOCK_BYTES = 248,  /* of an entry in a block */
    MOST_USES = 3,      /* that are counted */
    MOST_SPARED = 128,  /* entries that one eviction gives another round: it is done with the lock */
    SMALL_SHARE = 10,   /* one of so many blocks may be the small queue's before the main queue loses any */
    LEAST_ENTRIES = 16, /* of the longest kind that there must be room for */
    NONE = 0,           /* no block */
};

struct entry {
    uint64_t hash;
    uint64_t owner;
    uint64_t damages;
    uint32_t n_ids;
    uint32_t first_row;
    uint32_t n_rows;
    uint32_t last;    /* its last block */
    uint32_t bucket;  /* the next entry of the bucket */
    uint32_t younger; /* the next entry of its queue */
    uint16_t n_blocks;
    uint8_t pooling;
    uint8_t uses;
};

/* The first block of an entry begins with its struct; behind that come its ids and its values. */
struct block {
    union {
        struct entry entry;
        unsigned char bytes[BLOCK_BYTES];
    };
    uint32_t next; /* of the entry, or of the free blocks */
};

/* Entries, first in first out, by their first blocks. */
struct fifo {
    uint32_t oldest;
    uint32_t youngest;
    uint32_t blocks;
};

struct serve_cache {
    uint64_t seed[2];
    uint32_t width;
    uint32_t n_blocks; /* [0] is none, and not counted */
    uint32_t mask;     /* of buckets and ghosts */
    uint64_t fixed;    /* bytes beside the blocks */
    struct block *blocks;
    uint32_t *tables;     /* buckets, then ghosts */
    pthread_mutex_t lock; /* guards what follows and what the pointers name */
    uint32_t *buckets;    /* first blocks */
    uint32_t *ghosts;     /* of what was dropped lately: the upper half of its hash, at the place of the lower */
    uint32_t free;        /* blocks that were used before */
    uint32_t fresh;       /* from here on no block was */
    uint32_t n_free;      /* of both kinds */
    struct fifo small;
    struct fifo main;
    uint64_t entries;
    uint64_t evictions;
};

/* Keys --------------------------------------------------------------------------------------------------------------*/

static uint64_t rotate(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32) + v[3];
    v[2] += v[1];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_add(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

/* SipHash-1-3 (Aumasson and Bernstein) over words; the number of ids, which comes first, says where they end. */
uint64_t serve_cache_hash(const struct serve_cache *cache, const struct serve_cache_key *key)
{
    uint64_t k0 = cache->seed[0], k1 = cache->seed[1];
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                     k1 ^ 0x7465646279746573u};
    sip_add(v, (uint64_t)key->n_ids << 32 | (uint32_t)key->pooling);
    sip_add(v, (uint64_t)key->first_row << 32 | key->n_rows);
    sip_add(v, key->owner);
    sip_add(v, key->damages);
    for (uint32_t i = 0; i + 1 < key->n_ids; i += 2)
        sip_add(v, (uint64_t)key->ids[i] << 32 | key->ids[i + 1]);
    if (key->n_ids % 2)
        sip_add(v, key->ids[key->n_ids - 1]);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

bool serve_cache_same_key(const struct serve_cache_key *a, const struct serve_cache_key *b)
{
    return a->hash == b->hash && a->owner == b->owner && a->damages == b->damages && a->n_ids == b->n_ids &&
           a->first_row == b->first_row && a->n_rows == b->n_rows && a->pooling == b->pooling &&
           memcmp(a->ids, b->ids, a->n_ids * sizeof *a->ids) == 0;
}

/* Bytes of an entry -------------------------------------------------------------------------------------------------*/

struct cursor {
    struct block *block;
    size_t at;
};

/* The next bytes of the entry that lie together, at most `len`. */
static unsigned char *next_piece(const struct serve_cache *cache, struct cursor *cursor, size_t len, size_t *ret_len)
{
    if (cursor->at == BLOCK_BYTES)
        *cursor = (struct cursor){cache->blocks + cursor->block->next, 0};
    unsigned char *piece = cursor->block->bytes + cursor->at;
    *ret_len = len < BLOCK_BYTES - cursor->at ? len : BLOCK_BYTES - cursor->at;
    cursor->at += *ret_len;
    return piece;
}

static void put(const struct serve_cache *cache, struct cursor *cursor, const void *bytes, size_t len)
{
    for (size_t done = 0, n; done < len; done += n) {
        unsigned char *piece = next_piece(cache, cursor, len - done, &n);
        memcpy(piece, (const char *)bytes + done, n);
    }
}

static void get(const struct serve_cache *cache, struct cursor *cursor, void *bytes, size_t len)
{
    for (size_t done = 0, n; done < len; done += n) {
        const unsigned char *piece = next_piece(cache, cursor, len - done, &n);
        memcpy((char *)bytes + done, piece, n);
    }
}

static bool compare(const struct serve_cache *cache, struct cursor *cursor, const void *bytes, size_t len)
{
    for (size_t done = 0, n; done < len; done += n) {
        const unsigned char *piece = next_piece(cache, cursor, len - done, &n);
        if (memcmp((const char *)bytes + done, piece, n) != 0)
            return false;
    }
    return true;
}

static uint32_t blocks_of(uint32_t n_ids, uint32_t width)
{
    size_t bytes = sizeof(struct entry) + n_ids * sizeof(uint32_t) + width * sizeof(float);
    return (uint32_t)((bytes + BLOCK_BYTES - 1) / BLOCK_BYTES);
}

/* Blocks, buckets, queues -------------------------------------------------------------------------------------------*/

static struct entry *entry_at(const struct serve_cache *cache, uint32_t first)
{
    return &cache->blocks[first].entry;
}

/* A chain of so many blocks, of which there must be enough; returns the first. */
static uint32_t take_blocks(struct serve_cache *cache, uint32_t n, uint32_t *ret_last)
{
    uint32_t first = NONE, last = NONE;
    cache->n_free -= n;
    while (n-- > 0) {
        uint32_t block = cache->free;
        if (block != NONE)
            cache->free = cache->blocks[block].next;
        else
            block = cache->fresh++;
        if (last != NONE)
            cache->blocks[last].next = block;
        else
            first = block;
        last = block;
    }
    *ret_last = last;
    return first;
}

static void push(struct serve_cache *cache, struct fifo *fifo, uint32_t first)
{
    entry_at(cache, first)->younger = NONE;
    if (fifo->oldest == NONE)
        fifo->oldest = first;
    else
        entry_at(cache, fifo->youngest)->younger = first;
    fifo->youngest = first;
    fifo->blocks += entry_at(cache, first)->n_blocks;
}

static uint32_t pop(struct serve_cache *cache, struct fifo *fifo)
{
    uint32_t first = fifo->oldest;
    fifo->oldest = entry_at(cache, first)->younger;
    fifo->blocks -= entry_at(cache, first)->n_blocks;
    return first;
}

/* The link that names the entry of this key, or that ends its bucket. If it is found, the cursor is behind its ids. */
static uint32_t *find_link(struct serve_cache *cache, const struct serve_cache_key *key, struct cursor *ret_cursor)
{
    uint32_t *link = &cache->buckets[key->hash & cache->mask];
    for (; *link != NONE; link = &entry_at(cache, *link)->bucket) {
        const struct entry *entry = entry_at(cache, *link);
        *ret_cursor = (struct cursor){cache->blocks + *link, sizeof *entry};
        if (entry->hash == key->hash && entry->owner == key->owner && entry->damages == key->damages &&
            entry->n_ids == key->n_ids && entry->first_row == key->first_row && entry->n_rows == key->n_rows &&
            entry->pooling == (uint8_t)key->pooling &&
            compare(cache, ret_cursor, key->ids, key->n_ids * sizeof *key->ids))
            break;
    }
    return link;
}

/* It is in no queue any more. */
static void drop(struct serve_cache *cache, uint32_t first)
{
    struct entry *entry = entry_at(cache, first);
    uint32_t *link = &cache->buckets[entry->hash & cache->mask];
    while (*link != first)
        link = &entry_at(cache, *link)->bucket;
    *link = entry->bucket;
    cache->n_free += entry->n_blocks;
    cache->blocks[entry->last].next = cache->free;
    cache->free = first;
    cache->entries--;
    cache->evictions++;
}

static void evict_one(struct serve_cache *cache)
{
    for (int spared = 0;; spared++) {
        bool small = cache->small.blocks > cache->n_blocks / SMALL_SHARE || cache->main.oldest == NONE;
        uint32_t first = pop(cache, small ? &cache->small : &cache->main);
        struct entry *entry = entry_at(cache, first);
        if (entry->uses == 0 || spared == MOST_SPARED) {
            if (small)
                cache->ghosts[entry->hash & cache->mask] = (uint32_t)(entry->hash >> 32);
            drop(cache, first);
            return;
        }
        entry->uses = small ? 0 : entry->uses - 1;
        push(cache, &cache->main, first);
    }
}

/* What is offered -------------------------------------------------------------------------------------------------- */

/* Divide the bytes among tables and blocks. */
static enum status lay_out(struct serve_cache *cache, uint64_t bytes, uint32_t max_ids, struct error *err)
{
    uint64_t least = (uint64_t)LEAST_ENTRIES * blocks_of(max_ids, cache->width) * sizeof(struct block) + (1 << 13);
    if (bytes < least)
        return error_set(err, STATUS_USAGE, "--cache-bytes %llu is too little to be of use: at least %llu, or 0",
                         (unsigned long long)bytes, (unsigned long long)least);
    uint64_t shortest = blocks_of(1, cache->width) * sizeof(struct block);
    uint64_t buckets = 1;
    while (buckets * shortest < bytes && buckets < (1u << 31))
        buckets *= 2;
    cache->mask = (uint32_t)(buckets - 1);
    cache->fixed = sizeof *cache + 2 * buckets * sizeof(uint32_t);
    uint64_t n = (bytes - cache->fixed) / sizeof(struct block) - 1;
    cache->n_blocks = n < UINT32_MAX - 1 ? (uint32_t)n : UINT32_MAX - 1;
    return STATUS_OK;
}

enum status serve_cache_create(struct serve_cache **ret, uint64_t bytes, uint32_t width, uint32_t max_ids,
                               struct error *err)
{
    struct serve_cache *cache = mem_calloc(1, sizeof *cache);
    if (!cache)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the cache");
    cache->width = width;
    enum status status = lay_out(cache, bytes, max_ids, err);
    if (status != STATUS_OK) {
        mem_free(cache);
        return status;
    }
    cache->tables = mem_calloc(2 * ((size_t)cache->mask + 1), sizeof *cache->tables);
    cache->blocks = mem_alloc(((size_t)cache->n_blocks + 1) * sizeof *cache->blocks);
    if (!cache->tables || !cache->blocks) {
        mem_free(cache->tables);
        mem_free(cache->blocks);
        mem_free(cache);
        return error_set(err, STATUS_NO_MEMORY, "no memory for the %llu bytes of --cache-bytes",
                         (unsigned long long)bytes);
    }
    cache->buckets = cache->tables;
    cache->ghosts = cache->tables + cache->mask + 1;
    cache->fresh = 1;
    cache->n_free = cache->n_blocks;
    if (getrandom(cache->seed, sizeof cache->seed, 0) != sizeof cache->seed)
        cache->seed[0] = clock_now_ns();
    pthread_mutex_init(&cache->lock, NULL);
    *ret = cache;
    return STATUS_OK;
}

void serve_cache_destroy(struct serve_cache **ref)
{
    struct serve_cache *cache = *ref;
    *ref = NULL;
    if (!cache)
        return;
    pthread_mutex_destroy(&cache->lock);
    mem_free(cache->tables);
    mem_free(cache->blocks);
    mem_free(cache);
}

bool serve_cache_find(struct serve_cache *cache, const struct serve_cache_key *key, float *out)
{
    struct cursor cursor;
    pthread_mutex_lock(&cache->lock);
    uint32_t first = *find_link(cache, key, &cursor);
    if (first != NONE) {
        struct entry *entry = entry_at(cache, first);
        entry->uses += entry->uses < MOST_USES;
        get(cache, &cursor, out, cache->width * sizeof *out);
    }
    pthread_mutex_unlock(&cache->lock);
    return first != NONE;
}

static void add(struct serve_cache *cache, const struct serve_cache_key *key, const float *values, uint32_t n_blocks)
{
    uint32_t last;
    while (cache->n_free < n_blocks)
        evict_one(cache);
    uint32_t first = take_blocks(cache, n_blocks, &last);
    uint32_t *bucket = &cache->buckets[key->hash & cache->mask];
    *entry_at(cache, first) = (struct entry){.hash = key->hash,
                                             .owner = key->owner,
                                             .damages = key->damages,
                                             .n_ids = key->n_ids,
                                             .first_row = key->first_row,
                                             .n_rows = key->n_rows,
                                             .last = last,
                                             .bucket = *bucket,
                                             .n_blocks = (uint16_t)n_blocks,
                                             .pooling = (uint8_t)key->pooling};
    *bucket = first;
    struct cursor cursor = {cache->blocks + first, sizeof(struct entry)};
    put(cache, &cursor, key->ids, key->n_ids * sizeof *key->ids);
    put(cache, &cursor, values, cache->width * sizeof *values);
    bool back = cache->ghosts[key->hash & cache->mask] == (uint32_t)(key->hash >> 32);
    push(cache, back ? &cache->main : &cache->small, first);
    cache->entries++;
}

void serve_cache_add(struct serve_cache *cache, const struct serve_cache_key *key, const float *values)
{
    struct cursor cursor;
    uint32_t n_blocks = blocks_of(key->n_ids, cache->width);
    if (n_blocks > cache->n_blocks / LEAST_ENTRIES || n_blocks > UINT16_MAX)
        return;
    pthread_mutex_lock(&cache->lock);
    if (*find_link(cache, key, &cursor) == NONE)
        add(cache, key, values, n_blocks);
    pthread_mutex_unlock(&cache->lock);
}

void serve_cache_get_stats(struct serve_cache *cache, struct serve_cache_stats *ret)
{
    pthread_mutex_lock(&cache->lock);
    *ret = (struct serve_cache_stats){.entries = cache->entries,
                                      .bytes = cache->fixed +
                                               (uint64_t)(cache->n_blocks - cache->n_free) * sizeof(struct block),
                                      .evictions = cache->evictions};
    pthread_mutex_unlock(&cache->lock);
}
