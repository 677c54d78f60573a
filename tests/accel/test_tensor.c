/* Engines that divide the outputs of layers: what goes wrong is found and put down to whoever made it. That bits are
 * right otherwise, test_cpu_engine.c sees.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "accel/cpu/cpu_flags.h"
#include "accel/float_mode.h"
#include "base/mem.h"
#include "tests/accel/cpu_check.h"
#include "tests/accel/team_run.h"
#include "tests/accel/tiny.h"

enum { MOST = 4 };

static const uint32_t lengths[] = {1, 16, 17, 33, 5, 64, 2, 0};
static const uint32_t longer[] = {170, 1, 16, 33, 0}; /* the first is taken in several blocks */

static const struct {
    const char *name;
    unsigned flag;
} flips[] = {
    {"accumulator", ENGINE_FLIP_ACCUMULATOR},
    {"weight", ENGINE_FLIP_WEIGHT},
    {"activation", ENGINE_FLIP_ACTIVATION},
    {"hidden state", ENGINE_FLIP_HIDDEN},
};

struct crew {
    struct engine *engines[MOST];
    uint32_t n;
    struct tiny_batch batch;
    const struct tiny_batch *right;
};

/* A bit flips on one engine: who is said to be at fault is that one. False: nothing changed by it. */
static bool found(struct crew *crew, uint32_t culprit, const char *name, unsigned flag, uint64_t seed)
{
    struct team_end ends[MOST];
    cr_assert(engine_inject(crew->engines[culprit], flag, seed));
    for (int run = 0; run < 2; run++) {
        team_run(crew->engines, crew->n, &crew->batch.job, ends);
        if (ends[0].status == STATUS_OK) {
            for (uint32_t m = 0; m < crew->n; m++)
                cr_assert_eq(ends[m].status, STATUS_OK, "%s", ends[m].err.message);
            cr_assert(tiny_batch_equal(&crew->batch, crew->right), "a flipped bit of %s, seed %llu, went unseen", name,
                      (unsigned long long)seed);
            continue;
        }
        for (uint32_t m = 0; m < crew->n; m++) {
            cr_assert_eq(ends[m].status, m == culprit ? STATUS_BACKEND : STATUS_CANCELLED,
                         "flipped bit of %s, seed %llu: board %u, not %u, of %u: %s", name, (unsigned long long)seed, m,
                         culprit, crew->n, ends[m].err.message);
            cr_assert(strstr(ends[m].err.message, "checksum of "), "%s", ends[m].err.message);
        }
        return true;
    }
    return false;
}

static void check_flips(const struct image *image, const struct tiny_batch *right)
{
    for (uint32_t n = 1; n <= MOST; n *= 2) {
        struct crew crew = {.n = n, .right = right};
        struct error err = {0};
        tiny_batch_init(&crew.batch, image, longer, 7);
        for (uint32_t m = 0; m < n; m++)
            cr_assert_eq(cpu_engine.create(&crew.engines[m], image, true, &err), STATUS_OK, "%s", err.message);
        const int rounds = check_rounds(8);
        for (size_t f = 0; f < sizeof flips / sizeof *flips; f++) {
            int n_found = 0;
            for (int round = 0; round < rounds; round++)
                n_found += found(&crew, check_below(n), flips[f].name, flips[f].flag, check_random());
            cr_assert_geq(n_found, rounds / 2, "%u boards: of %d flips of %s %d were found", n, rounds, flips[f].name,
                          n_found);
        }
        for (uint32_t m = 0; m < n; m++)
            cpu_engine.destroy(crew.engines[m]);
        tiny_batch_finish(&crew.batch);
    }
}

Test(tensor, a_flipped_bit_is_put_down_to_its_board)
{
    static const struct image_shape shape = {.hidden = 128,
                                             .layers = 2,
                                             .heads = 8,
                                             .intermediate = 512,
                                             .vocab = 101,
                                             .positions = 180,
                                             .types = 2,
                                             .layer_norm_eps = 1e-12f};
    uint32_t mode = float_mode_set();
    check_begin("flipped bits of a team");
    struct image *image = tiny_image(&shape, IMAGE_INT8, 5);
    struct tiny_batch right;
    struct error err = {0};
    tiny_batch_init(&right, image, longer, 7);
    cr_assert_eq(tiny_run(&ref_engine, &right, &err), STATUS_OK, "%s", err.message);
    for (const struct cpu_set *set = cpu_sets; set < cpu_sets + CPU_N_SETS; set++) {
        if (set->flag & ~cpu_flags_detected()) {
            printf("skipped: no %s on this machine\n", set->name);
            continue;
        }
        cpu_flags_set_mask(set->mask);
        check_flips(image, &right);
    }
    tiny_batch_finish(&right);
    image_release(&image);
    float_mode_restore(mode);
}

