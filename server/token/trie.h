/* A set of byte strings with values, as a double-array trie: the longest one that starts a text is found by one
 * array look-up a byte. Room-private; read-only after token_trie_init, so any thread may look up. */
#ifndef BERTD_TOKEN_TRIE_H
#define BERTD_TOKEN_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { TOKEN_TRIE_ROOT = 0, TOKEN_TRIE_MAX_KEYS = 1 << 22 };
#define TOKEN_TRIE_NONE UINT32_MAX /* no such node; no value */

/** A node: its child by byte c is units[base ^ c], if that one's parent is this node. */
struct token_trie_unit {
    uint32_t base;
    uint32_t parent;
    uint32_t value; /* of the key that ends here */
};

struct token_trie {
    struct token_trie_unit *units; /* [n], n a multiple of 256 and no base beyond, so any byte stays inside */
    uint32_t n;
};

struct token_trie_key {
    const char *bytes; /* no NUL among them */
    uint32_t len;
    uint32_t value;
};

/** Build from `keys` [n], which are sorted in place. Of equal keys the lowest value stays; empty ones are ignored.
 *  Errors: NO_MEMORY, UNSUPPORTED (more than TOKEN_TRIE_MAX_KEYS keys, or units as many as that times 16).
 *  Free with token_trie_finish. */
enum status token_trie_init(struct token_trie *trie, struct token_trie_key *keys, size_t n, struct error *err);
/** Free. A zeroed trie is fine. */
void token_trie_finish(struct token_trie *trie);
/** The node reached from the root by `bytes`, TOKEN_TRIE_NONE where there is none. */
uint32_t token_trie_walk(const struct token_trie *trie, const char *bytes, size_t len);
/** The value of the key `bytes`, TOKEN_TRIE_NONE where it is not a key. */
uint32_t token_trie_find(const struct token_trie *trie, const char *bytes, size_t len);

struct token_trie_hit {
    uint32_t len;   /* 0: nothing found */
    uint32_t value; /* where len > 0 */
    uint32_t steps; /* nodes visited: never more than the longest key has bytes */
};

/** The longest key below `node` (a node's own key does not count) that `bytes` start with. */
static inline struct token_trie_hit token_trie_longest(const struct token_trie *trie, uint32_t node,
                                                       const uint8_t *bytes, size_t len)
{
    struct token_trie_hit hit = {0};
    const struct token_trie_unit *units = trie->units;
    uint32_t i = 0;
    while (i < len) {
        uint32_t child = units[node].base ^ bytes[i];
        if (units[child].parent != node)
            break;
        node = child;
        i++;
        if (units[child].value != TOKEN_TRIE_NONE) {
            hit.len = i;
            hit.value = units[child].value;
        }
    }
    hit.steps = i + 1;
    return hit;
}

#endif
