/* The tokens of one text as they are found, of which truncation may keep the first or the last. Room-private. */
#ifndef BERTD_TOKEN_LIST_H
#define BERTD_TOKEN_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "server/token/token.h"

struct token_item {
    uint32_t id;
    struct token_span span;
};

struct token_list {
    struct token_item *items; /* [capacity]; where the last are kept, item i is at i % keep */
    uint32_t capacity;
    uint32_t keep; /* items kept at most */
    enum token_direction direction;
    uint32_t n;  /* items given */
    bool failed; /* memory ran out */
};

/** Start an empty one that keeps the first (TOKEN_RIGHT) or last (TOKEN_LEFT) `keep` tokens. */
void token_list_init(struct token_list *list, uint32_t keep, enum token_direction direction);
void token_list_finish(struct token_list *list);
/** Room for another item in `items`; false when memory ran out, which sticks as `failed`. */
bool token_list_grow(struct token_list *list);

static inline void token_list_push(struct token_list *list, uint32_t id, uint32_t start, uint32_t stop)
{
    uint32_t slot = list->n++;
    if (slot >= list->keep) {
        if (list->direction == TOKEN_RIGHT || list->keep == 0)
            return;
        slot %= list->keep;
    }
    if (slot >= list->capacity && !token_list_grow(list))
        return;
    list->items[slot] = (struct token_item){id, {start, stop}};
}

/** How many are there to be had. */
static inline uint32_t token_list_kept(const struct token_list *list)
{
    return list->n < list->keep ? list->n : list->keep;
}

/** The i-th of the `n` first (TOKEN_RIGHT) or last tokens; i < n <= token_list_kept. */
static inline const struct token_item *token_list_at(const struct token_list *list, uint32_t n, uint32_t i)
{
    return &list->items[list->direction == TOKEN_RIGHT ? i : (list->n - n + i) % list->keep];
}

#endif
