/* Whole layers on the simulated engine, bit for bit against the reference.
 *
 *     bench [--seed N] [--cases N] [--failures N] [--enough CYCLES] [KIND ...]
 *
 * KIND: layers, lists, ragged, large, limits, late, parts, stalls, reset, flips, malformed, registers, record,
 * wild, errors.
 * Every case has a seed of its own, printed before it runs; without names all kinds run. Of `limits`, one case is many
 * times the work of any other: it runs once. The bench ends with so many failures (all), and takes an engine that is
 * not done after so many cycles (four million) to hang.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/float_mode.h"

#include "tests/rtl/engine/bench.h"

enum { LONGEST = 50, SHORT = 20, FEW = 4, HEADS = 3, LATE = 20000, STALLS = 250, MANY = 1000000 };

static const char *kind_name;
static uint64_t failures, most_failures = UINT64_MAX, enough = 4 * 1000 * 1000;

void bench_check(bool good, const char *what, long value)
{
    if (good)
        return;
    printf("FAILED: %s: %s (%ld)\n", kind_name, what, value);
    if (++failures < most_failures)
        return;
    printf("FAILED\n");
    exit(1);
}

bool bench_run(struct sim_model *model)
{
    bool done = sim_model_run(model, enough);
    bench_check(done, "not done after so many cycles", (long)enough);
    return done;
}

struct sim_model_options bench_stalls(struct rtl_random *random)
{
    struct sim_model_options options = {.read_latency = rtl_random(random, 100), .seed = random->state};
    options.stall_per_mille = rtl_random(random, 4) * 200;
    options.answer_latency = rtl_random(random, 4) * 300;
    return options;
}

void bench_init(struct rtl_case *test, struct rtl_random *random)
{
    struct image_shape shape = rtl_case_shape(random, HEADS);
    uint32_t lengths[FEW], n = 1 + rtl_random(random, FEW);
    for (uint32_t s = 0; s < n; s++)
        lengths[s] = 1 + rtl_random(random, n == 1 ? LONGEST : SHORT);
    rtl_case_init_batch(test, random, shape, lengths, n);
}

uint32_t bench_work(struct sim_model *model, const struct rtl_case *test, uint32_t commands)
{
    uint64_t read, written, read_then, written_then;
    sim_model_beats(model, &read, &written);
    card_clear_record(&test->card, sim_model_memory(model));
    sim_model_start(model, test->card.list, commands);
    if (!bench_run(model))
        sim_model_reset(model);
    bench_check(sim_model_breach(model) == NULL, "a rule of AXI is broken", 0);
    sim_model_beats(model, &read_then, &written_then);
    struct sim_model_counts counts;
    sim_model_counts(model, &counts);
    bench_check(counts.beats_read == read_then - read, "beats read", (long)counts.beats_read);
    bench_check(counts.beats_written + ACCEL_RECORD_BEATS == written_then - written, "beats written",
                (long)counts.beats_written);
    return bench_status(test, model);
}

void bench_expect_equal(const struct rtl_case *test, struct sim_model *model, const float *expected)
{
    long difference = rtl_case_difference(test, model, expected);
    bench_check(difference < 0, "a value differs from the reference's", difference);
}

/* The list gives what it should; then the case is over. */
static void expect_good(struct rtl_case *test, struct sim_model *model, uint32_t commands)
{
    uint32_t status = bench_work(model, test, commands);
    bench_check(status == ACCEL_ENGINE_OK, "status", status);
    bench_expect_equal(test, model, test->expected);
    sim_model_destroy(&model);
    rtl_case_finish(test);
}

/* All layers in one command, the rows staying on the engine in between. */
static void expect_layers(struct rtl_case *test, struct sim_model_options options)
{
    struct sim_model *model = rtl_case_model(test, options);
    expect_good(test, model, rtl_case_commands(test, model, test->image->shape.layers));
}

static void run_layers(struct rtl_random *random, struct sim_model_options options)
{
    struct rtl_case test;
    bench_init(&test, random);
    expect_layers(&test, options);
}

static void layers(struct rtl_random *random)
{
    run_layers(random, (struct sim_model_options){.seed = random->state});
}

static void with_stalls(struct rtl_random *random)
{
    run_layers(random, bench_stalls(random));
}

