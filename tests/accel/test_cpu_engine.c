/* The whole CPU engine under every instruction set against the reference engine, bit for bit: runs of whole sequences,
 * layers split by rows over several engines, and by outputs.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpu/cpu_engine.h"
#include "accel/cpu/cpu_flags.h"
#include "accel/engine.h"
#include "base/mem.h"
#include "tests/accel/cpu_check.h"
#include "tests/accel/team_run.h"

enum { MAX_SEQS = 200, MAX_SHARDS = 4 };

struct batch {
    struct board_job job;
    struct board_kv kv;
    uint32_t cu_seqlens[MAX_SEQS + 1], block_begin[MAX_SEQS + 1];
    uint32_t *ids;
    uint8_t *types;
    char *kv_memory;
    size_t kv_size;
};

static void batch_init(struct batch *b, const struct image *image, uint32_t n_seqs, uint32_t longest)
{
    b->cu_seqlens[0] = 0;
    for (uint32_t s = 0; s < n_seqs; s++)
        b->cu_seqlens[s + 1] = b->cu_seqlens[s] + 1 + check_below(longest);
    uint32_t rows = b->cu_seqlens[n_seqs];
    b->ids = check_input(rows * sizeof *b->ids);
    b->types = check_input(rows);
    for (uint32_t r = 0; r < rows; r++) {
        b->ids[r] = check_below(image->shape.vocab);
        b->types[r] = (uint8_t)check_below(image->shape.types);
    }
    b->kv_size = board_kv_size(image, b->cu_seqlens, n_seqs);
    b->kv_memory = mem_alloc_aligned(64, b->kv_size);
    cr_assert_not_null(b->kv_memory);
    board_kv_init(&b->kv, image, b->cu_seqlens, n_seqs, b->kv_memory, b->block_begin);
    b->job = (struct board_job){
        .image = image,
        .n_seqs = n_seqs,
        .n_rows = rows,
        .cu_seqlens = b->cu_seqlens,
        .ids = b->ids,
        .type_ids = check_below(2) ? b->types : NULL,
        .hidden = check_output((size_t)rows * image->shape.hidden * sizeof(float)),
        .kv = &b->kv,
    };
}

static void batch_finish(struct batch *b)
{
    free(b->ids);
    free(b->types);
    mem_free(b->kv_memory);
    check_free_output(b->job.hidden);
}

static struct engine *open_engine(const struct engine_ops *ops, const struct image *image)
{
    struct engine *engine = NULL;
    struct error err = {0};
    cr_assert_eq(ops->create(&engine, image, true, &err), STATUS_OK, "%s", err.message);
    return engine;
}

static size_t hidden_size(const struct batch *b)
{
    return (size_t)b->job.n_rows * b->job.image->shape.hidden * sizeof(float);
}

/* Every layer over whole sequences; returns what the engine returned. */
static enum status run_all(const struct engine_ops *ops, struct batch *b, struct error *err)
{
    struct engine *engine = open_engine(ops, b->job.image);
    enum status status = STATUS_OK;
    for (uint32_t layer = 0; layer < b->job.image->shape.layers && !status; layer++)
        status = ops->run(engine, &b->job, BOARD_RUN, layer, 0, b->job.n_rows, err);
    ops->destroy(engine);
    return status;
}

