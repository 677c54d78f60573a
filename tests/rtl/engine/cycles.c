/* Cycles of one layer of BERT-base's shape on the engine as this program's model has it, as JSON (rtl.json).
 *
 *     cycles [LENGTH ...]      default 16 128 512
 *
 * For each length: a list of one RUN command, rows loaded and stored; and the layer shared by two engines (project,
 * exchange of keys and values, finish), for which the exchange is counted in bytes, not in time. The array's arithmetic
 * is left out of this model (timing/): what happens in which cycle does not depend on values, and bench.c holds the
 * values against the reference.
 */
#include <stdio.h>
#include <stdlib.h>

#include "accel/float_mode.h"
#include "tests/rtl/engine/case.h"

enum { READ_LATENCY = 100, ENOUGH = 100 * 1000 * 1000, BEAT = 64 };

static const struct image_shape base = {
    .hidden = 768, .layers = 1, .heads = 12, .intermediate = 3072, .activation = IMAGE_GELU, .layer_norm_eps = 1e-12f};

static struct sim_model_counts part(const struct rtl_case *test, struct sim_model *model, enum board_task_kind kind,
                                    uint32_t begin, uint32_t rows)
{
    struct card_command command = {kind, 0, test->tokens, begin, rows, true, kind != BOARD_PROJECT};
    card_put_command(&test->card, sim_model_memory(model), 0, &command);
    return rtl_case_count(test, model, 1, ENOUGH);
}

/* The slower of two engines in each step: the same card stands for both, one after the other. */
static uint64_t run_split(const struct rtl_case *test, struct sim_model *model)
{
    uint64_t cycles = 0;
    uint32_t half = test->tokens / 2;
    rtl_case_put_rows(test, model);
    for (int step = 0; step < 2; step++) {
        enum board_task_kind kind = step == 0 ? BOARD_PROJECT : BOARD_FINISH;
        uint64_t first = part(test, model, kind, 0, half).cycles;
        uint64_t second = part(test, model, kind, half, test->tokens - half).cycles;
        cycles += first > second ? first : second;
    }
    return cycles;
}

static void print_row(uint64_t tokens, const struct sim_model_counts *one, uint64_t split, bool last)
{
    uint64_t weights = 4ull * base.hidden * base.hidden + 2ull * base.hidden * base.intermediate;
    uint64_t macs = weights * tokens + 2 * tokens * tokens * base.hidden, per_cycle = 64ull * sim_model_rows();
    uint64_t compute = macs / per_cycle, bandwidth = weights / BEAT;
    const char *bound = compute >= bandwidth ? "multipliers" : "weights, one beat of 64 bytes a cycle";
    uint64_t roofline = compute >= bandwidth ? compute : bandwidth;
    uint64_t exchanged = tokens / 2 * (2ull * base.hidden + 2 * sizeof(float) * base.heads);
    printf("  {\"seq\": %llu, \"macs_per_cycle\": %llu, \"slices\": %u, \"cycles\": %llu, \"roofline_cycles\": %llu,\n",
           (unsigned long long)tokens, (unsigned long long)per_cycle, sim_model_slices(),
           (unsigned long long)one->cycles, (unsigned long long)roofline);
    printf("   \"bound\": \"%s\", \"utilisation\": %.4f,\n", bound,
           (double)macs / (double)per_cycle / (double)one->cycles);
    printf("   \"stalls\": {\"array_steps\": %llu, \"wait_weights\": %llu, \"wait_rows\": %llu, \"wait_drain\": %llu, "
           "\"no_job\": %llu},\n",
           (unsigned long long)one->array, (unsigned long long)one->wait_weights, (unsigned long long)one->wait_rows,
           (unsigned long long)one->wait_drain, (unsigned long long)one->idle);
    printf("   \"beats_read\": %llu, \"beats_written\": %llu,\n", (unsigned long long)one->beats_read,
           (unsigned long long)one->beats_written);
    printf("   \"two_boards\": {\"cycles\": %llu, \"speedup\": %.3f, \"bytes_each_sends\": %llu}}%s\n",
           (unsigned long long)split, (double)one->cycles / (double)split, (unsigned long long)exchanged,
           last ? "" : ",");
    fflush(stdout);
}

static void measure(uint32_t tokens, bool last)
{
    struct rtl_random random = {tokens};
    struct rtl_case test;
    rtl_case_init_plain(&test, &random, base, tokens);
    struct sim_model *model =
        rtl_case_model(&test, (struct sim_model_options){.read_latency = READ_LATENCY, .seed = 1});
    struct sim_model_counts one = part(&test, model, BOARD_RUN, 0, tokens);
    uint64_t split = run_split(&test, model);
    print_row(tokens, &one, split, last);
    sim_model_destroy(&model);
    rtl_case_finish(&test);
}

int main(int argc, char **argv)
{
    static const uint32_t usual[] = {16, 128, 512};
    int n = argc > 1 ? argc - 1 : 3;
    float_mode_set(); /* for the models of floating-point units */
    printf(
        "{\"model\": \"BERT-base, one layer\", \"read_latency\": %d, \"source\": \"Verilator, tests/rtl/run cycles\", "
        "\"rows\": [\n",
        READ_LATENCY);
    for (int i = 0; i < n; i++)
        measure(argc > 1 ? (uint32_t)atoi(argv[i + 1]) : usual[i], i == n - 1);
    printf("]}\n");
    return 0;
}