/* A command a layer: the rows go out and in again. */
static void lists(struct rtl_random *random)
{
    struct rtl_case test;
    bench_init(&test, random);
    struct sim_model *model = rtl_case_model(&test, bench_stalls(random));
    expect_good(&test, model, rtl_case_commands(&test, model, 1));
}

/* As many sequences as a command takes, most of them short, a few long. */
static void ragged(struct rtl_random *random)
{
    uint32_t lengths[CARD_MAX_SEQUENCES], n = 2 + rtl_random(random, CARD_MAX_SEQUENCES - 1);
    for (uint32_t s = 0; s < n; s++)
        lengths[s] = 1 + rtl_random(random, rtl_random(random, 8) ? 6 : LONGEST);
    struct rtl_case test;
    rtl_case_init_batch(&test, random, rtl_case_shape(random, 2), lengths, n);
    bench_check(card_sequences(test.cu_seqlens, 0, n) == n, "they do not fit one command", n);
    expect_layers(&test, bench_stalls(random));
}

/* A layer so large that a unit is still reading a panel's or a row's last part when the next job's first results come:
 * what overlaps must not meet. */
static void large(struct rtl_random *random)
{
    struct rtl_case test;
    struct image_shape shape = rtl_case_shape(random, HEADS);
    shape.layers = 1;
    shape.heads = 4;
    shape.hidden = shape.intermediate = 256;
    uint32_t rows = 8 * sim_model_rows() + rtl_random(random, 2 * sim_model_rows());
    rtl_case_init(&test, random, shape, rows < sim_model_tokens() ? rows : sim_model_tokens());
    expect_layers(&test, (struct sim_model_options){.seed = random->state});
}

/* The widest layer with heads of both sizes, the longest sequence, and all rows filled with as many as a command takes.
 */
static void limits(struct rtl_random *random)
{
    const struct {
        uint32_t hidden, intermediate, heads, tokens, sequences;
    } most[] = {{1024, 4096, 32, 1 + sim_model_rows(), 1},
                {1024, 4096, 16, 3, 1},
                {64, 16, 2, sim_model_tokens(), 1},
                {64, 16, 2, sim_model_tokens() / CARD_MAX_SEQUENCES, CARD_MAX_SEQUENCES}};
    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
        struct rtl_case test;
        struct image_shape shape = rtl_case_shape(random, HEADS);
        shape.layers = 1;
        shape.hidden = most[i].hidden;
        shape.intermediate = most[i].intermediate;
        shape.heads = most[i].heads;
        uint32_t lengths[CARD_MAX_SEQUENCES];
        for (uint32_t s = 0; s < most[i].sequences; s++)
            lengths[s] = most[i].tokens;
        rtl_case_init_batch(&test, random, shape, lengths, most[i].sequences);
        expect_layers(&test, (struct sim_model_options){.stall_per_mille = STALLS, .seed = random->state});
    }
}

/* A linear of layer 0 in card memory: panels of 16 outputs, of `panel` bytes each, then the check panel. */
struct linear {
    uint64_t begin, panel;
    uint32_t in, out;
};
enum { LINEARS = 5 };

static struct linear get_linear(const struct rtl_case *test, int index)
{
    const struct card_layer *layer = &test->card.first;
    const struct image_shape *shape = &test->image->shape;
    struct linear linears[LINEARS] = {{layer->kv, 0, shape->hidden, 2 * shape->hidden},
                                      {layer->q, 0, shape->hidden, shape->hidden},
                                      {layer->output, 0, shape->hidden, shape->hidden},
                                      {layer->ffn1, 0, shape->hidden, shape->intermediate},
                                      {layer->ffn2, 0, shape->intermediate, shape->hidden}};
    linears[index].panel = 64 * (2 + linears[index].in / 4);
    return linears[index];
}

/* A burst of one address comes late; the result is the same. */
static void expect_late(struct rtl_case *test, struct sim_model *model, uint32_t commands,
                        struct sim_model_options options, uint64_t at)
{
    options.late_address = at;
    sim_model_set_options(model, &options);
    rtl_case_put_rows(test, model);
    uint32_t status = bench_work(model, test, commands);
    bench_check(status == ACCEL_ENGINE_OK, "status", status);
    bench_expect_equal(test, model, test->expected);
}

/* No row program waits for a check panel: one that comes when they are long done must still find its operands. Norms
 * wait for what they scale by. */
