#include <string.h>

#include "accel/card/card.h"

enum { BEAT = 64 };

/* Rows ------------------------------------------------------------------------------------------------------------- */

static size_t row_bytes(const struct card *card)
{
    return card->image->shape.hidden * sizeof(float);
}

void card_put_rows(const struct card *card, void *memory, const float *hidden, uint32_t begin, uint32_t end)
{
    memcpy((char *)memory + card->rows + begin * row_bytes(card), hidden, (end - begin) * row_bytes(card));
}

void card_get_rows(const struct card *card, const void *memory, float *hidden, uint32_t begin, uint32_t end)
{
    memcpy(hidden, (const char *)memory + card->rows + begin * row_bytes(card), (end - begin) * row_bytes(card));
}

/* Keys and values ------------------------------------------------------------------------------------------------- */

/* The bytes of one token and head within their block, in steps as the layouts have them. */
struct kv_copy {
    const struct card *card;
    size_t block_head; /* of a block of the sequence, and a head */
    uint32_t token;    /* within the block */
};

static void copy_token(const struct kv_copy *copy, const int8_t *keys_from, int8_t *keys_to, const int8_t *values_from,
                       int8_t *values_to)
{
    uint32_t dim = copy->card->image->head_dim_padded, t = copy->token;
    size_t begin = copy->block_head * IMAGE_PANEL * dim;
    for (uint32_t d = 0; d < dim; d++) {
        size_t key = begin + (d / IMAGE_GROUP * IMAGE_PANEL + t) * IMAGE_GROUP + d % IMAGE_GROUP;
        size_t value = begin + (d / IMAGE_PANEL * (IMAGE_PANEL / IMAGE_GROUP) + t / IMAGE_GROUP) * BEAT +
                       d % IMAGE_PANEL * IMAGE_GROUP + t % IMAGE_GROUP;
        keys_to[key] = keys_from[key];
        values_to[value] = values_from[value];
    }
}

/* Both sides seen from the sequence's block 0 on. */
struct kv_side {
    int8_t *keys, *values;
    float *key_scales, *value_scales;
};

static struct kv_side card_side(const struct card *card, void *memory)
{
    char *base = memory;
    return (struct kv_side){(int8_t *)base + card->keys, (int8_t *)base + card->values,
                            (float *)(base + card->key_scales), (float *)(base + card->value_scales)};
}

static struct kv_side host_side(const struct card *card, const struct board_kv *kv, uint32_t set, uint32_t seq)
{
    size_t tokens = (size_t)kv->block_begin[seq] * card->image->shape.heads * IMAGE_PANEL;
    size_t bytes = tokens * card->image->head_dim_padded;
    return (struct kv_side){kv->keys[set] + bytes, kv->values[set] + bytes, kv->key_scales[set] + tokens,
                            kv->value_scales[set] + tokens};
}

static void copy_kv(const struct card *card, const struct kv_side *from, const struct kv_side *to, uint32_t begin,
                    uint32_t end)
{
    uint32_t heads = card->image->shape.heads;
    for (uint32_t token = begin; token < end; token++)
        for (uint32_t h = 0; h < heads; h++) {
            struct kv_copy copy = {card, (size_t)(token / IMAGE_PANEL) * heads + h, token % IMAGE_PANEL};
            copy_token(&copy, from->keys, to->keys, from->values, to->values);
            size_t scale = copy.block_head * IMAGE_PANEL + copy.token;
            to->key_scales[scale] = from->key_scales[scale];
            to->value_scales[scale] = from->value_scales[scale];
        }
}

void card_put_kv(const struct card *card, void *memory, const struct board_kv *kv, uint32_t set, uint32_t seq,
                 uint32_t begin, uint32_t end)
{
    struct kv_side host = host_side(card, kv, set, seq), there = card_side(card, memory);
    copy_kv(card, &host, &there, begin, end);
}

void card_get_kv(const struct card *card, const void *memory, const struct board_kv *kv, uint32_t set, uint32_t seq,
                 uint32_t begin, uint32_t end)
{
    struct kv_side host = host_side(card, kv, set, seq), there = card_side(card, (void *)memory);
    copy_kv(card, &there, &host, begin, end);
}