/* Every layer over rows split among engines, which take turns in another order each time. */
static void run_split(const struct engine_ops *ops, struct batch *b)
{
    struct engine *engines[MAX_SHARDS];
    uint32_t cuts[MAX_SHARDS + 1], shards = 1 + check_below(MAX_SHARDS), rows = b->job.n_rows;
    struct error err = {0};
    memset(b->kv_memory, 0, b->kv_size);
    for (uint32_t p = 0; p < shards; p++) {
        engines[p] = open_engine(ops, b->job.image);
        cuts[p] = p == 0 ? 0 : cuts[p - 1] + check_below(rows - cuts[p - 1]);
    }
    cuts[shards] = rows;
    for (uint32_t layer = 0; layer < b->job.image->shape.layers; layer++)
        for (int kind = BOARD_PROJECT; kind <= BOARD_FINISH; kind++)
            for (uint32_t i = 0, first = check_below(shards); i < shards; i++) {
                uint32_t p = (first + i) % shards;
                if (cuts[p] < cuts[p + 1])
                    cr_assert_eq(
                        ops->run(engines[p], &b->job, (enum board_task_kind)kind, layer, cuts[p], cuts[p + 1], &err),
                        STATUS_OK, "%s", err.message);
            }
    for (uint32_t p = 0; p < shards; p++)
        ops->destroy(engines[p]);
}

/* Outputs divided among engines. */
static void run_team(struct batch *b)
{
    struct engine *engines[2 * MAX_SHARDS];
    struct team_end ends[2 * MAX_SHARDS];
    uint32_t n = 1 + check_below(check_below(3) ? MAX_SHARDS : 2 * MAX_SHARDS);
    n = n < TEAM_RUN_MOST ? n : TEAM_RUN_MOST;
    for (uint32_t m = 0; m < n; m++)
        engines[m] = open_engine(&cpu_engine, b->job.image);
    team_run(engines, n, &b->job, ends);
    for (uint32_t m = 0; m < n; m++) {
        cr_assert_eq(ends[m].status, STATUS_OK, "%u of %u boards: %s", m, n, ends[m].err.message);
        cpu_engine.destroy(engines[m]);
    }
}

static void expect_hidden(const struct batch *b, const float *right, const char *isa, const char *how)
{
    size_t hidden = b->job.image->shape.hidden;
    cr_assert(check_intact(b->job.hidden), "%s: %s: written outside of hidden", isa, how);
    for (uint32_t r = 0; r < b->job.n_rows; r++)
        cr_assert(memcmp(b->job.hidden + r * hidden, right + r * hidden, hidden * sizeof(float)) == 0,
                  "%s: %s: row %u of %u differs (hidden %zu, %u sequences)", isa, how, r, b->job.n_rows, hidden,
                  b->job.n_seqs);
}

static void set_mask(const struct cpu_kernels *kernels)
{
    unsigned mask = 0;
    cr_assert(cpu_flags_parse(kernels->isa, &mask));
    cpu_flags_set_mask(mask);
}

static struct batch *batch;
static float *right_hidden;
static char *right_kv;

static void check_all_ways(const struct cpu_kernels *kernels, const struct cpu_kernels *before)
{
    (void)before;
    unsigned all = cpu_flags();
    struct error err = {0};
    set_mask(kernels);
    cr_assert_eq(run_all(&cpu_engine, batch, &err), STATUS_OK, "%s", err.message);
    expect_hidden(batch, right_hidden, kernels->isa, "whole");
    run_split(&cpu_engine, batch);
    expect_hidden(batch, right_hidden, kernels->isa, "split");
    run_team(batch);
    expect_hidden(batch, right_hidden, kernels->isa, "outputs divided");
    cr_assert(memcmp(batch->kv_memory, right_kv, batch->kv_size) == 0, "%s: keys and values differ", kernels->isa);
    cpu_flags_set_mask(all);
}

static void compare(const struct image_shape *shape, uint32_t n_seqs, uint32_t longest)
{
    struct image *image = check_image(shape, 0.3f);
    struct batch b;
    struct error err = {0};
    batch_init(&b, image, n_seqs, longest);
    cr_assert_eq(run_all(&ref_engine, &b, &err), STATUS_OK, "%s", err.message);
    right_hidden = check_input(hidden_size(&b));
    memcpy(right_hidden, b.job.hidden, hidden_size(&b));
    run_split(&ref_engine, &b);
    expect_hidden(&b, right_hidden, "ref", "split");
    right_kv = check_input(b.kv_size);
    memcpy(right_kv, b.kv_memory, b.kv_size);
    batch = &b;
    check_each_set(check_all_ways);
    free(right_hidden);
    free(right_kv);
    batch_finish(&b);
    image_release(&image);
}

