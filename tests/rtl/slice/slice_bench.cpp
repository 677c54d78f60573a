// The vector slice against accel/ref, bit for bit:
//     slice_bench [groups [seed]]   random programs, widths, valid rows and values; random stalls at every handshake;
//                                   reset and clear in the middle of work; values that are not finite
//     slice_bench cycles            cycles a group, without stalls
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "Vbertd_vector_slice.h"
#include "tests/rtl/slice/reference.h"
#include "verilated.h"
#include "verilated_cov.h"

namespace
{

enum Program { QUANT, NORM, SOFTMAX };
const uint32_t lanes = 16, group_rows = 4;

using Random = std::mt19937_64;

uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

using Word = std::vector<uint32_t>; // 16 (or 8, 32) times 32 bits, as on a port

struct Command {
    Program program;
    uint32_t width, log2, rows, eps;

    uint32_t words() const
    {
        return (width + lanes - 1) / lanes;
    }

    // As slice_cmd_t is packed: kind 2, width 13, rotate_log2 3, rows 3, inv_width 32, eps 32.
    Word port() const
    {
        uint64_t high = (uint64_t)program << 19 | (uint64_t)width << 6 | log2 << 3 | rows;
        return {eps, bits_of(1.0f / (float)width), (uint32_t)high};
    }
};

// Everything one group takes and gives.
struct Group {
    Command command;
    bool broken = false; // a value in it is not finite
    std::vector<Word> in, side, x, q;
    std::vector<uint32_t> scales;
};

float gauss(Random &random)
{
    return std::normal_distribution<float>()(random);
}

uint32_t garbage(Random &random)
{
    return random() % 2 ? 0x7f800000 | (uint32_t)random() % 2 << 31 | (random() % 3 ? 0 : 1) : (uint32_t)random();
}

// Values of one row, of the kinds that rows may be.
std::vector<uint32_t> values(Random &random, uint32_t n)
{
    std::vector<uint32_t> x(n);
    unsigned kind = random() % 12;
    float scale = std::ldexp(1.0f, (int)(random() % 40) - 20), constant = gauss(random) * scale;
    for (uint32_t &value : x) {
        float plain = gauss(random) * scale;
        switch (kind) {
        case 0:
            value = 0;
            break;
        case 1:
            value = bits_of(constant);
            break;
        case 2: // subnormal and close to it
            value = (uint32_t)random() & 0x81ffffff;
            break;
        case 3: // around the magnitude that counts as tiny, 2^-100
            value = bits_of(gauss(random) * 0x1p-100f);
            break;
        case 4: // any exponent up to 2^32
            value = ((uint32_t)random() & 0x807fffff) | ((uint32_t)(random() % 160) << 23);
            break;
        case 5: // few values, ties when quantised
            value = bits_of((float)((int)(random() % 255) - 127) * 0.5f);
            break;
        case 6: // outliers
            value = bits_of(random() % 64 == 0 ? plain * 1000 : plain);
            break;
        default:
            value = bits_of(plain);
        }
    }
    return x;
}

struct Rows {
    std::vector<uint32_t> x[group_rows], side[2];
};

// Words of the rows in port order, with garbage where nothing counts.
std::vector<Word> to_words(const Command &command, const std::vector<uint32_t> *rows, Random &random)
{
    std::vector<Word> words;
    for (uint32_t w = 0; w < command.words(); w++)
        for (uint32_t r = 0; r < group_rows; r++) {
            Word word(lanes);
            for (uint32_t l = 0; l < lanes; l++)
                word[l] = r < command.rows && w * lanes + l < command.width ? rows[r][w * lanes + l] : garbage(random);
            words.push_back(word);
        }
    return words;
}

template <typename Value> Word packed(const std::vector<Value> &row, uint32_t w)
{
    Word word(lanes / 2);
    for (uint32_t l = 0; l < lanes; l++) {
        uint32_t value = w * lanes + l < row.size() ? (uint16_t)row[w * lanes + l] : 0;
        word[l / 2] |= value << 16 * (l % 2);
    }
    return word;
}

Word plain(const std::vector<uint32_t> &row, uint32_t w)
{
    Word word(lanes);
    for (uint32_t l = 0; l < lanes; l++)
        word[l] = w * lanes + l < row.size() ? row[w * lanes + l] : 0;
    return word;
}

Command make_command(Random &random)
{
    const uint32_t usual[] = {64, 128, 312, 384, 768, 1024};
    Command c = {(Program)(random() % 3), 0, 0, 1 + (uint32_t)random() % group_rows, 0};
    uint32_t limit = random() % 40 == 0 ? 4096 : random() % 4 == 0 ? 1024 : 256;
    c.width = 1 + (uint32_t)random() % limit;
    if (c.program == SOFTMAX && c.width > 1024)
        c.width = 1024;
    if (random() % 4 == 0)
        c.width = usual[random() % 6];
    if (c.program != SOFTMAX) {
        c.log2 = (uint32_t)random() % 8;
        uint32_t block = 1u << c.log2;
        c.width = (c.width + block - 1) / block * block;
    }
    float eps = random() % 8 == 0 ? 0x1p-126f : 1e-12f;
    c.eps = bits_of(eps);
    return c;
}

// What accel/ref gives for a valid row; false when a value is not finite.
bool expect_row(const Command &c, const Rows &rows, uint32_t r, std::vector<uint32_t> &y, std::vector<int16_t> &q,
                uint32_t &scale)
{
    std::vector<uint32_t> x = rows.x[r];
    q.resize(c.width);
    if (c.program == SOFTMAX)
        return reference_softmax((uint16_t *)q.data(), &scale, x.data(), rows.side[0].data(), c.width);
    if (c.program == NORM) {
        y.resize(c.width);
        if (!reference_norm(y.data(), x.data(), rows.side[0].data(), rows.side[1].data(), c.width, c.eps))
            return false;
        x = y;
    }
    for (int16_t &value : q)
        value = 0;
    if (!reference_quant(q.data(), &scale, x.data(), c.width, 1u << c.log2))
        return false;
    for (int16_t &value : q)
        value &= 255; // the int8 low, 0 high
    return true;
}

Rows make_rows(const Command &c, Random &random)
{
    Rows rows;
    for (uint32_t r = 0; r < group_rows; r++)
        rows.x[r] = values(random, c.width);
    rows.side[0] = values(random, c.width);
    rows.side[1] = values(random, c.width);
    if (c.program == SOFTMAX) {
        float spread = std::ldexp(1.0f, (int)(random() % 8) - 2);
        unsigned kind = random() % 8;
        for (uint32_t i = 0; i < c.width; i++) {
            if (kind)
                for (uint32_t r = 0; r < group_rows; r++)
                    rows.x[r][i] = bits_of(gauss(random) * spread);
            rows.side[0][i] = kind == 1   ? (uint32_t)random() % 3 << 22
                              : kind == 2 ? bits_of(0x1p-100f)
                                          : bits_of(std::fabs(gauss(random)) * 0.01f);
        }
    }
    return rows;
}

std::unique_ptr<Group> make_group(Random &random, const Command *given)
{
    for (;;) {
        auto group = std::make_unique<Group>();
        Command c = given ? *given : make_command(random);
        group->command = c;
        Rows rows = make_rows(c, random);
        std::vector<uint32_t> y[group_rows];
        std::vector<int16_t> q[group_rows];
        bool finite = true;
        for (uint32_t r = 0; r < group_rows; r++) {
            uint32_t scale = 0;
            if (r < c.rows)
                finite = finite && expect_row(c, rows, r, y[r], q[r], scale);
            group->scales.push_back(scale);
        }
        if (!finite)
            continue;
        group->in = to_words(c, rows.x, random);
        for (uint32_t w = 0; w < c.words(); w++) {
            Word side;
            for (uint32_t half = 0; half < 2; half++)
                for (uint32_t i = w * lanes; i < (w + 1) * lanes; i++)
                    side.push_back(i < c.width && (half == 0 || c.program == NORM) ? rows.side[half][i]
                                                                                   : garbage(random));
            if (c.program != QUANT)
                group->side.push_back(side);
            for (uint32_t r = 0; r < group_rows; r++) {
                group->q.push_back(packed(q[r], w));
                if (c.program == NORM)
                    group->x.push_back(plain(y[r], w));
            }
        }
        return group;
    }
}

// Makes a group whose row r has a value that is not finite.
void make_broken(Group &group, Random &random)
{
    uint32_t element = (uint32_t)random() % group.command.width, r = (uint32_t)random() % group.command.rows;
    const uint32_t kinds[] = {0x7f800000, 0xff800000, 0x7fc00000, 0xffffffff};
    group.in[element / lanes * group_rows + r][element % lanes] = kinds[random() % 4];
    group.broken = true;
}

template <typename Port> void put(Port &port, const Word &word)
{
    for (size_t i = 0; i < word.size(); i++)
        port[i] = word[i];
}

template <typename Port> bool equal(const Port &port, const Word &word)
{
    for (size_t i = 0; i < word.size(); i++)
        if (port[i] != word[i])
            return false;
    return true;
}

struct Bench {
    VerilatedContext context;
    Vbertd_vector_slice top{&context};
    Random random;
    std::deque<std::unique_ptr<Group>> groups; // in flight; each stream has its own place in it
    struct Place {
        size_t group = 0, word = 0;
    } cmd, in, side, x, q, scale;
    unsigned stalls[5] = {0}; // of 16
    uint64_t cycles = 0, failures = 0, words = 0;
    uint64_t done = 0;

