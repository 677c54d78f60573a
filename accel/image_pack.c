#include "accel/image_pack.h"

#include <string.h>

#include "base/round_up.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "four weights are packed through a 32-bit word");

/* A panel on its way: input-major, one lane per output row. Lanes never mix, so a vector of them does to each row what
 * scalar code would, on any machine. */
enum { LANES = IMAGE_PANEL };

const int32_t image_check_factors[IMAGE_PANEL] = {
    0x2545f491, 0x5bd1e995, 0x1b873593, 0x4cf5ad43, 0x2745937f, 0x38b34ae5, 0x165667b1, 0x7feb352d,
    0x3243f6a9, 0x45d9f3b3, 0x119de1f3, 0x68e31da5, 0x5851f42d, 0x2c1b3c6d, 0x0b4b82e3, 0x71374491,
};

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t integers __attribute__((vector_size(4 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));

static void gather(float *block, const struct image_pack *pack, uint32_t row, uint32_t begin, uint32_t count)
{
    uint32_t in = pack->linear->in;
    for (uint32_t lane = 0; lane < LANES; lane++) {
        if (row + lane >= pack->rows) {
            for (uint32_t i = 0; i < count; i++)
                block[i * LANES + lane] = 0;
            continue;
        }
        const float *weight = pack->source.weight + (size_t)(row + lane) * in + begin;
        for (uint32_t i = 0; i < count; i++)
            block[i * LANES + lane] = weight[i] * pack->factor;
    }
}

static void rotate(lanes *block, uint32_t size)
{
    for (uint32_t distance = 1; distance < size; distance *= 2)
        for (uint32_t begin = 0; begin < size; begin += 2 * distance)
            for (uint32_t i = begin; i < begin + distance; i++) {
                lanes a = block[i], b = block[i + distance];
                block[i] = a + b;
                block[i + distance] = a - b;
            }
    float inverse = 1.0f / (float)size; /* exact: a power of two */
    for (uint32_t i = 0; i < size; i++)
        block[i] *= inverse;
}

/* Round to the nearest integer, ties to even, for |x| < 2^22: adding 1.5 * 2^23 leaves the integer in the low bits. */
static inline void round_even(integers *ret, const lanes *x, const lanes *factor)
{
    lanes shifted = *x * *factor + 0x1.8p23f;
    *ret = (integers)shifted - 0x4b400000;
}

static void largest(float *ret, const lanes *values, uint32_t count)
{
    integers amax = {0}; /* magnitudes of finite floats are ordered as their bits are */
    for (uint32_t i = 0; i < count; i++) {
        integers bits = (integers)values[i] & 0x7fffffff;
        integers larger = bits > amax;
        amax = (bits & larger) | (amax & ~larger);
    }
    memcpy(ret, &amax, sizeof amax);
}

/* `totals` [in]: of each input's weights over the panels so far, in lanes. */
static void quantise(const struct image_linear *linear, uint32_t panel, const lanes *values, integers *totals)
{
    float amax[LANES], *scales = (float *)linear->scales + panel * LANES;
    largest(amax, values, linear->in);
    lanes inverse;
    for (uint32_t lane = 0; lane < LANES; lane++) {
        bool tiny = amax[lane] < IMAGE_TINY;
        scales[lane] = tiny ? 0 : amax[lane] / 127.0f;
        inverse[lane] = tiny ? 0 : 127.0f / amax[lane];
    }
    uint32_t groups = linear->in_padded / IMAGE_GROUP;
    words *packed = (words *)linear->weights + (size_t)panel * groups;
    integers sums = {0};
    for (uint32_t g = 0; g < groups; g++) {
        words word = {0};
        for (uint32_t i = 0; i < IMAGE_GROUP; i++) {
            integers q;
            round_even(&q, &values[g * IMAGE_GROUP + i], &inverse);
            sums += q;
            totals[g * IMAGE_GROUP + i] += q;
            word |= ((words)q & 255) << (8 * i);
        }
        packed[g] = word;
    }
    memcpy((int32_t *)linear->row_sums + panel * LANES, &sums, sizeof sums);
}

static void pack_checks(int32_t *checks, const integers *totals, uint32_t in)
{
    for (uint32_t i = 0; i < in; i++) {
        uint32_t sum = 0;
        for (uint32_t lane = 0; lane < LANES; lane++)
            sum += (uint32_t)totals[i][lane] * (uint32_t)image_check_factors[lane];
        checks[i] = (int32_t)sum;
    }
}

static uint32_t rows_padded(const struct image_pack *pack)
{
    return (uint32_t)round_up(pack->rows, LANES);
}

static void pack_bias(const struct image_pack *pack)
{
    float *bias = (float *)pack->linear->bias + pack->first;
    for (uint32_t r = 0; r < rows_padded(pack); r++)
        bias[r] = r < pack->rows ? pack->source.bias[r] * pack->factor : 0;
}

size_t image_pack_scratch(uint32_t in)
{
    return 2 * ((size_t)in + IMAGE_GROUP) * LANES;
}

void image_pack_int8(const struct image_pack *pack, float *scratch)
{
    const struct image_linear *linear = pack->linear;
    uint32_t block = linear->rotation > 1 ? linear->rotation : IMAGE_MAX_ROTATION;
    integers *totals = (integers *)scratch + linear->in_padded;
    memset(totals, 0, linear->in_padded * sizeof *totals);
    for (uint32_t row = 0; row < pack->rows; row += LANES) {
        for (uint32_t begin = 0; begin < linear->in; begin += block) {
            uint32_t count = linear->in - begin < block ? linear->in - begin : block;
            gather(scratch + (size_t)begin * LANES, pack, row, begin, count);
            if (linear->rotation > 1)
                rotate((lanes *)scratch + begin, count);
        }
        memset(scratch + (size_t)linear->in * LANES, 0, (linear->in_padded - linear->in) * LANES * sizeof(float));
        quantise(linear, (pack->first + row) / LANES, (const lanes *)scratch, totals);
    }
    pack_checks((int32_t *)linear->checks + (size_t)pack->projection * linear->in, totals, linear->in);
    pack_bias(pack);
}

void image_pack_f32(const struct image_pack *pack)
{
    size_t in = pack->linear->in;
    float *weights = (float *)pack->linear->weights_f32 + pack->first * in;
    for (size_t i = 0; i < pack->rows * in; i++)
        weights[i] = pack->source.weight[i] * pack->factor;
    size_t left = pack->linear->out - pack->first; /* rows of the linear from here on: the padding may lie beyond */
    size_t padded = rows_padded(pack) < left ? rows_padded(pack) : left;
    memset(weights + pack->rows * in, 0, (padded - pack->rows) * in * sizeof(float));
    pack_bias(pack);
}