Test(cpu_engine, ragged_batches)
{
    check_begin("ragged batches");
    for (int round = check_rounds(12); round > 0; round--) {
        struct image_shape shape = check_shape();
        compare(&shape, 1 + check_below(shape.hidden > 256 ? 10 : 40), 1 + check_below(40));
    }
}

/* Kernels take whole tiles of rows, of which all but one are past the end. */
Test(cpu_engine, one_row)
{
    check_begin("one row");
    for (int round = check_rounds(6); round > 0; round--) {
        struct image_shape shape = check_shape();
        compare(&shape, 1, 1);
    }
}

/* FFN1's pieces are whole Hadamard blocks all the same. */
Test(cpu_engine, a_hidden_width_of_no_whole_hadamard_blocks)
{
    check_begin("a hidden width of no whole Hadamard blocks");
    struct image_shape shape = check_shape();
    shape.heads = 9;
    shape.hidden = 9 * 64;
    shape.intermediate = 18 * IMAGE_MAX_ROTATION;
    compare(&shape, 3, 8);
}

/* More of them than an engine takes together, in fewer rows. */
Test(cpu_engine, many_short_sequences)
{
    check_begin("many short sequences");
    struct image_shape shape = check_shape();
    compare(&shape, 130 + check_below(MAX_SEQS - 130), 1);
}

Test(cpu_engine, long_sequences)
{
    check_begin("long sequences");
    for (int round = check_rounds(3); round > 0; round--) {
        struct image_shape shape = check_shape();
        while (shape.hidden > 128)
            shape = check_shape();
        compare(&shape, 1 + check_below(3), 600);
    }
}

/* Lengths that do not add up to a block of rows: nearly full blocks all the same. */
Test(cpu_engine, sequences_that_fill_blocks_go_together)
{
    enum { SEQS = 20 };
    struct image_shape shape = check_shape();
    struct image *image = check_image(&shape, 0.3f);
    struct engine *engine = open_engine(&cpu_engine, image);
    struct cpu_engine *cpu = (struct cpu_engine *)engine;
    const uint32_t block = (uint32_t)cpu->scratch.block_rows;
    uint32_t cu_seqlens[SEQS + 1] = {0}, next = 0;
    for (uint32_t s = 0; s < SEQS; s++)
        cu_seqlens[s + 1] = cu_seqlens[s] + block * 3 / 4;
    const struct board_job job = {.image = image, .n_seqs = SEQS, .n_rows = cu_seqlens[SEQS], .cu_seqlens = cu_seqlens};
    struct error err = {0};
    const struct cpu_step step = {.engine = cpu, .scratch = &cpu->scratch, .job = &job, .err = &err};
    for (uint32_t row = 0; row < cu_seqlens[16]; row = next) {
        cr_assert_eq(cpu_sequences_begin(&step, row, job.n_rows, &next), STATUS_OK, "%s", err.message);
        cr_assert_eq(next, row + block * 3 / 4 * 4, "rows %u to %u do not fill blocks of %u", row, next, block);
        cr_assert_geq(cpu->sequences.rows, next - row);
    }
    cpu_engine.destroy(engine);
    image_release(&image);
}

