// Two accumulators of the array against products in plain C++: array_bench [steps [seed]]
// First every operand with every pair of weights out of the corners, each in all four places; then random steps with
// sums that run on, start anew or are multiplied by 128.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "Vbertd_array_bench.h"
#include "verilated.h"

namespace
{

using Random = std::mt19937_64;

const int8_t corners[] = {-128, -127, -126, -65, -64, -63, -2, -1, 0, 1, 2, 63, 64, 65, 126, 127};
const uint64_t n_corners = sizeof corners;

struct Step {
    int8_t operands[4], weights[2][4];
    bool add, first, shift;
};

int8_t value(Random &random)
{
    uint64_t bits = random();
    return bits % 4 == 0 ? corners[bits / 4 % n_corners] : (int8_t)(bits >> 32);
}

// The walk over the corners: all 256 operands x 16 x 16 weights x 4 places, the other places 0 or the same again.
const uint64_t n_walk = UINT64_C(256) * n_corners * n_corners * 4 * 2;

Step step(Random &random, uint64_t number)
{
    Step s = {};
    s.add = true;
    s.first = true;
    if (number < n_walk) {
        bool everywhere = number & 1;
        uint64_t at = number / 2, place = at % 4;
        int8_t operand = (int8_t)(at / 4 % 256), first = corners[at / 1024 % n_corners],
               second = corners[at / 1024 / n_corners];
        for (uint64_t i = 0; i < 4; i++) {
            if (!everywhere && i != place)
                continue;
            s.operands[i] = operand;
            s.weights[0][i] = first;
            s.weights[1][i] = second;
        }
        return s;
    }
    for (int i = 0; i < 4; i++) {
        s.operands[i] = value(random);
        s.weights[0][i] = value(random);
        s.weights[1][i] = value(random);
    }
    uint64_t kind = random();
    s.add = kind % 8 != 0;
    s.first = (kind >> 8) % 64 == 0;
    s.shift = (kind >> 16) % 64 == 0;
    return s;
}

void add(uint32_t *sums, const Step &s)
{
    if (!s.add)
        return;
    for (int c = 0; c < 2; c++) {
        int32_t dot = 0;
        for (int i = 0; i < 4; i++)
            dot += s.operands[i] * s.weights[c][i];
        sums[c] = (s.first ? 0 : s.shift ? sums[c] << 7 : sums[c]) + (uint32_t)dot;
    }
}

uint32_t four(const int8_t *x)
{
    return (uint32_t)(uint8_t)x[0] | (uint32_t)(uint8_t)x[1] << 8 | (uint32_t)(uint8_t)x[2] << 16 |
           (uint32_t)(uint8_t)x[3] << 24;
}

} // namespace

int main(int argc, char **argv)
{
    uint64_t steps = argc > 1 ? strtoull(argv[1], nullptr, 0) : 2000000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], nullptr, 0) : 1;
    printf("array_bench: %" PRIu64 " corners, %" PRIu64 " random steps, seed %" PRIu64 "\n", n_walk, steps, seed);
    Random random(seed);
    VerilatedContext context;
    context.randReset(2);
    context.randSeed((int)seed + 1);
    Vbertd_array_bench top(&context);
    top.eval();
    std::vector<uint32_t> expected(128);
    uint64_t latency = top.latency_o, failures = 0;
    uint32_t sums[2] = {0, 0};
    for (uint64_t number = 0; number < n_walk + steps + latency && failures < 20; number++) {
        Step s = step(random, number);
        add(sums, s);
        expected[number % 64 * 2] = sums[0];
        expected[number % 64 * 2 + 1] = sums[1];
        top.operands_i = four(s.operands);
        top.weights_i = four(s.weights[0]) | (uint64_t)four(s.weights[1]) << 32;
        top.add_i = s.add;
        top.first_i = s.first;
        top.shift_i = s.shift;
        top.clk_i = 0;
        top.eval();
        top.clk_i = 1;
        top.eval();
        if (number + 1 < latency)
            continue;
        uint64_t at = (number + 1 - latency) % 64;
        if (top.first_o == expected[at * 2] && top.second_o == expected[at * 2 + 1])
            continue;
        printf("step %" PRIu64 ": %08x %08x, should be %08x %08x\n", number + 1 - latency, top.first_o, top.second_o,
               expected[at * 2], expected[at * 2 + 1]);
        failures++;
    }
    top.final();
    printf("array_bench: %s\n", failures ? "FAILED" : "all equal");
    return failures != 0;
}
