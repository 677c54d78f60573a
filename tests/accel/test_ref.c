/* The reference's steps one by one, against plain definitions. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "accel/float_mode.h"
#include "accel/ref/ref.h"
#include "accel_constants.h"
#include "tests/accel/tiny.h"

TestSuite(ref, .init = (void (*)(void))float_mode_set);

static float value(uint64_t *random)
{
    return (float)((int32_t)tiny_random(random) >> 8) * 0x1p-20f; /* within +-8 */
}

Test(ref, sum_adds_in_lanes)
{
    float x[35], lanes[16];
    uint64_t random = 3;
    bool order_matters = false;
    for (int round = 0; round < 100; round++) {
        float straight = 0;
        for (int i = 0; i < 35; i++) {
            x[i] = value(&random) * (i % 3 ? 1.0f : 1e5f);
            straight += x[i];
        }
        for (int l = 0; l < 16; l++)
            lanes[l] = l < 3 ? (x[l] + x[l + 16]) + x[l + 32] : x[l] + x[l + 16];
#define EIGHTH(l)  (lanes[l] + lanes[(l) + 8])
#define QUARTER(l) (EIGHTH(l) + EIGHTH((l) + 4))
        float expected = (QUARTER(0) + QUARTER(2)) + (QUARTER(1) + QUARTER(3));
        cr_assert_eq(ref_sum(x, 35), expected);
        order_matters |= straight != expected;
    }
    cr_assert(order_matters);
    cr_assert_eq(ref_sum(x, 0), 0.0f);
    x[0] = -0.0f;
    cr_assert_not(signbit(ref_sum(x, 1)));
}

Test(ref, fwht_is_the_hadamard_matrix)
{
    static const uint32_t blocks[] = {1, 2, 8, 64, 128};
    for (size_t k = 0; k < sizeof blocks / sizeof blocks[0]; k++) {
        uint32_t block = blocks[k], n = 3 * block;
        float x[384], y[384];
        uint64_t random = 9;
        for (uint32_t i = 0; i < n; i++)
            x[i] = y[i] = (float)((int)(tiny_random(&random) >> 30 & 255) - 128); /* sums are exact */
        ref_fwht(y, n, block);
        for (uint32_t i = 0; i < n; i++) {
            float expected = 0;
            for (uint32_t j = 0; j < block; j++)
                expected += (__builtin_popcount((i % block) & j) & 1 ? -1.0f : 1.0f) * x[i / block * block + j];
            cr_assert_eq(y[i], expected, "block %u, element %u", block, i);
        }
        ref_fwht(y, n, block);
        for (uint32_t i = 0; i < n; i++)
            cr_assert_eq(y[i], x[i] * (float)block); /* its own inverse, but for B */
    }
}

Test(ref, quantise_rounds_ties_to_even)
{
    const float x[] = {127, -127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 126.49f, 0, -0.0f};
    const int8_t expected[] = {127, -127, 0, 2, 2, 0, -2, 126, 0, 0};
    int8_t q[10];
    float scale = -1;
    cr_assert(ref_quantise(q, &scale, x, 10));
    cr_assert_eq(memcmp(q, expected, 10), 0);
    cr_assert_eq(scale, 127 * (1.0f / 127.0f));
}

Test(ref, quantise_never_leaves_the_range)
{
    uint64_t random = 17;
    for (int round = 0; round < 20000; round++) {
        float x[3], scale;
        int8_t q[3];
        for (int i = 0; i < 3; i++)
            x[i] = ldexpf(value(&random), (int)(tiny_random(&random) % 180) - 90);
        cr_assert(ref_quantise(q, &scale, x, 3));
        int largest = 0;
        for (int i = 0; i < 3; i++)
            largest = abs(q[i]) > largest ? abs(q[i]) : largest;
        cr_assert(largest == 127 || (largest == 0 && scale == 0));
    }
}

