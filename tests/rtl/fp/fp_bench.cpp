// The floating-point units against this processor and accel/functions.h, bit for bit:
//     fp_bench [points [seed]]
// Every enabled cycle takes new operands; en_i is taken away at random. Operands are corners, random bits, near ties,
// near overflow, near underflow, cancellations, and what the engine really sees.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "Vbertd_fp_bench.h"
#include "tests/rtl/fp/reference.h"
#include "verilated.h"
#include "verilated_cov.h"

namespace
{

const uint32_t corners[] = {
    0x00000000, 0x00000001, 0x00000002, 0x003fffff, 0x00400000, 0x007fffff, 0x00800000, 0x00800001, 0x00ffffff,
    0x01000000, 0x3effffff, 0x3f000000, 0x3f000001, 0x3f7fffff, 0x3f800000, 0x3f800001, 0x3fc00000, 0x3fffffff,
    0x40000000, 0x40af0000, 0x40aeffff, 0x40af0001, 0x42ae0000, 0x42ae0001, 0x42adffff, 0x42fe0000, 0x42fd0000,
    0x42ff0000, 0x467e0000, 0x467e0200, 0x46ffffff, 0x47000000, 0x4b000000, 0x4b400000, 0x4b7fffff, 0x4b800000,
    0x5f000000, 0x7e7fffff, 0x7effffff, 0x7f000000, 0x7f7ffffe, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000,
    0x7fffffff, 0x0d000000, 0x0cffffff, 0x3d800000, 0x33800000, 0x33ffffff, 0x34000000, 0x20000000, 0x1fffffff};
const size_t n_corners = sizeof corners / sizeof *corners;

using Random = std::mt19937_64;

uint32_t corner(Random &random)
{
    return corners[random() % n_corners] | (random() & 1) << 31;
}

uint32_t make(uint32_t sign, uint32_t exponent, uint32_t mantissa)
{
    return sign << 31 | (exponent & 255) << 23 | (mantissa & 0x7fffff);
}

// Mantissas with few ones, long runs of ones, or any.
uint32_t mantissa(Random &random)
{
    uint32_t bits = (uint32_t)random();
    switch (random() % 4) {
    case 0:
        return 1u << bits % 23 | 1u << (bits >> 8) % 23;
    case 1:
        return 0x7fffff << bits % 24;
    case 2:
        return 0x7fffff >> bits % 24;
    default:
        return bits;
    }
}

// Exponents anywhere, in the middle, or at the ends.
uint32_t operand(Random &random)
{
    uint32_t bits = (uint32_t)random(), sign = bits & 1;
    switch (random() % 8) {
    case 0:
        return corner(random);
    case 1:
        return (uint32_t)random();
    case 2:
        return make(sign, (bits >> 1) % 4, mantissa(random));
    case 3:
        return make(sign, 251 + (bits >> 1) % 4, mantissa(random));
    case 4:
        return make(sign, 50 + (bits >> 1) % 150, mantissa(random));
    default:
        return make(sign, 117 + (bits >> 1) % 20, mantissa(random));
    }
}

struct Operands {
    uint32_t a, b, c, x, integer, kind;
};

// Exponents such that the product, the sum or the quotient falls onto an end of the range or cancels.
void relate(Operands &o, Random &random)
{
    uint32_t e = o.a >> 23 & 255, bits = (uint32_t)random(), offset = bits % 5 - 2;
    switch (random() % 8) {
    case 0: // product near 2^-126
        o.b = make(o.b >> 31, 128 - e + offset, o.b);
        break;
    case 1: // product near 2^128
        o.b = make(o.b >> 31, 381 - e + offset, o.b);
        break;
    case 2: // c cancels the product
        o.b = make(o.b >> 31, 100 + bits % 50, o.b);
        o.c = reference_mul(o.a, o.b) ^ 0x80000000 ^ (bits >> 8 & 7);
        break;
    case 3: // b cancels a
        o.b = o.a ^ 0x80000000 ^ (bits & 15);
        break;
    case 4: // b and c at a distance of up to 60 bits
        o.b = make(o.b >> 31, e - bits % 30, o.b);
        o.c = make(o.c >> 31, (o.b >> 23 & 255) + e - 127 - bits % 60 + 30, o.c);
        break;
    case 5: // a quotient near 2^-126
        o.b = make(o.b >> 31, e + 126 + offset, o.b);
        break;
    case 6: // a quotient near 2^128
        o.b = make(o.b >> 31, e - 128 + offset, o.b);
        break;
    default:
        break;
    }
}

Operands operands(Random &random, uint64_t number)
{
    Operands o = {operand(random), operand(random), operand(random), 0, (uint32_t)random(), (uint32_t)random() % 4};
    if (number < n_corners * n_corners * n_corners * 8) {
        uint64_t at = number;
        uint32_t *all[] = {&o.a, &o.b, &o.c};
        for (uint32_t *value : all) {
            *value = corners[at / 2 % n_corners] | (uint32_t)(at % 2) << 31;
            at /= 2 * n_corners;
        }
    } else
        relate(o, random);
    o.integer = (uint32_t)((int32_t)o.integer >> random() % 32); // few bits, too
    if (random() % 8 == 0)
        o.integer = 1u << random() % 32 | (random() & 1) | 1u << random() % 32;
    // Scores minus their largest: any below 0, evenly within -90..0, or a corner.
    o.x = (random() % 3 == 0 ? operand(random) : make(1, 117 + random() % 17, (uint32_t)random())) | 0x80000000;
    if ((o.x & 0x7fffffff) > 0x7f800000)
        o.x = 0xff800000;
    return o;
}

bool same(uint32_t a, uint32_t b)
{
    bool a_nan = (a & 0x7fffffff) > 0x7f800000, b_nan = (b & 0x7fffffff) > 0x7f800000;
    return a_nan || b_nan ? a_nan && b_nan : a == b; // which NaN is left open
}

// A unit's expected results on their way.
struct Line {
    static const size_t LONGEST = 128;
    const char *name = "";
    size_t latency = 0;
    std::vector<uint32_t> values = std::vector<uint32_t>(LONGEST);
    std::vector<Operands> from = std::vector<Operands>(LONGEST);