static void late(struct rtl_random *random)
{
    struct rtl_case test;
    bench_init(&test, random);
    struct sim_model_options options = {.seed = random->state, .late_cycles = LATE};
    struct sim_model *model = rtl_case_model(&test, options);
    uint32_t commands = rtl_case_commands(&test, model, test.image->shape.layers);
    for (int i = 0; i < LINEARS; i++) {
        struct linear linear = get_linear(&test, i);
        expect_late(&test, model, commands, options, linear.begin + linear.out / 16 * linear.panel);
    }
    expect_late(&test, model, commands, options, test.card.first.attention_norm);
    expect_late(&test, model, commands, options, test.card.first.output_norm);
    sim_model_destroy(&model);
    rtl_case_finish(&test);
}

struct part {
    uint32_t begin, end;
};

/* Cut the rows into parts, in any order; how many. */
static uint32_t cut(struct part parts[LONGEST], uint32_t rows, struct rtl_random *random)
{
    uint32_t n = 0;
    for (uint32_t begin = 0; begin < rows; n++) {
        struct part part = {begin, begin + 1 + rtl_random(random, rows - begin)};
        uint32_t place = rtl_random(random, n + 1);
        parts[n] = parts[place];
        parts[place] = part;
        begin = part.end;
    }
    return n;
}

/* One layer by project and finish over random parts of the rows, each part its own command; keys and values lie in the
 * card's memory, in board_kv's layout. */
static void parts(struct rtl_random *random)
{
    struct rtl_case test;
    struct image_shape shape = rtl_case_shape(random, HEADS);
    shape.layers = 1;
    rtl_case_init(&test, random, shape, 1 + rtl_random(random, LONGEST));
    struct sim_model *model = rtl_case_model(&test, bench_stalls(random));
    enum board_task_kind kinds[] = {BOARD_PROJECT, BOARD_FINISH};
    for (int k = 0; k < 2; k++) {
        struct part parts[LONGEST] = {{0}};
        uint32_t n = cut(parts, test.rows, random);
        for (uint32_t i = 0; i < n; i++) {
            struct card_command command = {kinds[k], 0, 1, test.cu_seqlens, 1, parts[i].begin, parts[i].end};
            card_put_command(&test.card, sim_model_memory(model), 0, &command);
            uint32_t status = bench_work(model, &test, 1);
            bench_check(status == ACCEL_ENGINE_OK, "status", status);
        }
    }
    bench_expect_equal(&test, model, test.expected);
    card_get_kv(&test.card, sim_model_memory(model), &test.kv, 0, 0, 0, test.rows);
    bench_check(memcmp(test.kv_memory, test.kv_expected_memory, test.kv_size / 2) == 0, "keys or values differ", 0);
    sim_model_destroy(&model);
    rtl_case_finish(&test);
}

/* A reset at any moment, then the same work from the start. */
static void reset(struct rtl_random *random)
{
    struct rtl_case test;
    bench_init(&test, random);
    struct sim_model *model = rtl_case_model(&test, bench_stalls(random));
    uint32_t commands = rtl_case_commands(&test, model, test.image->shape.layers);
    for (int i = 0; i < 3; i++) {
        sim_model_start(model, test.card.list, commands);
        sim_model_run(model, rtl_random(random, 6000));
        sim_model_reset(model);
        rtl_case_put_rows(&test, model);
    }
    expect_good(&test, model, commands);
}