Test(ref, quantise_of_nothing_and_of_what_is_not_finite)
{
    const float tiny[] = {0x1.fffffep-101f, 0, -0x1p-110f}, small[] = {0x1p-100f, 0, 0x1p-101f};
    const float bad[][3] = {{1, NAN, 2}, {-NAN, 0, 0}, {0, 0, INFINITY}, {-INFINITY, NAN, 0}};
    int8_t q[3] = {9, 9, 9};
    float scale = 9;
    for (size_t i = 0; i < 4; i++)
        cr_assert_not(ref_quantise(q, &scale, bad[i], 3));
    cr_assert(q[0] == 9 && q[2] == 9 && scale == 9);
    cr_assert(ref_quantise(q, &scale, tiny, 3));
    cr_assert(q[0] == 0 && q[1] == 0 && q[2] == 0 && scale == 0);
    cr_assert(ref_quantise(q, &scale, small, 3));
    cr_assert(q[0] == 127 && q[1] == 0 && q[2] == 64 && scale > 0);
}

Test(ref, linear_is_the_sum_of_products)
{
    struct image *image = tiny_image(&tiny_shapes[3], IMAGE_INT8, 1);
    const struct image_linear *linear = &image->layers[0].ffn2; /* 77 -> 45 */
    int8_t q[80] = {0};
    float y[45];
    int32_t acc[45], some[13];
    uint64_t random = 5;
    for (uint32_t i = 0; i < 77; i++)
        q[i] = (int8_t)((int)(tiny_random(&random) >> 20) % 128);
    ref_accumulate(acc, linear, 0, 45, q);
    ref_accumulate(some, linear, 16, 13, q);
    ref_dequantise(y, linear, 0, 45, acc, 0.125f);
    for (uint32_t o = 0; o < 45; o++) {
        int32_t sum = 0;
        for (uint32_t i = 0; i < 77; i++)
            sum += image_weight(linear, o, i) * q[i];
        cr_assert_eq(acc[o], sum);
        cr_assert_eq(y[o], fmaf((float)sum * linear->scales[o], 0.125f, linear->bias[o]));
    }
    cr_assert_eq(memcmp(some, acc + 16, sizeof some), 0);
    cr_assert_eq(ref_sum_checked(acc, 45), ref_check(linear, 0, q));
    acc[44] ^= 1 << 30;
    cr_assert_neq(ref_sum_checked(acc, 45), ref_check(linear, 0, q));
    image_release(&image);
}

Test(ref, layernorm_normalises)
{
    float x[50], y[50], gamma[50], beta[50];
    const struct image_norm norm = {gamma, beta};
    uint64_t random = 11;
    double mean = 0, variance = 0;
    for (int i = 0; i < 50; i++) {
        x[i] = value(&random) + 3;
        gamma[i] = value(&random);
        beta[i] = value(&random);
        mean += x[i] / 50.0;
    }
    for (int i = 0; i < 50; i++)
        variance += (x[i] - mean) * (x[i] - mean) / 50;
    cr_assert(ref_layernorm(y, x, &norm, 50, 1e-6f));
    for (int i = 0; i < 50; i++)
        cr_assert_float_eq(y[i], (x[i] - mean) / sqrt(variance + 1e-6) * gamma[i] + beta[i], 2e-5);
    float flat[50] = {0};
    cr_assert(ref_layernorm(y, flat, &norm, 50, 1e-12f));
    cr_assert_eq(memcmp(y, beta, sizeof y), 0);
    flat[7] = 1e20f; /* its square is not finite */
    cr_assert_not(ref_layernorm(y, flat, &norm, 50, 1e-12f));
    flat[7] = NAN;
    cr_assert_not(ref_layernorm(y, flat, &norm, 50, 1e-12f));
    flat[7] = -INFINITY;
    cr_assert_not(ref_layernorm(y, flat, &norm, 50, 1e-12f));
}

Test(ref, softmax_of_equal_scores)
{
    float scores[40], scales[40], factor = 0;
    int32_t p[40];
    for (int j = 0; j < 40; j++) {
        scores[j] = -1000;
        scales[j] = j == 3 ? 0.25f : 0.5f;
    }
    cr_assert(ref_softmax(p, &factor, scores, scales, 40));
    for (int j = 0; j < 40; j++)
        cr_assert_eq(p[j], j == 3 ? 8128 : 16256);
    cr_assert_eq(factor, (0.5f * (1.0f / 16256.0f)) / 40.0f);
}

