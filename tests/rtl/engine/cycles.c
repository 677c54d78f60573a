/* Cycles of whole models on the engine as this program's model has it, as JSON (rtl.json).
 *
 *     cycles [MODEL [BATCH ...]]      default: all models, all batches
 *
 * MODEL: minilm (all-MiniLM-L6-v2's shape) or base (BERT-base's). BATCH: lengths, NxLENGTH, "tail", a long-tailed mix
 * of short and long texts, or LENGTH/2, a layer of a sequence that two engines share (project, exchange of keys and
 * values, finish: in each step the slower one counts, and of the exchange its bytes). Each batch is computed with a
 * memory that never stalls, and with one of which a quarter of the beats do.
 *
 * A batch is as many commands as its sequences fill (card_sequences, and the engine's memories), each over all layers.
 * Two layers are simulated: the first comes with the rows' way in, and each further one takes as long as the second.
 * The array's arithmetic is left out of this model (timing/): what happens in which cycle does not depend on values,
 * and bench.c holds the values against the reference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/float_mode.h"
#include "tests/rtl/engine/case.h"

enum { READ_LATENCY = 100, ENOUGH = 100 * 1000 * 1000, BEAT = 64, MOST = 64, LOOK = 16, SIMULATED = 2 };
enum { STALL_PER_MILLE = 250 };
#define CLOCK_HZ              300e6
#define PCIE_BYTES_PER_SECOND 12e9

static const struct {
    const char *name, *title;
    uint32_t layers;
    struct image_shape shape; /* of as many layers as are simulated */
} models[] = {{"minilm",
               "all-MiniLM-L6-v2",
               6,
               {.hidden = 384, .layers = SIMULATED, .heads = 12, .intermediate = 1536, .layer_norm_eps = 1e-12f}},
              {"base",
               "BERT-base",
               12,
               {.hidden = 768, .layers = SIMULATED, .heads = 12, .intermediate = 3072, .layer_norm_eps = 1e-12f}}};
enum { N_MODELS = sizeof models / sizeof models[0] };

static const char *const usual[] = {"16", "32", "64", "128", "512", "32x16", "8x128", "tail", "16/2", "128/2", "512/2"};
enum { N_USUAL = sizeof usual / sizeof usual[0] };

struct batch {
    const char *name;
    uint32_t cu_seqlens[MOST + 1], n;
    bool shared; /* by two engines */
};

/* Lengths as those of an embedding server's texts: most are short, few are long. */
static const uint32_t tail[] = {9,  14, 7,  22, 11, 31, 8, 16, 12, 45, 10, 19, 6,  13, 27,  9,
                                88, 11, 15, 8,  36, 12, 7, 21, 10, 17, 60, 9,  14, 24, 250, 128};

static struct batch parse(const char *name)
{
    struct batch batch = {.name = name, .shared = strchr(name, '/') != NULL};
    const char *x = strchr(name, 'x');
    uint32_t length = (uint32_t)atoi(x ? x + 1 : name);
    bool mixed = !strcmp(name, "tail");
    batch.n = mixed ? sizeof tail / sizeof tail[0] : x ? (uint32_t)atoi(name) : 1;
    if (batch.n < 1 || batch.n > MOST || (!mixed && (length < 1 || length > CARD_MAX_TOKENS))) {
        fprintf(stderr, "no batch: %s\n", name);
        exit(2);
    }
    for (uint32_t s = 0; s < batch.n; s++)
        batch.cu_seqlens[s + 1] = batch.cu_seqlens[s] + (mixed ? tail[s] : length);
    return batch;
}

struct cycles {
    uint64_t all, layer; /* of a command over all layers; of one more layer */
    struct sim_model_counts simulated;
};

/* The cycle, to LOOK of them, in which so many layers were done. */
static uint64_t run_until(struct sim_model *model, uint32_t layers)
{
    for (uint64_t i = 0; i < ENOUGH / LOOK; i++) {
        if (sim_model_read(model, ACCEL_REGISTER_LAYER) >= layers)
            return sim_model_read(model, ACCEL_REGISTER_CYCLES_LOW);
        if (sim_model_run(model, LOOK))
            break;
    }
    fprintf(stderr, "the engine did not come to layer %u\n", layers);
    exit(1);
}