    explicit Bench(uint64_t seed) : random(seed)
    {
        context.randReset(2);
        context.randSeed((int)seed + 1);
    }

    // The words of the stream's next group that has any; NULL at the end.
    template <typename Words> const Word *next(Place &place, Words Group::*words)
    {
        while (place.group < groups.size() && place.word == ((*groups[place.group]).*words).size()) {
            place.group++;
            place.word = 0;
        }
        return place.group < groups.size() ? &((*groups[place.group]).*words)[place.word] : nullptr;
    }

    bool flip(unsigned which)
    {
        return random() % 16 >= stalls[which];
    }

    void tick()
    {
        top.clk_i = 1;
        top.eval();
        top.clk_i = 0;
        top.eval();
        cycles++;
    }

    void fail(const char *stream, const Place &place)
    {
        if (failures++ < 20) {
            const Command &c = groups[place.group]->command;
            printf("%s: program %d width %u log2 %u rows %u: word %zu is wrong\n", stream, c.program, c.width, c.log2,
                   c.rows, place.word);
        }
    }

    // A cycle with whatever the streams have to offer; what was taken moves on. A valid once given stays.
    void step()
    {
        const Word *in_word = next(in, &Group::in), *side_word = next(side, &Group::side);
        top.cmd_valid_i = cmd.group < groups.size() && (top.cmd_valid_i || flip(0));
        if (cmd.group < groups.size())
            put(top.cmd_i, groups[cmd.group]->command.port());
        top.in_valid_i = in_word && (top.in_valid_i || flip(1));
        if (in_word)
            put(top.in_i, *in_word);
        top.side_valid_i = side_word && (top.side_valid_i || flip(2));
        if (side_word)
            put(top.side_i, *side_word);
        top.q_ready_i = flip(3);
        top.scale_ready_i = flip(4);
        top.eval();
        bool cmd_go = top.cmd_valid_i && top.cmd_ready_o, in_go = top.in_valid_i && top.in_ready_o;
        bool side_go = top.side_valid_i && top.side_ready_o;
        if (top.x_valid_o)
            take(x, &Group::x, top.x_o, "x");
        if (top.q_valid_o && top.q_ready_i)
            take(q, &Group::q, top.q_o, "q");
        if (top.scale_valid_o && top.scale_ready_i)
            take_scale();
        tick();
        cmd.group += cmd_go;
        in.word += in_go;
        side.word += side_go;
        top.cmd_valid_i = top.cmd_valid_i && !cmd_go;
        top.in_valid_i = top.in_valid_i && !in_go;
        top.side_valid_i = top.side_valid_i && !side_go;
    }