/* Words that make a command one the engine must refuse. */
static const struct {
    uint32_t word, value;
} bad_words[] = {
    {ACCEL_WORD_OPCODE, 0},
    {ACCEL_WORD_OPCODE, (uint32_t)ACCEL_OPCODE_MAGIC},
    {ACCEL_WORD_OPCODE, (uint32_t)ACCEL_OPCODE_MAGIC | 4},
    {ACCEL_WORD_LAYERS, 0},
    {ACCEL_WORD_LAYERS, 1025},
    {ACCEL_WORD_HIDDEN, 0},
    {ACCEL_WORD_HIDDEN, 2048},
    {ACCEL_WORD_HIDDEN, 33},
    {ACCEL_WORD_INTERMEDIATE, 0},
    {ACCEL_WORD_INTERMEDIATE, 8192},
    {ACCEL_WORD_INTERMEDIATE, 24},
    {ACCEL_WORD_HEADS, 0},
    {ACCEL_WORD_HEADS, 33},
    {ACCEL_WORD_HEAD_DIM, 16},
    {ACCEL_WORD_HEAD_DIM, 64},
    {ACCEL_WORD_HEAD_DIM, 128},
    {ACCEL_WORD_SEGMENTS, 0},
    {ACCEL_WORD_SEGMENTS, 513},
    {ACCEL_WORD_SEGMENTS, 512},
    {ACCEL_WORD_SEGMENTS, 511u << 16 | 1},
    {ACCEL_WORD_ROW_BEGIN, 1},
    {ACCEL_WORD_ROW_BEGIN, 512},
    {ACCEL_WORD_ROW_BEGIN, 0xffffffff},
    {ACCEL_WORD_ROWS, 0},
    {ACCEL_WORD_ROWS, 0xffffffff},
    {ACCEL_WORD_ACTIVATION, 3},
    {ACCEL_WORD_ROWS_ADDRESS, 4},
    {ACCEL_WORD_KEYS, 32},
    {ACCEL_WORD_WEIGHTS_FFN2, 1},
    {ACCEL_WORD_OUTPUT_NORM, 8},
    {ACCEL_WORD_LAYER_STRIDE, 16},
};

/* Each bad word, one after the other, with heads of 32; behind them all the engine still works. */
static void malformed(struct rtl_random *random)
{
    struct rtl_case test;
    struct image_shape shape = rtl_case_shape(random, HEADS);
    shape.hidden = shape.heads * 32;
    rtl_case_init(&test, random, shape, 1 + rtl_random(random, LONGEST));
    struct sim_model *model = rtl_case_model(&test, bench_stalls(random));
    uint32_t *words = (uint32_t *)((char *)sim_model_memory(model) + test.card.list), layers = test.image->shape.layers;
    for (size_t i = 0; i < sizeof bad_words / sizeof bad_words[0]; i++) {
        uint32_t bad = i < layers ? (uint32_t)i : 0; /* those behind the first take the time of a layer */
        rtl_case_commands(&test, model, 1);
        words[bad * ACCEL_COMMAND_BYTES / 4 + bad_words[i].word] = bad_words[i].value;
        bench_check(bench_work(model, &test, layers) == ACCEL_ENGINE_BAD_COMMAND, "accepted a bad word", (long)i);
        bench_check(sim_model_read(model, ACCEL_REGISTER_FAILED) == bad, "blamed another command", (long)i);
    }
    for (int i = 0; i < 20; i++) { /* anything at all: an answer comes */
        rtl_case_commands(&test, model, 1);
        for (uint32_t w = 0; w < ACCEL_COMMAND_BYTES / 4; w++)
            words[w] = (uint32_t)rtl_random(random, 1u << 31) * 2 + rtl_random(random, 2);
        bench_check(bench_work(model, &test, 1) != ACCEL_ENGINE_OK, "accepted noise", i);
    }
    rtl_case_put_rows(&test, model); /* a good command before a bad one has changed them */
    expect_good(&test, model, rtl_case_commands(&test, model, layers));
}

static uint64_t pick_weight(const struct rtl_case *test, struct rtl_random *random)
{
    struct linear linear = get_linear(test, (int)rtl_random(random, LINEARS));
    return linear.begin + rtl_random(random, linear.out / 16) * linear.panel + 128 + rtl_random(random, linear.in * 16);
}

/* A flipped bit of a weight is found, unless all rows have a 0 there: then nothing changes. */
static void flips(struct rtl_random *random)
{
    struct rtl_case test;
    struct image_shape shape = rtl_case_shape(random, HEADS);
    shape.layers = 1;
    rtl_case_init(&test, random, shape, 1 + rtl_random(random, LONGEST));
    struct sim_model *model = rtl_case_model(&test, bench_stalls(random));
    rtl_case_commands(&test, model, 1);
    int found = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t address = pick_weight(&test, random);
        uint8_t *weight = (uint8_t *)sim_model_memory(model) + address, bit = (uint8_t)(1u << rtl_random(random, 8));
        *weight ^= bit;
        rtl_case_put_rows(&test, model);
        uint32_t status = bench_work(model, &test, 1);
        *weight ^= bit;
        found += status == ACCEL_ENGINE_CHECKSUM;
        if (status == ACCEL_ENGINE_OK)
            bench_expect_equal(&test, model, test.expected);
        else /* a wild value may also leave binary32 */
            bench_check(status == ACCEL_ENGINE_CHECKSUM, "status", status);
    }
    bench_check(found > 0, "none of the flipped bits was found", found);
    sim_model_destroy(&model);
    rtl_case_finish(&test);
}

