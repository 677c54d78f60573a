#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/wire/float.h"
#include "server/wire/float_table.h"

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static const char *text_of(float value)
{
    static char text[WIRE_FLOAT_SIZE + 1];
    *wire_float_write(text, value) = '\0';
    return text;
}

/* Significant digits, zeros at both ends left out. */
static int significant(const char *text)
{
    int n = 0;
    int zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (n == 0 && *text == '0'))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        n++;
    }
    return n - zeros;
}

/* What C's library calls the shortest: the fewest digits of %e that read back the same. */
static int fewest_digits(float value, char *text, size_t size)
{
    for (int digits = 1; digits < 9; digits++) {
        snprintf(text, size, "%.*e", digits - 1, (double)value);
        if (strtof(text, NULL) == value)
            return digits;
    }
    snprintf(text, size, "%.8e", (double)value);
    return 9;
}

/* Reads back to the same bits; and for some, no shorter text and no nearer one of that length would. */
static void check(uint32_t bits, bool thorough)
{
    float value = from_bits(bits);
    const char *text = text_of(value);
    float back = strtof(text, NULL);
    uint32_t back_bits;
    memcpy(&back_bits, &back, sizeof back_bits);
    cr_assert_eq(back_bits, bits, "%08x is written %s, which reads back as %08x", bits, text, back_bits);
    cr_assert(strpbrk(text, ".e"), "%s reads as an integer", text);
    cr_assert_leq(strlen(text), 17u, "%s", text);
    if (!thorough)
        return;
    char other[32];
    int fewest = fewest_digits(value, other, sizeof other);
    cr_assert_leq(significant(text), fewest, "%08x: %s is longer than %s", bits, text, other);
    if (significant(text) < fewest)
        return; /* %e looks only at the nearest of a length; at a power of two one farther above may read back */
    double distance = fabs(strtod(text, NULL) - (double)value);
    cr_assert_leq(distance, fabs(strtod(other, NULL) - (double)value), "%08x: %s is nearer than %s", bits, other, text);
}

Test(float, notation_of_serde)
{
    cr_expect_str_eq(text_of(0.0f), "0.0");
    cr_expect_str_eq(text_of(-0.0f), "-0.0");
    cr_expect_str_eq(text_of(1.0f), "1.0");
    cr_expect_str_eq(text_of(-1.5f), "-1.5");
    cr_expect_str_eq(text_of(0.061234f), "0.061234");
    cr_expect_str_eq(text_of(0.1f), "0.1");
    cr_expect_str_eq(text_of(1e-5f), "0.00001");
    cr_expect_str_eq(text_of(1e-6f), "0.000001");
    cr_expect_str_eq(text_of(9.999999e-7f), "9.999999e-7");
    cr_expect_str_eq(text_of(1e-10f), "1e-10");
    cr_expect_str_eq(text_of(16777216.0f), "16777216.0");
    cr_expect_str_eq(text_of(123456.7f), "123456.7");
    cr_expect_str_eq(text_of(1e12f), "1000000000000.0");
    cr_expect_str_eq(text_of(1e13f), "1e13");
    cr_expect_str_eq(text_of(1.5e20f), "1.5e20");
    cr_expect_str_eq(text_of(3.4028235e38f), "3.4028235e38");
    cr_expect_str_eq(text_of(1e-45f), "1e-45");
    cr_expect_str_eq(text_of(1.1754944e-38f), "1.1754944e-38");
    cr_expect_str_eq(text_of(-0.0000012345679f), "-0.0000012345679");
}

Test(float, what_json_cannot_say_is_null)
{
    cr_expect_str_eq(text_of(NAN), "null");
    cr_expect_str_eq(text_of(INFINITY), "null");
    cr_expect_str_eq(text_of(-INFINITY), "null");
}

/* Around every power of two, where the interval below is half as wide, and at both ends of the subnormals. */
Test(float, edges)
{
    for (uint32_t exponent = 0; exponent < 255; exponent++) {
        for (int32_t offset = -40; offset <= 40; offset++) {
            int64_t bits = ((int64_t)exponent << 23) + offset;
            if (bits <= 0 || bits >= 0x7F800000)
                continue;
            check((uint32_t)bits, true);
            check((uint32_t)bits | 0x80000000u, false);
        }
    }
}

Test(float, powers_of_ten_and_neighbours)
{
    for (int e = -45; e <= 38; e++) {
        char text[16];
        snprintf(text, sizeof text, "1e%d", e);
        float value = strtof(text, NULL);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        for (uint32_t b = bits > 20 ? bits - 20 : 1; b < bits + 20 && b < 0x7F800000; b++)
            check(b, true);
    }
}

/* BERTD_FLOAT_STRIDE=1 looks at every float (about ten minutes). */
Test(float, over_all_bit_patterns, .timeout = 3600)
{
    const char *given = getenv("BERTD_FLOAT_STRIDE");
    uint32_t stride = given ? (uint32_t)strtoul(given, NULL, 10) : 509;
    cr_assert_gt(stride, 0u);
    uint64_t n = 0;
    for (uint64_t bits = 1; bits < 0x7F800000; bits += stride)
        check((uint32_t)bits, n++ % 16 == 0);
}

/* What embeddings are made of. */
Test(float, between_minus_one_and_one)
{
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < 1000000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        float value = ((float)(state >> 40) / 8388608.0f - 1.0f) * 0.25f;
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        if (bits << 1)
            check(bits, i % 16 == 0);
    }
}

/* Multiply by ten in long integers of 32 words and compare with the table. */
struct big {
    uint32_t words[8]; /* little endian */
};

static void big_multiply(struct big *big, uint32_t factor)
{
    uint64_t carry = 0;
    for (int i = 0; i < 8; i++) {
        carry += (uint64_t)big->words[i] * factor;
        big->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static int big_bits(const struct big *big)
{
    for (int i = 7; i >= 0; i--) {
        if (big->words[i])
            return i * 32 + 32 - __builtin_clz(big->words[i]);
    }
    return 0;
}

static bool big_bit(const struct big *big, int bit)
{
    return bit >= 0 && (big->words[bit / 32] >> (bit % 32) & 1);
}

Test(float, table_holds_the_powers_of_ten)
{
    struct big power = {{1}};
    for (int k = 0; k <= WIRE_FLOAT_MAX_POWER; k++) {
        int top = big_bits(&power) - 1;
        uint64_t leading = 0;
        for (int i = 0; i < 64; i++)
            leading = leading << 1 | big_bit(&power, top - i);
        bool rest = false;
        for (int i = top - 64; i >= 0; i--)
            rest = rest || big_bit(&power, i);
        cr_assert_eq(wire_float_powers[k - WIRE_FLOAT_MIN_POWER], leading + rest, "10^%d", k);
        big_multiply(&power, 10);
    }
    /* 10^-k is the inverse: g(-k) * 10^k is just above a power of two. */
    for (int k = 1; k <= -WIRE_FLOAT_MIN_POWER; k++) {
        uint64_t g = wire_float_powers[-k - WIRE_FLOAT_MIN_POWER];
        struct big product = {{(uint32_t)g, (uint32_t)(g >> 32)}};
        struct big below = {{(uint32_t)(g - 1), (uint32_t)((g - 1) >> 32)}};
        for (int i = 0; i < k; i++) {
            big_multiply(&product, 10);
            big_multiply(&below, 10);
        }
        cr_assert_eq(big_bits(&below) + 1, big_bits(&product), "10^-%d", k);
    }
}
