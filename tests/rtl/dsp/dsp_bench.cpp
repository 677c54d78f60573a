// bertd_dsp_multiply_add against plain arithmetic: dsp_bench [steps [seed]]
// First every combination of the corners of all operands, then random ones; enable and clear come and go.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <random>

#include "Vbertd_dsp_bench.h"
#include "verilated.h"

namespace
{

using Random = std::mt19937_64;

const int64_t a_corners[] = {-(1 << 26), -(1 << 26) + 1, -(1 << 25),    -(1 << 18),   -2, -1, 0, 1,
                             2,          127 << 18,      (1 << 25) - 1, (1 << 26) - 1};
const int64_t b_corners[] = {-(1 << 17), -(1 << 17) + 1, -65536, -128, -2, -1, 0, 1, 2, 127, 65535, (1 << 17) - 1};
const int64_t chain_corners[] = {INT64_MIN / 65536, INT64_MIN / 65536 + 1, -(INT64_C(1) << 17), -1, 0, 1,
                                 1 << 17,           INT64_MAX / 65536};
const uint64_t HALF_CYCLE = 10; // AMD's model delays by units
const uint64_t n_a = std::size(a_corners), n_b = std::size(b_corners), n_chain = std::size(chain_corners);
const uint64_t n_walk = n_a * n_a * n_b * n_chain;

struct Step {
    int64_t a, d, b, chain;
    bool clear;
};

int64_t bits(int64_t x, int n)
{
    return (int64_t)((uint64_t)x << (64 - n)) >> (64 - n);
}

template <size_t n> int64_t some(Random &random, const int64_t (&corners)[n], int width)
{
    uint64_t r = random();
    return r % 4 == 0 ? corners[r / 4 % n] : bits((int64_t)(r >> 4), width);
}

Step step(Random &random, uint64_t number)
{
    Step s = {};
    if (number < n_walk) {
        s.a = a_corners[number % n_a];
        s.d = a_corners[number / n_a % n_a];
        s.b = b_corners[number / n_a / n_a % n_b];
        s.chain = chain_corners[number / n_a / n_a / n_b];
        return s;
    }
    s.a = some(random, a_corners, 27);
    s.d = some(random, a_corners, 27);
    s.b = some(random, b_corners, 18);
    s.chain = some(random, chain_corners, 48);
    s.clear = random() % 16 == 0;
    return s;
}

// What comes out of a form with the last of these steps, all of them enabled.
int64_t expected(const std::deque<Step> &steps, int form)
{
    size_t stages = form / 3 == 0 ? 1 : 2, now = steps.size() - 1;
    const Step &in = steps[now - stages - 1];
    int64_t a = form / 3 == 2 ? bits(in.a + in.d, 27) : in.a;
    int64_t product = steps[now - 1].clear ? 0 : a * in.b;
    int64_t chain = steps[now].chain;
    return bits(product + (form % 3 == 0 ? 0 : form % 3 == 1 ? chain : chain >> 17), 48);
}

int64_t word(const VlWide<14> &wide, int place)
{
    uint64_t value = 0;
    for (int i = 0; i < 3; i++) {
        int at = place * 48 + i * 16;
        value |= (uint64_t)(wide[at / 32] >> at % 32 & 0xffff) << 16 * i;
    }
    return bits((int64_t)value, 48);
}

} // namespace

int main(int argc, char **argv)
{
    uint64_t steps = argc > 1 ? strtoull(argv[1], nullptr, 0) : 500000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], nullptr, 0) : 1;
    printf("dsp_bench: %" PRIu64 " corners, %" PRIu64 " random steps, seed %" PRIu64 "\n", n_walk, steps, seed);
    Random random(seed);
    VerilatedContext context;
    Vbertd_dsp_bench top(&context);
    std::deque<Step> history;
    uint64_t failures = 0, compared = 0;
    auto settle = [&](bool clock) {
        top.clk_i = clock;
        top.eval();
        uint64_t until = context.time() + HALF_CYCLE;
        while (top.eventsPending() && top.nextTimeSlot() < until) { // of models with delays
            context.time(top.nextTimeSlot());
            top.eval();
        }
        context.time(until);
    };
    settle(false);
    for (uint64_t number = 0; number < n_walk + steps && failures < 20;) {
        bool enabled = random() % 8 != 0;
        Step s = enabled ? step(random, number++) : step(random, n_walk);
        top.en_i = enabled;
        top.clear_i = s.clear;
        top.a_i = (uint32_t)s.a & 0x7ffffff;
        top.d_i = (uint32_t)s.d & 0x7ffffff;
        top.b_i = (uint32_t)s.b & 0x3ffff;
        top.chain_i = (uint64_t)s.chain & 0xffffffffffff;
        settle(false);
        settle(true);
        if (enabled)
            history.push_back(s);
        if (history.size() > 4)
            history.pop_front();
        for (int form = 0; form < 9 && history.size() == 4; form++, compared++) {
            int64_t should = expected(history, form), p = word(top.p_o, form), chain = word(top.chain_o, form);
            if (p == should && chain == should)
                continue;
            printf("step %" PRIu64 ", form %d: %" PRIx64 " and %" PRIx64 ", should be %" PRIx64 "\n", number, form, p,
                   chain, should);
            failures++;
        }
    }
    top.final();
    printf("dsp_bench: %" PRIu64 " results, %s\n", compared, failures ? "FAILED" : "all equal");
    return failures != 0;
}
