/* Checksums of products and of hidden states: every bit that flips is found, and nothing else is. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "accel/cpu/cpu_engine.h"
#include "accel/cpu/cpu_flags.h"
#include "accel/float_mode.h"
#include "tests/accel/cpu_check.h"
#include "tests/accel/tiny.h"

static const uint32_t lengths[] = {1, 16, 17, 33, 5, 64, 2, 0};

static const struct {
    const char *name;
    unsigned flag;
} faults[] = {
    {"accumulator", ENGINE_FLIP_ACCUMULATOR},
    {"weight", ENGINE_FLIP_WEIGHT},
    {"activation", ENGINE_FLIP_ACTIVATION},
    {"hidden state", ENGINE_FLIP_HIDDEN},
};
enum { N_FAULTS = sizeof faults / sizeof *faults };

static enum status run_all(struct engine *engine, const struct tiny_batch *batch, struct error *err)
{
    enum status status = STATUS_OK;
    for (uint32_t layer = 0; layer < batch->job.image->shape.layers && !status; layer++)
        status = engine->ops->run(engine, &batch->job, BOARD_RUN, layer, 0, batch->job.n_rows, err);
    return status;
}

struct subject {
    const char *name;
    struct engine *engine;
    struct tiny_batch *batch;
    const struct tiny_batch *right;
};

/* One fault, and runs until it is found. A bit may flip where it changes nothing: then the results are right. */
static bool found(const struct subject *on, const char *fault, unsigned flag, uint64_t seed)
{
    struct error err = {0};
    cr_assert(engine_inject(on->engine, flag, seed));
    for (int run = 0; run < 2; run++) {
        enum status status = run_all(on->engine, on->batch, &err);
        if (status) {
            cr_assert_eq(status, STATUS_BACKEND);
            cr_assert(strstr(err.message, "checksum of ") && strstr(err.message, "layer ") &&
                          strstr(err.message, "row "),
                      "%s", err.message);
            return true;
        }
        cr_assert(tiny_batch_equal(on->batch, on->right), "%s: a flipped bit of %s, seed %llu, went unseen", on->name,
                  fault, (unsigned long long)seed);
    }
    return false;
}

