#include "clients/c/number.h"

#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DIGITS = 15, MAX_POWER = 22, MAX_LENGTH = 127 };

/* A number taken apart: digits times ten to the power of `exponent`. */
struct decimal {
    uint64_t digits;
    int n_digits; /* from the first that is not 0 */
    int exponent;
    bool negative;
};

static const char *read_digits(const char *at, const char *end, struct decimal *decimal, int step)
{
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (decimal->n_digits > 0 || *at != '0')
            decimal->n_digits++;
        if (decimal->n_digits <= MAX_DIGITS)
            decimal->digits = decimal->digits * 10 + (uint64_t)(*at - '0');
        decimal->exponent += step;
    }
    return at;
}

static const char *read_exponent(const char *at, const char *end, struct decimal *decimal)
{
    bool negative = at < end && *at == '-';
    int value = 0;
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    const char *begin = at;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        value = value < 10000 ? value * 10 + (*at - '0') : value;
    decimal->exponent += negative ? -value : value;
    return at > begin ? at : NULL;
}

/* NULL: not of the grammar. */
static const char *take_apart(const char *at, const char *end, struct decimal *ret)
{
    struct decimal decimal = {.negative = at < end && *at == '-'};
    at += decimal.negative;
    const char *begin = at;
    at = read_digits(at, end, &decimal, 0);
    if (at == begin || (at - begin > 1 && *begin == '0'))
        return NULL;
    if (at < end && *at == '.') {
        begin = ++at;
        at = read_digits(at, end, &decimal, -1);
        if (at == begin)
            return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E'))
        at = read_exponent(at + 1, end, &decimal);
    *ret = decimal;
    return at;
}

/* By one exact double and one rounded operation. Rounding that to a float again is wrong only where the double is half
 * way between two floats, or the float is subnormal. */
static bool quick(const struct decimal *decimal, float *ret)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (decimal->n_digits > MAX_DIGITS || decimal->exponent < -MAX_POWER || decimal->exponent > MAX_POWER)
        return false;
    double value = (double)decimal->digits;
    value = decimal->exponent < 0 ? value / powers[-decimal->exponent] : value * powers[decimal->exponent];
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x1fffffff) == 0x10000000 || (value != 0 && (value < 1e-37 || value > 1e38)))
        return false;
    *ret = (float)(decimal->negative ? -value : value);
    return true;
}

const char *bertd_number_float(const char *at, const char *end, float *ret)
{
    struct decimal decimal;
    char copy[MAX_LENGTH + 1];
    const char *behind = take_apart(at, end, &decimal);
    if (!behind || quick(&decimal, ret))
        return behind;
    size_t len = (size_t)(behind - at);
    locale_t locale = len <= MAX_LENGTH ? newlocale(LC_ALL_MASK, "C", (locale_t)0) : (locale_t)0;
    if (!locale)
        return NULL;
    memcpy(copy, at, len);
    copy[len] = '\0';
    *ret = strtof_l(copy, NULL, locale);
    freelocale(locale);
    return behind;
}