/* Blocks that are nearly full are no reason to leave behind what has room: it would need a block more. */
Test(cpu_engine, the_last_sequences_go_together)
{
    struct image_shape shape = check_shape();
    struct image *image = check_image(&shape, 0.3f);
    struct engine *engine = open_engine(&cpu_engine, image);
    struct cpu_engine *cpu = (struct cpu_engine *)engine;
    const uint32_t block = (uint32_t)cpu->scratch.block_rows, nearly = 3 * block - block / 20, all = 4 * block;
    const uint32_t cu_seqlens[] = {0, block, nearly, nearly + (all - nearly) / 2, all - 1};
    const struct board_job job = {.image = image, .n_seqs = 4, .n_rows = all - 1, .cu_seqlens = cu_seqlens};
    struct error err = {0};
    const struct cpu_step step = {.engine = cpu, .scratch = &cpu->scratch, .job = &job, .err = &err};
    uint32_t next = 0;
    cr_assert_eq(cpu_sequences_begin(&step, 0, job.n_rows, &next), STATUS_OK, "%s", err.message);
    cr_assert_eq(next, job.n_rows, "%u of %u rows, blocks of %u", next, job.n_rows, block);
    cpu_engine.destroy(engine);
    image_release(&image);
}

/* A row that is not finite: both engines refuse it with the same words. */
static void check_refusal(const struct cpu_kernels *kernels, const struct cpu_kernels *before)
{
    (void)before;
    unsigned all = cpu_flags();
    struct error ours = {0}, theirs = {0};
    set_mask(kernels);
    uint32_t bad = check_below(batch->job.n_rows), hidden = batch->job.image->shape.hidden;
    const struct engine_ops *const engines[] = {&ref_engine, &cpu_engine};
    for (size_t i = 0; i < 2; i++) {
        struct engine *engine = open_engine(engines[i], batch->job.image);
        for (size_t j = 0; j < (size_t)batch->job.n_rows * hidden; j++)
            batch->job.hidden[j] = 0.5f;
        batch->job.hidden[(size_t)bad * hidden + hidden / 2] = i + bad % 2 ? INFINITY : NAN;
        cr_assert_eq(engine->ops->run(engine, &batch->job, BOARD_RUN, 1, 0, batch->job.n_rows, i ? &ours : &theirs),
                     STATUS_BACKEND);
        engine->ops->destroy(engine);
    }
    cr_assert_str_eq(ours.message, theirs.message, "%s: \"%s\", not \"%s\"", kernels->isa, ours.message,
                     theirs.message);
    cpu_flags_set_mask(all);
}

/* Weights so large that scores or sums overflow: refused by both, in the same row. */
static void check_overflow(const struct cpu_kernels *kernels, const struct cpu_kernels *before)
{
    (void)before;
    unsigned all = cpu_flags();
    struct error ours = {0}, theirs = {0};
    set_mask(kernels);
    enum status right = run_all(&ref_engine, batch, &theirs), got = run_all(&cpu_engine, batch, &ours);
    cr_assert_eq(got, right, "%s: status %s, not %s", kernels->isa, status_name(got), status_name(right));
    cr_assert_str_eq(ours.message, theirs.message, "%s: \"%s\", not \"%s\"", kernels->isa, ours.message,
                     theirs.message);
    cpu_flags_set_mask(all);
}

Test(cpu_engine, not_finite)
{
    static const float gains[] = {0x1p20f, 0x1p40f, 0x1p55f};
    check_begin("not finite");
    for (size_t g = 0; g < sizeof gains / sizeof *gains; g++) {
        struct image_shape shape = check_shape();
        shape.layers = 2;
        struct image *image = check_image(&shape, gains[g]);
        struct batch b;
        batch_init(&b, image, 1, 30);
        batch = &b;
        check_each_set(check_refusal);
        check_each_set(check_overflow);
        batch_finish(&b);
        image_release(&image);
    }
}

/* Each allocation in turn fails: a clean error. */
Test(cpu_engine, no_memory)
{
    check_begin("no memory");
    struct image_shape shape = check_shape();
    struct image *image = check_image(&shape, 0.3f);
    for (long n = 0;; n++) {
        struct engine *engine = NULL;
        struct error err = {0};
        mem_fail_after(n);
        enum status status = cpu_engine.create(&engine, image, true, &err);
        if (status) {
            cr_assert_eq(status, STATUS_NO_MEMORY);
            cr_assert_null(engine);
            continue;
        }
        mem_fail_after(-1);
        cpu_engine.destroy(engine);
        cr_assert_geq(n, 3);
        break;
    }
    image_release(&image);
}