/* What is wrong in one board's own copy of the image, in its half of the outputs. */
static void spoil_weights(const struct image *image, uint32_t half)
{
    const struct image_linear *ffn2 = &image->layers[0].ffn2;
    int8_t *weights = (int8_t *)ffn2->weights + (size_t)ffn2->in_padded * ffn2->out_padded / 2 * half;
    for (uint32_t i = 0; i < IMAGE_PANEL * IMAGE_GROUP; i++)
        weights[i] ^= 0x10;
}

/* So large that scores overflow, or the sums of a rotation. */
static void spoil_bias(const struct image_linear *linear, uint32_t first, uint32_t n)
{
    for (uint32_t o = first; o < first + n; o++)
        ((float *)linear->bias)[o] = 3e38f;
}

static void spoil_queries(const struct image *image, uint32_t half)
{
    const uint32_t n = image->shape.hidden / 2;
    spoil_bias(&image->layers[0].qkv, n * half, n);
}

static void spoil_ffn1(const struct image *image, uint32_t half)
{
    const uint32_t n = image->shape.intermediate / 2;
    spoil_bias(&image->layers[0].ffn1, n * half, n);
}

static void damage(const uint32_t *of, uint32_t culprit, void (*spoil)(const struct image *image, uint32_t half),
                   const char *words)
{
    struct image *image = tiny_image(&tiny_shapes[6], IMAGE_INT8, 5), *damaged = NULL;
    struct tiny_batch batch;
    struct error err = {0};
    struct engine *engines[2];
    struct team_end ends[2];
    const unsigned flags = cpu_flags();
    tiny_batch_init(&batch, image, of, 7);
    cr_assert_eq(image_copy(&damaged, image, &err), STATUS_OK);
    cpu_flags_set_mask(0); /* other kernels may read the weights of a section instead */
    for (uint32_t e = 0; e < 2; e++)
        cr_assert_eq(cpu_engine.create(&engines[e], e == culprit ? damaged : image, true, &err), STATUS_OK);
    cpu_flags_set_mask(flags);
    spoil(damaged, culprit);
    team_run(engines, 2, &batch.job, ends);
    cr_expect_eq(ends[1 - culprit].status, STATUS_CANCELLED, "%s: %s", words, ends[1 - culprit].err.message);
    cr_expect_eq(ends[culprit].status, STATUS_BACKEND);
    cr_expect(strstr(ends[culprit].err.message, words), "%s, not %s", ends[culprit].err.message, words);
    for (int e = 0; e < 2; e++)
        cpu_engine.destroy(engines[e]);
    tiny_batch_finish(&batch);
    image_release(&damaged);
    image_release(&image);
}

/* Whoever else has rows sees whose outputs are not right; of one row the first board has none, and waits to hear. */
Test(tensor, a_damaged_image_is_put_down_to_its_board)
{
    static const uint32_t one[] = {1, 0};
    uint32_t mode = float_mode_set();
    check_begin("damaged image of a team");
    for (uint32_t culprit = 0; culprit < 2; culprit++) {
        damage(lengths, culprit, spoil_weights, "checksum of ffn2, layer 0");
        damage(lengths, culprit, spoil_queries, "a value is not finite");
        damage(lengths, culprit, spoil_ffn1, "a value is not finite");
    }
    damage(one, 0, spoil_weights, "checksum of ffn2, layer 0");
    damage(one, 0, spoil_ffn1, "a value is not finite");
    float_mode_restore(mode);
}

/* What the other was to make is not there. */
Test(tensor, who_finds_another_at_fault_is_not)
{
    uint32_t mode = float_mode_set();
    struct image *image = tiny_image(&tiny_shapes[6], IMAGE_INT8, 5);
    struct tiny_batch batch;
    struct engine *engine;
    struct board_team team;
    struct error err = {0};
    tiny_batch_init(&batch, image, lengths, 7);
    cr_assert_eq(cpu_engine.create(&engine, image, true, &err), STATUS_OK);
    size_t size = cpu_engine.exchange_size(image, batch.job.n_rows, 2);
    void *exchange = mem_alloc_aligned(BOARD_TEAM_ALIGN, size);
    memset(exchange, 0, size);
    board_team_init(&team, 2, exchange);
    atomic_store(&team.members[1].meetings, 1000); /* it is always there first */
    const struct board_task task = {.job = &batch.job,
                                    .kind = BOARD_TENSOR,
                                    .layer_end = image->shape.layers,
                                    .row_end = batch.job.n_rows,
                                    .team = &team};
    cr_expect_eq(cpu_engine.run_share(engine, &task, 0, &err), STATUS_CANCELLED);
    cr_expect_eq(team.culprit, 1);
    cr_expect(strstr(team.err.message, "checksum of queries, layer 0"), "%s", team.err.message);
    cpu_engine.destroy(engine);
    mem_free(exchange);
    tiny_batch_finish(&batch);
    image_release(&image);
    float_mode_restore(mode);
}