Test(ref, softmax_ends)
{
    const float scales[] = {1, 1, 1}, none[] = {0, 0, 0}, nearly_none[] = {0x1p-101f, 0, 0};
    const float far[] = {0, -100, -INFINITY}, wrong[][3] = {{0, INFINITY, 0}, {-INFINITY, -INFINITY, -INFINITY}};
    int32_t p[3];
    float factor;
    cr_assert(ref_softmax(p, &factor, far, scales, 3));
    cr_assert(p[0] == 16256 && p[1] == 0 && p[2] == 0);
    cr_assert(ref_softmax(p, &factor, far, none, 3));
    cr_assert(p[0] == 0 && factor == 0);
    cr_assert(ref_softmax(p, &factor, far, nearly_none, 3));
    cr_assert(p[0] == 0 && factor == 0);
    cr_assert_not(ref_softmax(p, &factor, wrong[0], scales, 3));
    cr_assert_not(ref_softmax(p, &factor, wrong[1], scales, 3));
}

/* 1024 tokens at the ends of everything: the accumulator must not overflow (ubsan would say so, too). */
Test(ref, context_is_exact_at_1024_tokens)
{
    struct image_shape shape = tiny_shapes[0];
    shape.positions = 1024;
    struct image *image = tiny_image(&shape, IMAGE_INT8, 1);
    const uint32_t cu_seqlens[] = {0, 1024};
    uint32_t blocks[2];
    struct board_kv kv;
    char *memory = calloc(1, board_kv_size(image, cu_seqlens, 1));
    board_kv_init(&kv, image, cu_seqlens, 1, memory, blocks);
    struct ref_head head = {image, &kv, 1, 0, 3, 1024};
    static int32_t p[1024];
    float ctx[8];
    for (uint32_t j = 0; j < 1024; j++) {
        p[j] = ACCEL_PROBABILITY_MAX;
        for (uint32_t d = 0; d < 8; d++)
            *ref_value(&head, j, d) = d % 2 ? -127 : 127;
    }
    ref_context(ctx, &head, p, 1);
    for (uint32_t d = 0; d < 8; d++)
        cr_assert_eq(ctx[d], d % 2 ? -(float)(16256 * 127 * 1024) : (float)(16256 * 127 * 1024));
    free(memory);
    image_release(&image);
}

/* Every key, value and scale of a job has a place of its own, the one accel/board.h describes. */
Test(ref, kv_places)
{
    struct image *image = tiny_image(&tiny_shapes[1], IMAGE_INT8, 1); /* 2 heads of 26, padded to 32 */
    const uint32_t cu_seqlens[] = {0, 5, 22, 38};
    uint32_t blocks[4];
    struct board_kv kv;
    size_t size = board_kv_size(image, cu_seqlens, 3);
    cr_assert_eq(size, (size_t)2 * 2 * 4 * 2 * 16 * (32 + 4));
    char *memory = calloc(1, size);
    board_kv_init(&kv, image, cu_seqlens, 3, memory, blocks);
    cr_assert(blocks[0] == 0 && blocks[1] == 1 && blocks[2] == 3 && blocks[3] == 4);
    for (uint32_t set = 0; set < 2; set++)
        for (uint32_t seq = 0; seq < 3; seq++)
            for (uint32_t h = 0; h < 2; h++)
                for (uint32_t t = 0; t < cu_seqlens[seq + 1] - cu_seqlens[seq]; t++) {
                    struct ref_head head = {image, &kv, set, seq, h, 0};
                    size_t block = (blocks[seq] + t / 16) * 2 + h;
                    for (uint32_t d = 0; d < 26; d++) {
                        int8_t *k = kv.keys[set] + block * 16 * 32 + ((d / 4) * 16 + t % 16) * 4 + d % 4;
                        int8_t *v =
                            kv.values[set] + block * 16 * 32 + ((d / 16 * 4 + t % 16 / 4) * 16 + d % 16) * 4 + t % 4;
                        cr_assert_eq(ref_key(&head, t, d), k);
                        cr_assert_eq(ref_value(&head, t, d), v);
                        cr_assert((*k)++ == 0 && (*v)++ == 0, "a place is used twice");
                    }
                    float *scales[] = {ref_key_scale(&head, t), ref_value_scale(&head, t)};
                    cr_assert_eq(scales[0], kv.key_scales[set] + block * 16 + t % 16);
                    cr_assert(scales[0][0]++ == 0 && scales[1][0]++ == 0, "a place is used twice");
                    cr_assert_leq((char *)(scales[1] + 1), memory + size);
                }
    free(memory);
    image_release(&image);
}
