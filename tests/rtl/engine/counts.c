/* The engine's counters after random layers, a line each: what two models of the same geometry must agree on. The model
 * without the array's arithmetic (timing/), which counts the cycles of large layers, is held so against one that has
 * it.
 *
 *     counts [CASES]
 */
#include <stdio.h>
#include <stdlib.h>

#include "accel/float_mode.h"
#include "tests/rtl/engine/case.h"

enum { LONGEST = 100, HEADS = 4, ENOUGH = 10 * 1000 * 1000 };

static void print(const char *what, const struct sim_model_counts *counts)
{
    printf("%s: %llu cycles, %llu steps, waits for weights %llu, rows %llu, drain %llu, no job %llu, beats %llu read, "
           "%llu written\n",
           what, (unsigned long long)counts->cycles, (unsigned long long)counts->array,
           (unsigned long long)counts->wait_weights, (unsigned long long)counts->wait_rows,
           (unsigned long long)counts->wait_drain, (unsigned long long)counts->idle,
           (unsigned long long)counts->beats_read, (unsigned long long)counts->beats_written);
}

static void run(const struct rtl_case *test, struct sim_model *model, const char *what, uint32_t commands)
{
    const struct sim_model_counts counts = rtl_case_count(test, model, commands, ENOUGH);
    print(what, &counts);
}

static void count(struct rtl_random *random)
{
    struct rtl_case test;
    struct image_shape shape = rtl_case_shape(random, HEADS);
    uint32_t lengths[] = {1 + rtl_random(random, LONGEST), 1 + rtl_random(random, LONGEST), 1 + rtl_random(random, 4)};
    rtl_case_init_batch(&test, random, shape, lengths, 1 + rtl_random(random, 3));
    printf("%u layers, hidden %u, intermediate %u, heads %u, sequences %u, rows %u\n", shape.layers, shape.hidden,
           shape.intermediate, shape.heads, test.n_seqs, test.rows);
    struct sim_model_options options = {.read_latency = rtl_random(random, 100), .seed = random->state};
    options.stall_per_mille = rtl_random(random, 2) * 300;
    struct sim_model *model = rtl_case_model(&test, options);
    run(&test, model, "layers", rtl_case_commands(&test, model, shape.layers));
    uint32_t begin = rtl_random(random, lengths[0]), end = begin + 1 + rtl_random(random, lengths[0] - begin);
    struct card_command project = {BOARD_PROJECT, 0, 1, test.cu_seqlens, 1, begin, end};
    card_put_command(&test.card, sim_model_memory(model), 0, &project);
    run(&test, model, "project", 1);
    struct card_command finish = {BOARD_FINISH, 0, 1, test.cu_seqlens, 1, begin, end};
    card_put_command(&test.card, sim_model_memory(model), 0, &finish);
    run(&test, model, "finish", 1);
    sim_model_destroy(&model);
    rtl_case_finish(&test);
}

int main(int argc, char **argv)
{
    int cases = argc > 1 ? atoi(argv[1]) : 5;
    float_mode_set(); /* for the models of floating-point units */
    for (int i = 0; i < cases; i++) {
        struct rtl_random random = {(uint64_t)i + 1};
        count(&random);
    }
    return 0;
}
