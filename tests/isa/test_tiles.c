/* When tiles are asked for, configured, used and released, on the model of them in tiles_in_c.h. */
#include <criterion/criterion.h>
#include <errno.h>

#include "accel/cpu/cpu_flags.h"
#include "accel/engine.h"
#include "tests/accel/cpu_check.h"
#include "tests/accel/tiny.h"
#include "tests/isa/tiles_told.h"

static const uint32_t lengths[] = {1, 16, 17, 33, 5, 64, 2, 0};

static void need_avx512(void)
{
    cpu_flags_set_mask(cpu_sets[CPU_N_SETS - 1].mask & ~(unsigned)CPU_AMX);
    if (!(cpu_flags() & CPU_AVX512VNNI))
        cr_skip("no avx512vnni on this machine");
    cr_assert_eq(tiles_told.asked, 0, "asked for tiles that the mask does not allow");
    cpu_flags_set_mask(cpu_sets[CPU_N_SETS - 1].mask);
}

/* All layers over a small batch, compared with the reference. Returns how many tasks that were. */
static uint32_t run_tasks(void)
{
    struct image *image = tiny_image(&tiny_shapes[2], IMAGE_INT8, 5);
    struct tiny_batch right, batch;
    struct error err = {0};
    struct engine *engine = NULL;
    tiny_batch_init(&right, image, lengths, 7);
    tiny_batch_init(&batch, image, lengths, 7);
    cr_assert_eq(tiny_run(&ref_engine, &right, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(cpu_engine.create(&engine, image, true, &err), STATUS_OK, "%s", err.message);
    const uint32_t layers = image->shape.layers;
    for (uint32_t layer = 0; layer < layers; layer++)
        cr_assert_eq(cpu_engine.run(engine, &batch.job, BOARD_RUN, layer, 0, batch.job.n_rows, &err), STATUS_OK, "%s",
                     err.message);
    cr_assert(tiny_batch_equal(&batch, &right));
    cpu_engine.destroy(engine);
    tiny_batch_finish(&right);
    tiny_batch_finish(&batch);
    image_release(&image);
    return layers;
}

Test(tiles, are_configured_once_a_task)
{
    need_avx512();
    cr_assert_str_eq(cpu_engine_instruction_set(), "amx");
    uint32_t tasks = run_tasks();
    cr_assert_eq(tiles_told.asked, 1);
    cr_assert_eq(tiles_told.configured, tasks);
    cr_assert_eq(tiles_told.released, tasks);
    cr_assert_gt(tiles_told.multiplied, 0);
    cr_assert_eq(cpu_flags_refused(), 0);
}

Test(tiles, are_released_after_a_task_that_fails)
{
    need_avx512();
    struct image *image = tiny_image(&tiny_shapes[2], IMAGE_INT8, 5);
    struct tiny_batch batch;
    struct error err = {0};
    struct engine *engine = NULL;
    tiny_batch_init(&batch, image, lengths, 7);
    cr_assert_eq(cpu_engine.create(&engine, image, true, &err), STATUS_OK, "%s", err.message);
    cr_assert(engine_inject(engine, ENGINE_FLIP_ACCUMULATOR, 1));
    enum status status = STATUS_OK;
    for (int i = 0; i < 20 && status == STATUS_OK; i++)
        status = cpu_engine.run(engine, &batch.job, BOARD_RUN, 0, 0, batch.job.n_rows, &err);
    cr_assert_eq(status, STATUS_BACKEND);
    cr_assert_eq(tiles_told.released, tiles_told.configured);
    cpu_engine.destroy(engine);
    tiny_batch_finish(&batch);
    image_release(&image);
}

/* Then there is no AMX, and the next best set computes the same bits. */
Test(tiles, are_not_used_where_the_system_refuses_them)
{
    need_avx512();
    tiles_told.refusal = ENOSPC;
    cr_assert_eq(cpu_flags() & CPU_AMX, 0);
    cr_assert_eq(cpu_flags_detected() & CPU_AMX, 0);
    cr_assert_eq(cpu_flags_refused(), ENOSPC);
    cr_assert_str_eq(cpu_engine_instruction_set(), "avx512vnni");
    run_tasks();
    cr_assert_eq(tiles_told.asked, 1);
    cr_assert_eq(tiles_told.configured + tiles_told.multiplied, 0);
}

Test(tiles, are_not_used_where_the_mask_excludes_them)
{
    need_avx512();
    cpu_flags_set_mask(cpu_sets[CPU_N_SETS - 1].mask & ~(unsigned)CPU_AMX);
    run_tasks();
    cr_assert_eq(tiles_told.asked + tiles_told.configured + tiles_told.multiplied, 0);
}