    void push(uint64_t number, uint32_t value, const Operands &o)
    {
        values[number % LONGEST] = value;
        from[number % LONGEST] = o;
    }

    // After the edge that took operand `number`.
    bool check(uint64_t number, uint32_t got) const
    {
        if (number + 1 < latency)
            return true;
        uint64_t at = (number + 1 - latency) % LONGEST;
        if (same(got, values[at]))
            return true;
        const Operands &o = from[at];
        printf("%s: a %08x b %08x c %08x x %08x integer %08x kind %u: %08x, should be %08x\n", name, o.a, o.b, o.c, o.x,
               o.integer, o.kind, got, values[at]);
        return false;
    }
};

} // namespace

int main(int argc, char **argv)
{
    uint64_t points = argc > 1 ? strtoull(argv[1], nullptr, 0) : 2000000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], nullptr, 0) : 1;
    printf("fp_bench: %" PRIu64 " points, seed %" PRIu64 "\n", points, seed);
    reference_begin();
    Random random(seed);
    VerilatedContext context;
    context.randReset(2);
    context.randSeed((int)seed + 1);
    Vbertd_fp_bench top(&context);
    top.eval();
    const int score_bits = 22; // as bertd_pkg has them
    Line lines[13];
    const char *names[] = {"add", "mul",  "fma",           "from_int32",           "to_int",     "exp",  "activation",
                           "div", "sqrt", "butterfly sum", "butterfly difference", "accumulate", "score"};
    const size_t like_others[] = {0, 0, 2, 3}; // the last four are as late as add, fma and from_int32
    for (size_t i = 0; i < 13; i++) {
        size_t like = i < 9 ? i : like_others[i - 9];
        lines[i].name = names[i];
        lines[i].latency = top.latencies_o >> 7 * like & 127;
    }
    unsigned failures = 0;
    int32_t limit = 127;
    for (uint64_t number = 0; number < points && failures < 20;) {
        bool enabled = random() % 16 != 0;
        Operands o = operands(random, number);
        if (number % 4096 == 0)
            limit = number / 4096 % 2 ? 16256 : 127;
        top.a_i = o.a;
        top.b_i = o.b;
        top.c_i = o.c;
        top.exp_i = o.x;
        top.integer_i = o.integer;
        top.kind_i = o.kind;
        top.limit_i = (uint16_t)limit;
        top.en_i = enabled;
        top.clk_i = 0;
        top.eval();
        top.clk_i = 1;
        top.eval();
        if (!enabled)
            continue;
        const uint32_t expected[] = {
            reference_add(o.a, o.b),
            reference_mul(o.a, o.b),
            reference_fma(o.a, o.b, o.c),
            reference_from_int32(o.integer),
            (uint16_t)reference_to_int(o.a, limit),
            reference_exp(o.x),
            reference_activation(o.kind, o.a),
            reference_div(o.a, o.b),
            reference_sqrt(o.a),
            reference_add(o.a, o.b),
            reference_add(o.a, o.b ^ 0x80000000),
            reference_fma(o.a & 0x7fffffff, o.b & 0x7fffffff, o.c & 0x7fffffff),
            reference_from_int32((uint32_t)((int32_t)(o.integer << (32 - score_bits)) >> (32 - score_bits)))};
        const uint32_t got[] = {top.add_o,
                                top.mul_o,
                                top.fma_o,
                                top.from_int32_o,
                                top.to_int_o,
                                top.exp_o,
                                top.activation_o,
                                top.div_o,
                                top.sqrt_o,
                                top.butterfly_sum_o,
                                top.butterfly_difference_o,
                                top.accumulate_o,
                                top.from_score_o};
        for (size_t i = 0; i < 13; i++) {
            lines[i].push(number, expected[i], o);
            // While the limit changes, to_int has operands in flight that are clamped by the new one.
            if (i != 4 || number % 4096 > 8)
                failures += !lines[i].check(number, got[i]);
        }
        number++;
    }
    top.final();
#if VM_COVERAGE
    context.coveragep()->write("fp_coverage.dat");
#endif
    printf("fp_bench: %s\n", failures ? "FAILED" : "all equal");
    return failures != 0;
}
