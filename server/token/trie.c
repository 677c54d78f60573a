#include "server/token/trie.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    BLOCK = 256,     /* labels of a node; its children lie in one block */
    MAX_TRIES = 256, /* places looked at for a node's children before a new block is taken */
    MAX_UNITS = 1 << 26,
};

/* A node whose children are still to be placed: the keys that go through it. */
struct range {
    uint32_t lo, hi, depth, node;
};

struct builder {
    const struct token_trie_key *keys;
    struct token_trie_unit *units;
    uint32_t *next_free; /* [n_units + 1]: itself where free, else a place nearer to the next free one */
    uint32_t n_units;
    uint32_t from; /* where to start looking: what lies before is crowded */
    struct range *stack;
    uint32_t n_stack;
};

static int compare_keys(const void *a, const void *b)
{
    const struct token_trie_key *x = a, *y = b;
    uint32_t shorter = x->len < y->len ? x->len : y->len;
    int order = shorter ? memcmp(x->bytes, y->bytes, shorter) : 0;
    if (order != 0)
        return order;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

static bool add_block(struct builder *b)
{
    uint32_t n = b->n_units + BLOCK;
    if ((n & (n - 1)) == 0 || b->n_units == 0) { /* grow by doubling: at each power of two */
        uint32_t capacity = 2 * n;
        struct token_trie_unit *units = mem_realloc(b->units, capacity * sizeof *units);
        if (!units)
            return false;
        b->units = units;
        uint32_t *next_free = mem_realloc(b->next_free, (capacity + 1) * sizeof *next_free);
        if (!next_free)
            return false;
        b->next_free = next_free;
    }
    for (uint32_t i = b->n_units; i < n; i++) {
        b->units[i] = (struct token_trie_unit){0, TOKEN_TRIE_NONE, TOKEN_TRIE_NONE};
        b->next_free[i] = i;
    }
    b->next_free[n] = n;
    b->n_units = n;
    return true;
}

static uint32_t find_free(struct builder *b, uint32_t at)
{
    while (b->next_free[at] != at) {
        b->next_free[at] = b->next_free[b->next_free[at]];
        at = b->next_free[at];
    }
    return at;
}

static bool all_free(const struct builder *b, uint32_t base, const uint8_t *labels, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (b->next_free[base ^ labels[i]] != (base ^ labels[i]))
            return false;
    return true;
}

/* A base under which the places of all labels are free. */
static bool find_base(struct builder *b, const uint8_t *labels, uint32_t n, uint32_t *ret)
{
    uint32_t at = find_free(b, b->from);
    for (uint32_t tries = 0; at < b->n_units && tries < MAX_TRIES; tries++) {
        if (all_free(b, at ^ labels[0], labels, n)) {
            *ret = at ^ labels[0];
            return true;
        }
        at = find_free(b, at + 1);
    }
    if (at < b->n_units)
        b->from = at;
    uint32_t base = b->n_units;
    if (!add_block(b))
        return false;
    *ret = base;
    return true;
}

static void occupy(struct builder *b, uint32_t at, uint32_t parent)
{
    b->units[at].parent = parent;
    b->next_free[at] = at + 1;
}

/* Place the children of a node and push them. */
static bool place(struct builder *b, struct range range)
{
    while (range.lo < range.hi && b->keys[range.lo].len == range.depth) { /* keys that end here come first */
        struct token_trie_unit *unit = &b->units[range.node];
        if (unit->value == TOKEN_TRIE_NONE && range.depth > 0)
            unit->value = b->keys[range.lo].value;
        range.lo++;
    }
    uint8_t labels[BLOCK];
    uint32_t starts[BLOCK + 1], n = 0;
    for (uint32_t i = range.lo; i < range.hi; i++) {
        uint8_t label = (uint8_t)b->keys[i].bytes[range.depth];
        if (n > 0 && labels[n - 1] == label)
            continue;
        labels[n] = label;
        starts[n++] = i;
    }
    starts[n] = range.hi;
    if (n == 0)
        return true;
    uint32_t base;
    if (!find_base(b, labels, n, &base))
        return false;
    b->units[range.node].base = base;
    for (uint32_t i = n; i-- > 0;) { /* the first child on top: a chain's nodes lie side by side */
        occupy(b, base ^ labels[i], range.node);
        b->stack[b->n_stack++] = (struct range){starts[i], starts[i + 1], range.depth + 1, base ^ labels[i]};
    }
    return true;
}

static enum status build(struct builder *b, uint32_t n_keys, struct error *err)
{
    b->stack = mem_alloc((n_keys + 1) * sizeof *b->stack); /* ranges on it are disjoint */
    if (!b->stack || !add_block(b))
        return error_set(err, STATUS_NO_MEMORY, "no memory for a trie of %u keys", n_keys);
    occupy(b, TOKEN_TRIE_ROOT, TOKEN_TRIE_NONE);
    b->stack[b->n_stack++] = (struct range){0, n_keys, 0, TOKEN_TRIE_ROOT};
    while (b->n_stack > 0) {
        if (!place(b, b->stack[--b->n_stack]))
            return error_set(err, STATUS_NO_MEMORY, "no memory for a trie of %u keys", n_keys);
        if (b->n_units > MAX_UNITS)
            return error_set(err, STATUS_UNSUPPORTED, "the vocabulary needs a trie of over %d units", MAX_UNITS);
    }
    return STATUS_OK;
}

enum status token_trie_init(struct token_trie *trie, struct token_trie_key *keys, size_t n, struct error *err)
{
    if (n > TOKEN_TRIE_MAX_KEYS)
        return error_set(err, STATUS_UNSUPPORTED, "%zu entries; the limit is %d", n, TOKEN_TRIE_MAX_KEYS);
    if (n > 0)
        qsort(keys, n, sizeof *keys, compare_keys);
    struct builder b = {.keys = keys};
    enum status status = build(&b, (uint32_t)n, err);
    mem_free(b.stack);
    mem_free(b.next_free);
    if (status == STATUS_OK)
        *trie = (struct token_trie){b.units, b.n_units};
    else
        mem_free(b.units);
    return status;
}

void token_trie_finish(struct token_trie *trie)
{
    mem_free(trie->units);
    *trie = (struct token_trie){0};
}

uint32_t token_trie_walk(const struct token_trie *trie, const char *bytes, size_t len)
{
    uint32_t node = TOKEN_TRIE_ROOT;
    for (size_t i = 0; i < len; i++) {
        uint32_t child = trie->units[node].base ^ (uint8_t)bytes[i];
        if (trie->units[child].parent != node)
            return TOKEN_TRIE_NONE;
        node = child;
    }
    return node;
}

uint32_t token_trie_find(const struct token_trie *trie, const char *bytes, size_t len)
{
    uint32_t node = len > 0 ? token_trie_walk(trie, bytes, len) : TOKEN_TRIE_NONE;
    return node == TOKEN_TRIE_NONE ? TOKEN_TRIE_NONE : trie->units[node].value;
}
