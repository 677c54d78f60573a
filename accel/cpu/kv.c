/* Where a token's keys and values lie: the layout of struct board_kv. */
#include <string.h>

#include "accel/cpu/cpu_engine.h"

enum { VALUE_PANEL = IMAGE_PANEL * IMAGE_PANEL }; /* bytes of 16 dimensions by 16 tokens */

typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint16_t words8 __attribute__((vector_size(16)));

struct cpu_segment cpu_segment_at(const struct board_job *job, uint32_t row, uint32_t row_end)
{
    uint32_t low = 0, high = job->n_seqs;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (job->cu_seqlens[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    uint32_t begin = job->cu_seqlens[low], end = job->cu_seqlens[low + 1];
    return (struct cpu_segment){
        .seq = low,
        .row = row,
        .rows = (end < row_end ? end : row_end) - row,
        .token = row - begin,
        .length = end - begin,
    };
}

/* Number of the (block, head) pair that holds a token. */
static size_t place_of(const struct cpu_kv *kv, const struct image *image, const struct cpu_segment *segment,
                       uint32_t head, uint32_t token)
{
    size_t block = kv->block_begin[segment->seq - kv->first_seq] + token / IMAGE_PANEL;
    return block * image->shape.heads + head;
}

size_t cpu_kv_scale_index(const struct cpu_kv *kv, const struct image *image, const struct cpu_segment *segment,
                          uint32_t head, uint32_t token)
{
    return place_of(kv, image, segment, head, token) * IMAGE_PANEL + token % IMAGE_PANEL;
}

void cpu_kv_put_key(const struct cpu_kv *kv, const struct image *image, const struct cpu_segment *segment,
                    struct cpu_heads heads, uint32_t token, const int8_t *bytes)
{
    const size_t size = (size_t)IMAGE_PANEL * image->head_dim_padded;
    int8_t *to = kv->keys + place_of(kv, image, segment, heads.begin, token) * size + token % IMAGE_PANEL * IMAGE_GROUP;
    const size_t groups = (size_t)(heads.end - heads.begin) * image->head_dim_padded / IMAGE_GROUP;
    bytes += (size_t)heads.begin * image->head_dim_padded;
    for (size_t i = 0; i < groups; i++)
        memcpy(to + i * IMAGE_PANEL * IMAGE_GROUP, bytes + i * IMAGE_GROUP, IMAGE_GROUP);
}

/* 16 dimensions of 4 tokens: [4][16] -> [16][4]. */
static void interleave(int8_t *to, const int8_t *from, size_t stride)
{
    bytes16 a, b, c, d;
    memcpy(&a, from, sizeof a);
    memcpy(&b, from + stride, sizeof b);
    memcpy(&c, from + 2 * stride, sizeof c);
    memcpy(&d, from + 3 * stride, sizeof d);
#define LOW_BYTES  0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_BYTES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
    words8 ab[2] = {(words8)__builtin_shufflevector(a, b, LOW_BYTES),
                    (words8)__builtin_shufflevector(a, b, HIGH_BYTES)};
    words8 cd[2] = {(words8)__builtin_shufflevector(c, d, LOW_BYTES),
                    (words8)__builtin_shufflevector(c, d, HIGH_BYTES)};
    for (int i = 0; i < 2; i++) {
        words8 low = __builtin_shufflevector(ab[i], cd[i], 0, 8, 1, 9, 2, 10, 3, 11);
        words8 high = __builtin_shufflevector(ab[i], cd[i], 4, 12, 5, 13, 6, 14, 7, 15);
        memcpy(to + i * 32, &low, sizeof low);
        memcpy(to + i * 32 + 16, &high, sizeof high);
    }
}

void cpu_kv_put_values(const struct cpu_kv *kv, const struct image *image, const struct cpu_segment *segment,
                       struct cpu_heads heads, uint32_t token, uint32_t count, const int8_t *bytes)
{
    const size_t size = (size_t)IMAGE_PANEL * image->head_dim_padded;
    const size_t stride = (size_t)image->shape.heads * image->head_dim_padded;
    const size_t end = (size_t)heads.end * image->head_dim_padded;
    int8_t *to = kv->values + place_of(kv, image, segment, heads.begin, token) * size +
                 token % IMAGE_PANEL / IMAGE_GROUP * IMAGE_PANEL * IMAGE_GROUP;
    for (size_t i = (size_t)heads.begin * image->head_dim_padded; i < end; i += IMAGE_PANEL, to += VALUE_PANEL) {
        if (count == IMAGE_GROUP) {
            interleave(to, bytes + i, stride);
            continue;
        }
        for (uint32_t t = 0; t < count; t++)
            for (size_t d = 0; d < IMAGE_PANEL; d++)
                to[d * IMAGE_GROUP + (token + t) % IMAGE_GROUP] = bytes[t * stride + i + d];
    }
}
