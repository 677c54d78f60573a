#include "server/wire/float.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "server/wire/float_table.h"

enum { MOST_DIGITS = 10 }; /* of 32 bits; of the shortest decimal there are at most 9 */

/* digits * 10^exponent */
struct decimal {
    uint32_t digits;
    int exponent;
};

static int floor_log2_of_power10(int e)
{
    return (e * 1741647) >> 19;
}

/* floor(log10(2^q)), or of 3/4 * 2^q */
static int floor_log10_of_power2(int q, bool three_quarters)
{
    return (q * 1262611 - (three_quarters ? 524031 : 0)) >> 22;
}

/* The upper 32 bits of the 96-bit product, the lowest set where anything was cut off ("round to odd"). */
static uint32_t multiply_to_odd(uint64_t power, uint32_t value)
{
    unsigned __int128 product = (unsigned __int128)power * value;
    uint32_t high = (uint32_t)(product >> 64);
    uint32_t low = (uint32_t)(product >> 32);
    return high | (low > 1);
}

/* The shortest decimal within the interval that rounds to mantissa * 2^q, nearest to the value among those. */
static struct decimal shortest(uint32_t mantissa, int q, bool lower_is_closer)
{
    int k = floor_log10_of_power2(q, lower_is_closer);
    int shift = q + floor_log2_of_power10(-k) + 1;
    uint64_t power = wire_float_powers[-k - WIRE_FLOAT_MIN_POWER];
    /* The value and the ends of its interval, in quarters of 10^k. */
    uint32_t middle = multiply_to_odd(power, (4 * mantissa) << shift);
    uint32_t lower = multiply_to_odd(power, (4 * mantissa - 2 + lower_is_closer) << shift);
    uint32_t upper = multiply_to_odd(power, (4 * mantissa + 2) << shift);
    uint32_t open = mantissa & 1; /* halfway cases round to even: odd mantissas do not own the ends */
    lower += open;
    upper -= open;

    uint32_t s = middle / 4;
    if (s >= 10) {
        uint32_t tens = s / 10;
        bool down = lower <= 40 * tens;
        bool up = 40 * tens + 40 <= upper;
        if (down != up)
            return (struct decimal){tens + up, k + 1};
    }
    bool down = lower <= 4 * s;
    bool up = 4 * s + 4 <= upper;
    if (down != up)
        return (struct decimal){s + up, k};
    uint32_t half = 4 * s + 2;
    return (struct decimal){s + (middle > half || (middle == half && (s & 1))), k};
}

static struct decimal strip_zeros(struct decimal decimal)
{
    while (decimal.digits % 10 == 0) {
        decimal.digits /= 10;
        decimal.exponent++;
    }
    return decimal;
}

/* Decimal digits of a number > 0, from its bits: log10(2) is about 1233 / 4096. */
static int count_digits(uint32_t digits)
{
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
    int guess = ((32 - __builtin_clz(digits)) * 1233) >> 12;
    return guess + (digits >= powers[guess]);
}

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445"
    "46474849505152535455565758596061626364656667686970717273747576777879808182838485868788899091"
    "9293949596979899";

/* [n] digits, and zeros behind them up to MOST_DIGITS bytes. All are made in any case, by divisions that do not wait
 * for each other: how many there are is nothing that the processor could guess. */
static void write_digits(char *to, uint32_t digits, int n)
{
    char all[2 * MOST_DIGITS] = {0};
    uint32_t first = digits / 100000000, rest = digits % 100000000;
    uint32_t high = rest / 10000, low = rest % 10000;
    memcpy(all, pairs + 2 * first, 2);
    memcpy(all + 2, pairs + 2 * (high / 100), 2);
    memcpy(all + 4, pairs + 2 * (high % 100), 2);
    memcpy(all + 6, pairs + 2 * (low / 100), 2);
    memcpy(all + 8, pairs + 2 * (low % 100), 2);
    memcpy(to, all + MOST_DIGITS - n, MOST_DIGITS);
}

static char *write_exponent(char *to, int exponent)
{
    *to++ = 'e';
    if (exponent < 0) {
        *to++ = '-';
        exponent = -exponent;
    }
    if (exponent >= 10)
        *to++ = (char)('0' + exponent / 10);
    *to++ = (char)('0' + exponent % 10);
    return to;
}

/* `point`: how many digits stand before the decimal point. */
static char *write_decimal(char *to, uint32_t digits, int n, int point)
{
    if (point > 13 || point <= -6) {
        write_digits(to + 1, digits, n);
        to[0] = to[1];
        to[1] = '.';
        return write_exponent(to + (n > 1 ? n + 1 : 1), point - 1);
    }
    if (point <= 0) {
        memcpy(to, "0.000000", 8);
        to += 2 - point;
        write_digits(to, digits, n);
        return to + n;
    }
    if (point >= n) {
        write_digits(to, digits, n);
        memset(to + n, '0', (size_t)(point - n));
        memcpy(to + point, ".0", 2);
        return to + point + 2;
    }
    write_digits(to + 1, digits, n);
    memmove(to, to + 1, (size_t)point);
    to[point] = '.';
    return to + n + 1;
}

char *wire_float_write(char *to, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t fraction = bits & 0x7FFFFF;
    int exponent = (int)(bits >> 23 & 0xFF);
    if (exponent == 0xFF) {
        memcpy(to, "null", 4);
        return to + 4;
    }
    if (bits >> 31)
        *to++ = '-';
    if (exponent == 0 && fraction == 0) {
        memcpy(to, "0.0", 3);
        return to + 3;
    }
    uint32_t mantissa = exponent ? fraction | 0x800000 : fraction;
    int q = (exponent ? exponent : 1) - 150;
    struct decimal decimal = strip_zeros(shortest(mantissa, q, fraction == 0 && exponent > 1));
    int n = count_digits(decimal.digits);
    return write_decimal(to, decimal.digits, n, n + decimal.exponent);
}