static struct cycles run(const struct image_shape *shape, const struct batch *batch, uint32_t first, uint32_t n,
                         uint32_t layers, uint32_t stall)
{
    uint32_t lengths[CARD_MAX_SEQUENCES];
    for (uint32_t s = 0; s < n; s++)
        lengths[s] = batch->cu_seqlens[first + s + 1] - batch->cu_seqlens[first + s];
    struct rtl_random random = {1};
    struct rtl_case test;
    rtl_case_init_plain(&test, &random, *shape, lengths, n);
    struct sim_model_options options = {.read_latency = READ_LATENCY, .stall_per_mille = stall, .seed = 1};
    struct sim_model *model = rtl_case_model(&test, options);
    sim_model_start(model, test.card.list, rtl_case_commands(&test, model, SIMULATED));
    uint64_t one = run_until(model, 1), two = run_until(model, SIMULATED);
    if (!sim_model_run(model, ENOUGH) || sim_model_read(model, ACCEL_REGISTER_STATUS) != ACCEL_ENGINE_OK) {
        fprintf(stderr, "the engine failed with status %u\n", sim_model_read(model, ACCEL_REGISTER_STATUS));
        exit(1);
    }
    struct cycles cycles = {.layer = two - one};
    sim_model_counts(model, &cycles.simulated);
    cycles.all = cycles.simulated.cycles + (layers - SIMULATED) * cycles.layer;
    sim_model_destroy(&model);
    rtl_case_finish(&test);
    return cycles;
}

/* What the multipliers, and the bytes of weights that come in a cycle, allow for a layer of these sequences. */
static uint64_t roofline(const struct image_shape *shape, const struct batch *batch, uint32_t first, uint32_t n,
                         uint64_t *ret_macs)
{
    uint64_t weights = 4ull * shape->hidden * shape->hidden + 2ull * shape->hidden * shape->intermediate, macs = 0;
    for (uint32_t s = first; s < first + n; s++) {
        uint64_t tokens = batch->cu_seqlens[s + 1] - batch->cu_seqlens[s];
        macs += weights * tokens + 2 * tokens * tokens * shape->hidden;
    }
    uint64_t compute = macs / (64ull * sim_model_rows()), bandwidth = weights / BEAT;
    *ret_macs += macs;
    return compute > bandwidth ? compute : bandwidth;
}

static uint64_t part(const struct rtl_case *test, struct sim_model *model, enum board_task_kind kind, uint32_t begin,
                     uint32_t end)
{
    struct card_command command = {kind, 0, 1, test->cu_seqlens, 1, begin, end};
    card_put_command(&test->card, sim_model_memory(model), 0, &command);
    return rtl_case_count(test, model, 1, ENOUGH).cycles;
}

/* The same card stands for both engines, one after the other. */
static void measure_shared(int m, const struct batch *batch, uint32_t stall)
{
    const struct image_shape *shape = &models[m].shape;
    uint32_t tokens = batch->cu_seqlens[1], half = tokens / 2;
    struct rtl_random random = {1};
    struct rtl_case test;
    rtl_case_init_plain(&test, &random, *shape, &tokens, 1);
    struct sim_model_options options = {.read_latency = READ_LATENCY, .stall_per_mille = stall, .seed = 1};
    struct sim_model *model = rtl_case_model(&test, options);
    uint64_t cycles = 0;
    for (int step = 0; step < 2; step++) {
        enum board_task_kind kind = step == 0 ? BOARD_PROJECT : BOARD_FINISH;
        uint64_t first = part(&test, model, kind, 0, half), second = part(&test, model, kind, half, tokens);
        cycles += first > second ? first : second;
    }
    printf("  {\"model\": \"%s\", \"batch\": \"%s\", \"sequences\": 1, \"rows\": %u, \"boards\": 2, "
           "\"stalled_per_mille\": %u,\n   \"macs_per_cycle\": %u, \"slices\": %u, \"layer_cycles\": %llu, "
           "\"bytes_each_sends\": %llu}",
           models[m].title, batch->name, tokens, stall, 64 * sim_model_rows(), sim_model_slices(),
           (unsigned long long)cycles,
           (unsigned long long)half * (2ull * shape->hidden + 2 * sizeof(float) * shape->heads));
    sim_model_destroy(&model);
    rtl_case_finish(&test);
}

static bool same_lengths(const struct batch *batch, uint32_t a, uint32_t b, uint32_t n)
{
    for (uint32_t s = 0; s < n; s++)
        if (batch->cu_seqlens[a + s + 1] - batch->cu_seqlens[a + s] !=
            batch->cu_seqlens[b + s + 1] - batch->cu_seqlens[b + s])
            return false;
    return true;
}

