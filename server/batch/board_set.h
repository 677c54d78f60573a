/* Some boards of a pool, a bit each. What a set costs goes by the pool, not by the largest that there may be. */
#ifndef BERTD_BATCH_BOARD_SET_H
#define BERTD_BATCH_BOARD_SET_H

#include <stdbool.h>
#include <stdint.h>

enum { BOARD_SET_MAX = 1024, BOARD_SET_NONE = UINT16_MAX };

/** Zeroed: none of no boards. Sets that meet are of the same pool. */
struct board_set {
    uint32_t n_words;
    uint64_t words[BOARD_SET_MAX / 64];
};

/** None of so many boards. */
static inline struct board_set board_set_of(uint32_t n_boards)
{
    return (struct board_set){.n_words = (n_boards + 63) / 64};
}

static inline bool board_set_has(const struct board_set *set, uint32_t board)
{
    return board / 64 < set->n_words && (set->words[board / 64] >> board % 64 & 1);
}

static inline void board_set_put(struct board_set *set, uint32_t board, bool in)
{
    uint64_t bit = 1ull << board % 64;
    set->words[board / 64] = in ? set->words[board / 64] | bit : set->words[board / 64] & ~bit;
}

static inline bool board_set_is_empty(const struct board_set *set)
{
    for (uint32_t w = 0; w < set->n_words; w++)
        if (set->words[w])
            return false;
    return true;
}

static inline uint32_t board_set_count(const struct board_set *set)
{
    uint32_t n = 0;
    for (uint32_t w = 0; w < set->n_words; w++)
        n += (uint32_t)__builtin_popcountll(set->words[w]);
    return n;
}

/** The first of the set from `board` on; BOARD_SET_NONE: there is none. */
static inline uint32_t board_set_from(const struct board_set *set, uint32_t board)
{
    for (uint32_t w = board / 64; w < set->n_words; w++) {
        uint64_t left = w == board / 64 ? set->words[w] >> board % 64 << board % 64 : set->words[w];
        if (left)
            return w * 64 + (uint32_t)__builtin_ctzll(left);
    }
    return BOARD_SET_NONE;
}

#endif