static void check_engine(const char *name, const struct engine_ops *ops, uint32_t shape)
{
    struct image *image = tiny_image(&tiny_shapes[shape], IMAGE_INT8, 3 + shape);
    struct tiny_batch right, batch;
    struct error err = {0};
    struct engine *engine = NULL;
    tiny_batch_init(&right, image, lengths, 7);
    tiny_batch_init(&batch, image, lengths, 7);
    cr_assert_eq(tiny_run(&ref_engine, &right, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(ops->create(&engine, image, true, &err), STATUS_OK);
    const struct subject subject = {name, engine, &batch, &right};
    const int rounds = check_rounds(12);
    for (size_t f = 0; f < N_FAULTS; f++) {
        int n_found = 0;
        for (int round = 0; round < rounds; round++)
            n_found += found(&subject, faults[f].name, faults[f].flag, check_random());
        cr_assert_geq(n_found, rounds * 2 / 3, "%s: of %d flips of %s %d were found", name, rounds, faults[f].name,
                      n_found);
    }
    cr_assert_eq(run_all(engine, &batch, &err), STATUS_OK, "%s: %s", name, err.message);
    cr_assert(tiny_batch_equal(&batch, &right));
    ops->destroy(engine);
    tiny_batch_finish(&batch);
    tiny_batch_finish(&right);
    image_release(&image);
}

/* Each set in turn, the machine's best last. */
static void each_set(void (*check)(const char *name, const struct engine_ops *ops, uint32_t shape), uint32_t shape)
{
    for (const struct cpu_set *set = cpu_sets; set < cpu_sets + CPU_N_SETS; set++) {
        if (set->flag & ~cpu_flags_detected()) {
            printf("skipped: no %s on this machine\n", set->name);
            continue;
        }
        cpu_flags_set_mask(set->mask);
        check(set->name, &cpu_engine, shape);
    }
    check("ref", &ref_engine, shape);
}

static void each_shape(const char *what, void (*check)(const char *name, const struct engine_ops *ops, uint32_t shape))
{
    uint32_t mode = float_mode_set();
    check_begin(what);
    for (uint32_t shape = 0; shape < tiny_n_shapes; shape++)
        each_set(check, shape);
    float_mode_restore(mode);
}

Test(verify, finds_every_flipped_bit)
{
    each_shape("flipped bits", check_engine);
}

/* An engine of the CPU and something to do. */
struct bench {
    struct image *image;
    struct tiny_batch batch;
    struct cpu_engine *engine;
};

static void bench_init(struct bench *bench, uint32_t shape)
{
    struct error err;
    struct engine *engine = NULL;
    bench->image = tiny_image(&tiny_shapes[shape], IMAGE_INT8, 3 + shape);
    tiny_batch_init(&bench->batch, bench->image, lengths, 7);
    cr_assert_eq(cpu_engine.create(&engine, bench->image, true, &err), STATUS_OK);
    bench->engine = (struct cpu_engine *)engine;
}

static void bench_finish(struct bench *bench)
{
    cpu_engine.destroy(&bench->engine->base);
    tiny_batch_finish(&bench->batch);
    image_release(&bench->image);
}

static enum status project(const struct cpu_step *step, uint32_t rows)
{
    uint32_t next;
    enum status status = cpu_layer_embed(step, 0, rows);
    if (!status)
        status = cpu_sequences_begin(step, 0, rows, &next);
    if (status)
        return status;
    cr_assert_eq(next, rows);
    return cpu_layer_project(step, &step->engine->sequences.kv, true, 0, rows);
}

/* A bit of a row that was read, but not yet added to. */
static void flip_while_attended(const char *name, const struct engine_ops *ops, uint32_t shape)
{
    if (ops != &cpu_engine)
        return;
    struct bench on;
    struct error err = {0};
    bench_init(&on, shape);
    struct cpu_engine *engine = on.engine;
    const struct image *image = on.image;
    const struct cpu_step step = {
        .engine = engine,
        .scratch = &engine->scratch,
        .job = &on.batch.job,
        .layer = &image->layers[0],
        .verify = true,
        .share = cpu_share_whole(image),
        .err = &err,
    };
    const uint32_t rows = on.batch.job.n_rows, row = check_below(rows);
    if (engine->kernels.begin)
        engine->kernels.begin();
    for (int flipped = 0; flipped < 2; flipped++) {
        cr_assert_eq(project(&step, rows), STATUS_OK, "%s: %s", name, err.message);
        uint32_t bits;
        float *x = on.batch.job.hidden + row * image->shape.hidden + check_below(image->shape.hidden);
        memcpy(&bits, x, sizeof bits);
        bits ^= flipped ? 1u << check_below(23) : 0;
        memcpy(x, &bits, sizeof bits);
        enum status status = cpu_layer_finish(&step, &engine->sequences.kv, false, 0, rows);
        cr_assert_eq(status, flipped ? STATUS_BACKEND : STATUS_OK, "%s, shape %u, row %u", name, shape, row);
        cr_assert(!flipped || strstr(err.message, "checksum of the hidden state"), "%s", err.message);
    }
    if (engine->kernels.end)
        engine->kernels.end();
    bench_finish(&on);
}

Test(verify, finds_what_flips_in_a_hidden_state_while_its_layer_is_computed)
{
    each_shape("flips within a layer", flip_while_attended);
}

static bool (*added_at_once)(const struct cpu_gemm *gemm, const struct cpu_addition *to);
static uint32_t n_added;

static bool count_and_add(const struct cpu_gemm *gemm, const struct cpu_addition *to)
{
    const bool done = added_at_once(gemm, to);
    n_added += done;
    return done;
}

/* Outputs are added at once but where a fault is to happen between the product and the sum. */
static void count_added(const char *name, const struct engine_ops *ops, uint32_t shape)
{
    if (ops != &cpu_engine)
        return;
    struct bench on;
    struct error err = {0};
    bench_init(&on, shape);
    struct engine *engine = &on.engine->base;
    added_at_once = on.engine->kernels.linear_add;
    if (added_at_once) {
        on.engine->kernels.linear_add = count_and_add;
        n_added = 0;
        cr_assert_eq(run_all(engine, &on.batch, &err), STATUS_OK, "%s: %s", name, err.message);
        cr_expect_geq(n_added, 2 * on.image->shape.layers, "%s: the output projection and FFN2 of each layer", name);
        n_added = 0;
        cr_assert(engine_inject(engine, ENGINE_FLIP_ACTIVATION, 1));
        on.engine->faults.wait = UINT32_MAX;
        cr_expect_neq(run_all(engine, &on.batch, &err), STATUS_NO_MEMORY);
        cr_expect_gt(n_added, 0, "%s: operands are wrong before their product", name);
        n_added = 0;
        for (unsigned flag = ENGINE_FLIP_ACCUMULATOR; flag <= ENGINE_FLIP_WEIGHT; flag <<= 1) {
            cr_assert(engine_inject(engine, flag, 1));
            on.engine->faults.wait = UINT32_MAX;
            cr_expect_eq(run_all(engine, &on.batch, &err), STATUS_OK);
        }
        cr_expect_eq(n_added, 0, "%s: with a flip due", name);
    }
    bench_finish(&on);
}

Test(verify, products_in_which_a_bit_is_to_flip_are_not_added_at_once)
{
    uint32_t mode = float_mode_set();
    each_set(count_added, 2);
    float_mode_restore(mode);
}

/* Without checks a flipped bit goes through, and bits are the same without one. */
static void check_off(const char *name, const struct engine_ops *ops, uint32_t shape)
{
    struct image *image = tiny_image(&tiny_shapes[shape], IMAGE_INT8, 3 + shape);
    struct tiny_batch on, off;
    struct error err = {0};
    struct engine *engine = NULL;
    tiny_batch_init(&on, image, lengths, 7);
    tiny_batch_init(&off, image, lengths, 7);
    cr_assert_eq(tiny_run(ops, &on, &err), STATUS_OK, "%s: %s", name, err.message);
    cr_assert_eq(ops->create(&engine, image, false, &err), STATUS_OK);
    cr_assert_eq(run_all(engine, &off, &err), STATUS_OK);
    cr_assert(tiny_batch_equal(&on, &off), "%s: bits differ without checks", name);
    bool differs = false;
    for (uint64_t seed = 1; seed < 100 && !differs; seed++) {
        cr_assert(engine_inject(engine, ENGINE_FLIP_ACCUMULATOR, seed));
        cr_assert_neq(run_all(engine, &off, &err), STATUS_NO_MEMORY);
        differs = !tiny_batch_equal(&on, &off);
    }
    cr_assert(differs);
    ops->destroy(engine);
    tiny_batch_finish(&on);
    tiny_batch_finish(&off);
    image_release(&image);
}

Test(verify, can_be_switched_off)
{
    uint32_t mode = float_mode_set();
    each_set(check_off, 0);
    float_mode_restore(mode);
}