static uint32_t longest(const struct batch *batch)
{
    uint32_t longest = 0;
    for (uint32_t s = 0; s < batch->n; s++) {
        uint32_t length = batch->cu_seqlens[s + 1] - batch->cu_seqlens[s];
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* Of the sequences from `first` on, how many the engine takes in a command. */
static uint32_t sequences(const struct batch *batch, uint32_t first)
{
    uint32_t n = card_sequences(batch->cu_seqlens, first, batch->n), rows;
    do {
        rows = 0;
        for (uint32_t s = first; s < first + n; s++) {
            uint32_t tokens = batch->cu_seqlens[s + 1] - batch->cu_seqlens[s];
            rows += (tokens + CARD_ROW_GROUP - 1) / CARD_ROW_GROUP * CARD_ROW_GROUP;
        }
    } while (rows > sim_model_tokens() && --n > 0);
    return n;
}

static void measure(int m, const struct batch *batch, uint32_t stall)
{
    const struct image_shape *shape = &models[m].shape;
    uint32_t layers = models[m].layers, commands = 0, before = 0, n_before = 0, rows = batch->cu_seqlens[batch->n];
    uint64_t all = 0, bound = 0, macs = 0;
    struct cycles last = {0};
    for (uint32_t first = 0; first < batch->n; commands++) {
        uint32_t n = sequences(batch, first);
        if (n != n_before || !same_lengths(batch, before, first, n))
            last = run(shape, batch, first, n, layers, stall);
        all += last.all;
        bound += layers * roofline(shape, batch, first, n, &macs);
        before = first;
        n_before = n;
        first += n;
    }
    uint64_t per_cycle = 64ull * sim_model_rows();
    double milliseconds = (double)all / CLOCK_HZ * 1e3;
    double transfer = 2.0 * rows * shape->hidden * sizeof(float) / PCIE_BYTES_PER_SECOND * 1e3;
    const struct sim_model_counts *counts = &last.simulated;
    printf("  {\"model\": \"%s\", \"batch\": \"%s\", \"sequences\": %u, \"rows\": %u, \"commands\": %u, "
           "\"stalled_per_mille\": %u,\n",
           models[m].title, batch->name, batch->n, rows, commands, stall);
    printf("   \"macs_per_cycle\": %llu, \"slices\": %u, \"cycles\": %llu, \"roofline_cycles\": %llu, "
           "\"utilisation\": %.4f,\n",
           (unsigned long long)per_cycle, sim_model_slices(), (unsigned long long)all, (unsigned long long)bound,
           (double)macs * layers / (double)per_cycle / (double)all);
    printf("   \"ms\": %.3f, \"transfer_ms\": %.3f, \"layer_cycles\": %llu,\n", milliseconds, transfer,
           (unsigned long long)last.layer);
    printf("   \"stalls\": {\"cycles\": %llu, \"array_steps\": %llu, \"wait_weights\": %llu, \"wait_rows\": %llu, "
           "\"wait_drain\": %llu, \"no_job\": %llu}}",
           (unsigned long long)counts->cycles, (unsigned long long)counts->array,
           (unsigned long long)counts->wait_weights, (unsigned long long)counts->wait_rows,
           (unsigned long long)counts->wait_drain, (unsigned long long)counts->idle);
}

int main(int argc, char **argv)
{
    const char *separator = "";
    float_mode_set(); /* for the models of floating-point units */
    printf("{\"source\": \"Verilator, tests/rtl/run cycles\", \"read_latency\": %d, \"clock_mhz\": %.0f, "
           "\"pcie_bytes_per_second\": %.0f, \"rows\": [",
           READ_LATENCY, CLOCK_HZ / 1e6, PCIE_BYTES_PER_SECOND);
    for (uint32_t stall = 0; stall <= STALL_PER_MILLE; stall += STALL_PER_MILLE)
        for (int m = 0; m < N_MODELS; m++)
            for (int i = 0; i < (argc > 2 ? argc - 2 : N_USUAL); i++) {
                if (argc > 1 && strcmp(argv[1], models[m].name) != 0)
                    continue;
                struct batch batch = parse(argc > 2 ? argv[i + 2] : usual[i]);
                if (longest(&batch) > sim_model_tokens())
                    continue;
                printf("%s\n", separator);
                (batch.shared ? measure_shared : measure)(m, &batch, stall);
                fflush(stdout);
                separator = ",";
            }
    printf("\n]}\n");
    return 0;
}