/* A sequence longer than any before, and than a block of rows, needs room. */
static void init_long(struct batch *b, const struct image *image)
{
    for (;;) {
        batch_init(b, image, 1, 400);
        if (b->job.n_rows > 256)
            return;
        batch_finish(b);
    }
}

/* Where there is none, an error, and the engine goes on working. */
Test(cpu_engine, no_memory_to_grow)
{
    check_begin("no memory to grow");
    struct image_shape shape = check_shape();
    struct image *image = check_image(&shape, 0.3f);
    struct batch b;
    init_long(&b, image);
    struct engine *engine = open_engine(&cpu_engine, image);
    struct error err = {0};
    mem_fail_after(0);
    cr_assert_eq(cpu_engine.run(engine, &b.job, BOARD_RUN, 0, 0, b.job.n_rows, &err), STATUS_NO_MEMORY);
    mem_fail_after(-1);
    cr_assert_eq(cpu_engine.run(engine, &b.job, BOARD_RUN, 0, 0, b.job.n_rows, &err), STATUS_OK, "%s", err.message);
    cpu_engine.destroy(engine);
    batch_finish(&b);
    image_release(&image);
}

Test(cpu_engine, no_memory_to_grow_in_a_team)
{
    check_begin("no memory to grow in a team");
    if (TEAM_RUN_MOST < 2)
        cr_skip("no threads");
    struct image_shape shape = check_shape();
    struct image *image = check_image(&shape, 0.3f);
    struct batch b;
    init_long(&b, image);
    struct engine *engines[] = {open_engine(&cpu_engine, image), open_engine(&cpu_engine, image)};
    struct team_end ends[2];
    mem_fail_after(1); /* behind what they exchange */
    team_run(engines, 2, &b.job, ends);
    mem_fail_after(-1);
    const int without = ends[0].status == STATUS_NO_MEMORY ? 0 : 1;
    cr_assert_eq(ends[without].status, STATUS_NO_MEMORY, "%s", ends[without].err.message);
    cr_assert_eq(ends[1 - without].status, STATUS_CANCELLED, "%s", ends[1 - without].err.message);
    team_run(engines, 2, &b.job, ends);
    for (int e = 0; e < 2; e++) {
        cr_expect_eq(ends[e].status, STATUS_OK, "%s", ends[e].err.message);
        cpu_engine.destroy(engines[e]);
    }
    batch_finish(&b);
    image_release(&image);
}

Test(cpu_engine, flags)
{
    unsigned mask = 99, all = cpu_flags();
    cr_assert(cpu_flags_parse("c", &mask) && mask == 0);
    cr_assert(cpu_flags_parse("avx2", &mask) && mask == CPU_AVX2);
    cr_assert(cpu_flags_parse("avxvnni", &mask) && mask == (CPU_AVX2 | CPU_AVXVNNI));
    cr_assert(cpu_flags_parse("avx512vnni", &mask) && mask == (CPU_AVX2 | CPU_AVXVNNI | CPU_AVX512VNNI));
    cr_assert(cpu_flags_parse("amx", &mask) && mask == (CPU_AVX2 | CPU_AVXVNNI | CPU_AVX512VNNI | CPU_AMX));
    cr_assert(cpu_flags_parse("5", &mask) && mask == (CPU_AVX2 | CPU_AVX512VNNI));
    mask = 99;
    cr_assert_not(cpu_flags_parse("avx", &mask));
    cr_assert_not(cpu_flags_parse("", &mask));
    cr_assert_not(cpu_flags_parse("1x", &mask));
    cr_assert_eq(mask, 99);
    cpu_flags_set_mask(CPU_AVX2);
    cr_assert_eq(cpu_flags(), cpu_flags_detected() & CPU_AVX2);
    cpu_flags_set_mask(0);
    cr_assert_eq(cpu_flags(), 0);
    cpu_flags_set_mask(all);
}