/* A value that is no finite number, in a row or in what the first norm scales by: a status, and nothing of it stays. */
static void wild(struct rtl_random *random)
{
    static const float values[] = {INFINITY, -INFINITY, NAN};
    struct rtl_case test;
    bench_init(&test, random);
    struct sim_model *model = rtl_case_model(&test, bench_stalls(random));
    uint32_t hidden = test.image->shape.hidden;
    uint32_t commands = rtl_case_commands(&test, model, test.image->shape.layers);
    for (int i = 0; i < 6; i++) {
        uint32_t column = (uint32_t)rtl_random(random, hidden);
        uint64_t row = test.card.rows + rtl_random(random, test.rows) * hidden * sizeof(float);
        uint64_t gamma = test.card.first.attention_norm + column / 16 * 128 + column % 16 * sizeof(float);
        float *at = (float *)((char *)sim_model_memory(model) + (i % 2 ? gamma : row + column * sizeof(float)));
        float before = *at;
        *at = values[i / 2];
        uint32_t status = bench_work(model, &test, commands);
        bench_check(status == ACCEL_ENGINE_NOT_FINITE, "status", status);
        bench_check(sim_model_read(model, ACCEL_REGISTER_LAYER) == 0, "did not end with its layer", i);
        *at = before;
        rtl_case_put_rows(&test, model);
    }
    expect_good(&test, model, commands);
}

/* Answers of the memory that are errors: a status, never a hang. */
static void errors(struct rtl_random *random)
{
    struct rtl_case test;
    bench_init(&test, random);
    struct sim_model_options options = bench_stalls(random);
    options.error_per_mille = 300;
    struct sim_model *model = rtl_case_model(&test, options);
    uint32_t commands = rtl_case_commands(&test, model, test.image->shape.layers);
    uint32_t status = bench_work(model, &test, commands);
    bench_check(status == ACCEL_ENGINE_BUS || status == ACCEL_ENGINE_BAD_COMMAND, "status", status);
    options.error_per_mille = 0;
    sim_model_set_options(model, &options);
    sim_model_reset(model);
    rtl_case_put_rows(&test, model);
    expect_good(&test, model, commands);
}

static const struct {
    const char *name;
    void (*run)(struct rtl_random *random);
    uint64_t most;
} kinds[] = {{"layers", layers, MANY},       {"lists", lists, MANY},         {"ragged", ragged, MANY},
             {"large", large, MANY},         {"limits", limits, 1},          {"late", late, MANY},
             {"parts", parts, MANY},         {"stalls", with_stalls, MANY},  {"reset", reset, MANY},
             {"flips", flips, MANY},         {"malformed", malformed, MANY}, {"registers", bench_registers, MANY},
             {"record", bench_record, MANY}, {"wild", wild, MANY},           {"errors", errors, MANY}};

static bool wanted(int argc, char **argv, const char *name)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
        if (argv[i][0] == '-')
            i++;
        else
            any = true;
    }
    return !any;
}

/* The sequences of neighbouring seeds would begin alike; those of scattered ones do not (splitmix64's last step). */
static uint64_t scatter(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, cases = 5;
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--cases") == 0)
            cases = strtoull(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--failures") == 0)
            most_failures = strtoull(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--enough") == 0)
            enough = strtoull(argv[i + 1], NULL, 0);
    }
    float_mode_set(); /* for models of floating-point units, where the simulation has them */
    printf("engine of %u rows, %u slices\n", sim_model_rows(), sim_model_slices());
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        kind_name = kinds[k].name;
        for (uint64_t i = 0; i < cases && i < kinds[k].most && wanted(argc, argv, kind_name); i++) {
            printf("%s --seed %llu\n", kind_name, (unsigned long long)(seed + i));
            fflush(stdout);
            struct rtl_random random = {scatter((seed + i) * 0x9e3779b97f4a7c15u + k)};
            kinds[k].run(&random);
        }
    }
    printf("%s\n", failures ? "FAILED" : "passed");
    return failures ? 1 : 0;
}
