/* Vectors that were computed before, found by all that decides their bits. Private to the room.
 *
 * A server has one model, so the model is no part of a key. Memory is one piece, taken at the start and cut into blocks
 * of one size: adding allocates nothing, and nothing is fragmented. An entry is a chain of blocks.
 *
 * What has to go when space is needed is decided as in S3-FIFO (Yang et al., SOSP 2023). New entries stand in a short
 * queue. At its end those that were used go to the main queue, the others are dropped: so what is asked for once passes
 * through without pushing out what is asked for often. The main queue gives an entry that was used another round. Who
 * comes back soon after it was dropped goes to the main queue at once.
 */
#ifndef BERTD_SERVE_CACHE_H
#define BERTD_SERVE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "server/batch/batch.h"

struct serve_cache;

/** All that decides the bits of a sequence's vector, and who may see it. */
struct serve_cache_key {
    const uint32_t *ids; /* [n_ids], borrowed */
    uint32_t n_ids;
    uint32_t first_row;         /* of those that are pooled */
    uint32_t n_rows;            /* of those that are pooled */
    enum batch_pooling pooling; /* not NONE */
    uint64_t owner;             /* whose it is: others do not find it */
    uint64_t damages;           /* batch_damages when it was computed: what is older is not found */
    uint64_t hash;              /* serve_cache_hash of the above */
};

struct serve_cache_stats {
    uint64_t entries;
    uint64_t bytes; /* in use, with all that belongs to them */
    uint64_t evictions;
};

/** Memory of `bytes` for vectors [width] of sequences of at most `max_ids` tokens; it is not touched before it is used.
 *  `ret`: new; serve_cache_destroy. Errors: NO_MEMORY; USAGE: too little to be of use. */
enum status serve_cache_create(struct serve_cache **ret, uint64_t bytes, uint32_t width, uint32_t max_ids,
                               struct error *err);
/** Sets the pointer to NULL; NULL is fine. */
void serve_cache_destroy(struct serve_cache **cache);
/** Seeded anew in each cache, so that nobody can choose sequences that collide. Thread: any. */
uint64_t serve_cache_hash(const struct serve_cache *cache, const struct serve_cache_key *key);
/** The same in everything, the ids compared one by one. */
bool serve_cache_same_key(const struct serve_cache_key *a, const struct serve_cache_key *b);
/** Copy the vector to `out` [width] and count a use. False: it is not there. Thread: any. */
bool serve_cache_find(struct serve_cache *cache, const struct serve_cache_key *key, float *out);
/** Keep a copy of `values` [width], unless it is there. Thread: any. */
void serve_cache_add(struct serve_cache *cache, const struct serve_cache_key *key, const float *values);
/** Thread: any. */
void serve_cache_get_stats(struct serve_cache *cache, struct serve_cache_stats *ret);

#endif