/* Most have no heads, no panels, no rows. */
Test(tensor, as_many_boards_as_there_may_be)
{
    static const uint32_t one[] = {1, 0};
    const uint32_t *const batches[] = {one, lengths};
    uint32_t mode = float_mode_set();
    for (uint32_t s = 1; s < tiny_n_shapes; s += 2)
        for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
            struct image *image = tiny_image(&tiny_shapes[s], IMAGE_INT8, 5);
            struct tiny_batch batch, right;
            struct engine *engines[BOARD_TEAM_MAX];
            struct team_end ends[BOARD_TEAM_MAX];
            struct error err = {0};
            tiny_batch_init(&batch, image, batches[i], 7);
            tiny_batch_init(&right, image, batches[i], 7);
            cr_assert_eq(tiny_run(&ref_engine, &right, &err), STATUS_OK);
            for (uint32_t m = 0; m < BOARD_TEAM_MAX; m++)
                cr_assert_eq(cpu_engine.create(&engines[m], image, true, &err), STATUS_OK);
            team_run(engines, BOARD_TEAM_MAX, &batch.job, ends);
            for (uint32_t m = 0; m < BOARD_TEAM_MAX; m++) {
                cr_expect_eq(ends[m].status, STATUS_OK, "%s", ends[m].err.message);
                cpu_engine.destroy(engines[m]);
            }
            cr_expect(tiny_batch_equal(&batch, &right), "shape %u: wrong bits", s);
            tiny_batch_finish(&batch);
            tiny_batch_finish(&right);
            image_release(&image);
        }
    float_mode_restore(mode);
}

/* Of a model whose weights are large an engine takes more rows together than a team does. */
Test(tensor, many_rows_of_a_large_model)
{
    static const struct image_shape shape = {.hidden = 640,
                                             .layers = 1,
                                             .heads = 10,
                                             .intermediate = 2560,
                                             .vocab = 101,
                                             .positions = 250,
                                             .types = 2,
                                             .layer_norm_eps = 1e-12f};
    static const uint32_t one[] = {250, 0};
    uint32_t mode = float_mode_set();
    struct image *image = tiny_image(&shape, IMAGE_INT8, 5);
    struct tiny_batch batch, right;
    struct engine *engines[2];
    struct team_end ends[2];
    struct error err = {0};
    tiny_batch_init(&batch, image, one, 7);
    tiny_batch_init(&right, image, one, 7);
    cr_assert_eq(tiny_run(&cpu_engine, &right, &err), STATUS_OK, "%s", err.message);
    for (int e = 0; e < 2; e++)
        cr_assert_eq(cpu_engine.create(&engines[e], image, true, &err), STATUS_OK);
    team_run(engines, 2, &batch.job, ends);
    for (int e = 0; e < 2; e++) {
        cr_expect_eq(ends[e].status, STATUS_OK, "%s", ends[e].err.message);
        cpu_engine.destroy(engines[e]);
    }
    cr_expect(tiny_batch_equal(&batch, &right), "wrong bits");
    tiny_batch_finish(&batch);
    tiny_batch_finish(&right);
    image_release(&image);
    float_mode_restore(mode);
}

Test(tensor, engines_with_other_kernels_are_no_team)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 5);
    struct tiny_batch batch;
    struct error err = {0};
    struct engine *engines[2];
    struct team_end ends[2];
    const unsigned all = cpu_flags();
    if (!(cpu_flags_detected() & CPU_AVX2)) {
        printf("skipped: one instruction set on this machine\n");
        image_release(&image);
        return;
    }
    tiny_batch_init(&batch, image, lengths, 7);
    for (int e = 0; e < 2; e++) {
        cpu_flags_set_mask(e ? CPU_AVX2 : 0);
        cr_assert_eq(cpu_engine.create(&engines[e], image, true, &err), STATUS_OK);
    }
    cpu_flags_set_mask(all);
    team_run(engines, 2, &batch.job, ends);
    int backend = ends[0].status == STATUS_BACKEND ? 0 : 1;
    cr_expect_eq(ends[backend].status, STATUS_BACKEND);
    cr_expect(strstr(ends[backend].err.message, "no kernels of"), "%s", ends[backend].err.message);
    cr_expect_eq(ends[1 - backend].status, STATUS_CANCELLED);
    for (int e = 0; e < 2; e++)
        cpu_engine.destroy(engines[e]);
    tiny_batch_finish(&batch);
    image_release(&image);
}