    template <typename Words, typename Port>
    void take(Place &place, Words Group::*stream, const Port &port, const char *name)
    {
        const Word *word = next(place, stream);
        if (!word) {
            printf("%s: a word nobody expects\n", name);
            failures++;
            return;
        }
        if (!groups[place.group]->broken && !equal(port, *word))
            fail(name, place);
        place.word++;
        words++;
    }

    void take_scale()
    {
        if (scale.group >= groups.size()) {
            printf("scale: one nobody expects\n");
            failures++;
            return;
        }
        if (!groups[scale.group]->broken && groups[scale.group]->scales[scale.word] != top.scale_o) {
            fail("scale", scale);
            if (failures < 20)
                printf("  %08x, should be %08x\n", top.scale_o, groups[scale.group]->scales[scale.word]);
        }
        if (++scale.word == group_rows) {
            scale.word = 0;
            scale.group++;
        }
    }

    bool finished()
    {
        return !next(x, &Group::x) && !next(q, &Group::q) && scale.group == groups.size() && cmd.group == groups.size();
    }

    // All groups through; false when nothing has moved for long.
    bool run(uint64_t most)
    {
        for (uint64_t i = 0; i < most && failures < 20; i++) {
            if (finished())
                return true;
            step();
        }
        if (failures < 20)
            printf("hangs: command %zu, in %zu, side %zu, x %zu, q %zu, scale %zu of %zu groups\n", cmd.group, in.group,
                   side.group, x.group, q.group, scale.group, groups.size());
        failures++;
        return false;
    }

