/* What a backend refuses before it computes. */
#include <criterion/criterion.h>
#include <string.h>

#include "accel/backend.h"
#include "tests/accel/tiny.h"

static const uint32_t lengths[] = {4, 1, 30, 0};
enum { ROWS = 35 };

static struct image *image;
static struct tiny_batch batch;
static struct board_task task;

static void set_up(void)
{
    image = tiny_image(&tiny_shapes[2], IMAGE_INT8, 1);
    tiny_batch_init(&batch, image, lengths, 1);
    tiny_batch_add_kv(&batch);
    task = (struct board_task){.job = &batch.job, .kind = BOARD_RUN, .layer_end = 3, .row_end = ROWS};
}

static void tear_down(void)
{
    tiny_batch_finish(&batch);
    image_release(&image);
}

TestSuite(backend, .init = set_up, .fini = tear_down);

static void check_refused(const char *expected)
{
    struct error err = {0};
    cr_assert_eq(backend_check_task(&task, 0, 3, &err), STATUS_BACKEND, "%s", expected);
    cr_assert_str_eq(err.message, expected);
}

Test(backend, takes_what_fits)
{
    cr_assert_eq(backend_check_task(&task, 0, 3, NULL), STATUS_OK);
    for (uint32_t a = 0; a <= 3; a++)
        for (uint32_t b = a + 1; b <= 3; b++) {
            task.row_begin = batch.cu_seqlens[a];
            task.row_end = batch.cu_seqlens[b];
            cr_assert_eq(backend_check_task(&task, 0, 3, NULL), STATUS_OK);
        }
    task.kind = BOARD_FINISH;
    task.layer_begin = 2;
    for (task.row_begin = 0; task.row_begin < ROWS; task.row_begin++)
        for (task.row_end = task.row_begin + 1; task.row_end <= ROWS; task.row_end++)
            cr_assert_eq(backend_check_task(&task, 2, 3, NULL), STATUS_OK);
}

Test(backend, refuses_layers)
{
    task.layer_end = 4;
    check_refused("layers 0 to 4 are asked for; the board holds 0 to 3");
    task.layer_begin = 2;
    task.layer_end = 2;
    check_refused("layers 2 to 2 are asked for; the board holds 0 to 3");
    task.layer_begin = 0;
    cr_assert_eq(backend_check_task(&task, 1, 3, NULL), STATUS_BACKEND);
}

Test(backend, refuses_rows)
{
    task.row_end = ROWS + 1;
    check_refused("rows 0 to 36 are asked for; the job has 35");
    task.row_begin = task.row_end = 4;
    check_refused("rows 4 to 4 are asked for; the job has 35");
    task.row_end = 34;
    check_refused("rows 4 to 34 are not whole sequences");
    task.row_begin = 3;
    task.row_end = ROWS;
    check_refused("rows 3 to 35 are not whole sequences");
}

Test(backend, refuses_parts_that_do_not_fit)
{
    task.kind = BOARD_PROJECT;
    check_refused("a part of a layer is asked for over 3 layers");
    task.layer_end = 1;
    batch.job.kv = NULL;
    check_refused("a part of a layer is asked for without room for keys and values");
    task.kind = (enum board_task_kind)7;
    check_refused("unknown kind of task 7");
}

Test(backend, refuses_sequences)
{
    batch.cu_seqlens[3] = ROWS - 1;
    check_refused("the sequences of the job do not cover its 35 rows");
    batch.cu_seqlens[3] = ROWS;
    batch.cu_seqlens[2] = 4;
    check_refused("sequence 1 is empty or goes backwards");
    batch.cu_seqlens[2] = 40;
    check_refused("sequence 2 is empty or goes backwards");
    batch.job.n_seqs = 0;
    check_refused("the sequences of the job do not cover its 35 rows");
}

Test(backend, refuses_long_sequences)
{
    const uint32_t one[] = {0, 97};
    batch.job.n_seqs = 1;
    batch.job.n_rows = task.row_end = 97;
    batch.job.cu_seqlens = one;
    check_refused("sequence 0 has 97 tokens; the board takes up to 96");
}

/* A model may have more positions than the integer context can sum. */
Test(backend, refuses_what_is_longer_than_1024)
{
    struct image_shape shape = tiny_shapes[0];
    shape.positions = 2000;
    struct image *longer = tiny_image(&shape, IMAGE_INT8, 1);
    static uint32_t ids[1025];
    uint32_t one[] = {0, 1025};
    struct board_job job = {.image = longer, .n_seqs = 1, .n_rows = 1025, .cu_seqlens = one, .ids = ids};
    task = (struct board_task){.job = &job, .layer_end = 1, .row_end = 1025};
    check_refused("sequence 0 has 1025 tokens; the board takes up to 1024");
    job.n_rows = task.row_end = one[1] = 1024;
    cr_assert_eq(backend_check_task(&task, 0, 2, NULL), STATUS_OK);
    image_release(&longer);
}

Test(backend, refuses_ids)
{
    batch.ids[34] = 101;
    check_refused("row 34 has token 101; the vocabulary has 101");
    batch.ids[34] = 100;
    batch.type_ids[1] = 2;
    check_refused("row 1 has token type 2; the model has 2");
    task.layer_begin = 1; /* no embedding, nobody looks */
    cr_assert_eq(backend_check_task(&task, 0, 3, NULL), STATUS_OK);
}