    void forget()
    {
        groups.clear();
        cmd = in = side = x = q = scale = Place();
        top.cmd_valid_i = top.in_valid_i = top.side_valid_i = 0;
        top.q_ready_i = top.scale_ready_i = 0;
    }

    void reset()
    {
        forget();
        top.clear_i = 0;
        context.assertOn(false); // registers may hold anything
        top.rst_ni = 0;
        tick();
        top.rst_ni = 1;
        tick();
        context.assertOn(true);
    }

    void clear()
    {
        forget();
        top.clear_i = 1;
        tick();
        top.clear_i = 0;
        tick();
        tick();
    }

    void choose_stalls()
    {
        unsigned mood = random() % 4;
        for (unsigned &stall : stalls)
            stall = mood == 0 ? 0 : mood == 1 ? 4 : (unsigned)random() % 16;
    }

    // A few groups; some of them end in a reset, some hold a value that is not finite.
    void round()
    {
        unsigned n = 1 + (unsigned)random() % 24, ending = random() % 8;
        bool broken = random() % 8 == 0;
        choose_stalls();
        Command same = make_command(random);
        bool alike = random() % 3 == 0;
        for (unsigned i = 0; i < n; i++)
            groups.push_back(make_group(random, alike ? &same : nullptr));
        if (broken)
            make_broken(*groups[random() % n], random);
        if (ending < 2) {
            for (unsigned i = (unsigned)random() % 4000; i > 0 && !finished(); i--)
                step();
            ending == 0 ? reset() : clear();
            return;
        }
        run(4000000);
        if (top.error_o != broken) {
            printf("error_o is %d, should be %d\n", top.error_o, broken);
            failures++;
        }
        done += n;
        broken ? clear() : forget();
    }
};

int count_cycles()
{
    Bench bench(1);
    bench.reset();
    const Command commands[] = {{QUANT, 32, 0, 4, 0},
                                {QUANT, 64, 0, 4, 0},
                                {QUANT, 768, 7, 4, 0},
                                {QUANT, 3072, 7, 4, 0},
                                {NORM, 384, 7, 4, bits_of(1e-12f)},
                                {NORM, 768, 7, 4, bits_of(1e-12f)},
                                {NORM, 1024, 7, 4, bits_of(1e-12f)},
                                {SOFTMAX, 16, 0, 4, 0},
                                {SOFTMAX, 128, 0, 4, 0},
                                {SOFTMAX, 512, 0, 4, 0}};
    const char *names[] = {"QUANT", "NORM", "SOFTMAX"};
    printf(
        "| program | width | cycles of one group | cycles a group of 24 | words of a group |\n|---|---|---|---|---|\n");
    for (const Command &command : commands) {
        uint64_t cycles[2];
        for (unsigned i = 0; i < 2; i++) {
            for (unsigned n = i ? 24 : 1; n > 0; n--)
                bench.groups.push_back(make_group(bench.random, &command));
            uint64_t begin = bench.cycles;
            bench.run(100000);
            cycles[i] = bench.cycles - begin;
            bench.forget();
        }
        printf("| %s | %u | %" PRIu64 " | %.1f | %u |\n", names[command.program], command.width, cycles[0],
               (double)(cycles[1] - cycles[0]) / 23, command.words() * group_rows);
    }
    return bench.failures != 0;
}

} // namespace

int main(int argc, char **argv)
{
    reference_begin();
    if (argc > 1 && strcmp(argv[1], "cycles") == 0)
        return count_cycles();
    uint64_t groups = argc > 1 ? strtoull(argv[1], nullptr, 0) : 2000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], nullptr, 0) : 1;
    printf("slice_bench: %" PRIu64 " groups, seed %" PRIu64 "\n", groups, seed);
    Bench bench(seed);
    bench.reset();
#if VM_COVERAGE
    bench.context.coveragep()->zero(); // that registers began with anything covers nothing
#endif
    while (bench.done < groups && bench.failures == 0)
        bench.round();
    bench.top.final();
#if VM_COVERAGE
    bench.context.coveragep()->write("slice_coverage.dat");
#endif
    printf("slice_bench: %" PRIu64 " groups, %" PRIu64 " words, %" PRIu64 " cycles: %s\n", bench.done, bench.words,
           bench.cycles, bench.failures ? "FAILED" : "all equal");
    return bench.failures != 0;
}
