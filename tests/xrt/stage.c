#include "tests/xrt/stage.h"

#include <criterion/criterion.h>
#include <string.h>

#include "accel/float_mode.h"
#include "accel/ref/ref.h"

#define MEMORY ((uint64_t)12 << 30)
#define BASE   (((uint64_t)2 << 32) + 0x3000)

enum { SHAPE = 2, ROWS = 48, SLICES = 3 };

void stage_open(struct stage *stage, const struct device_compute_ops *ops)
{
    struct error err = {0};
    *stage = (struct stage){.image = tiny_image(&tiny_shapes[SHAPE], IMAGE_INT8, 11)};
    stage->config = (struct device_config){.units = 1, .version = 7, .rows = ROWS, .slices = SLICES};
    cr_assert_eq(card_init(&stage->card, stage->image, 0, stage->image->shape.layers, &err), STATUS_OK, "%s",
                 err.message);
    stage->card.base = BASE;
    cr_assert_eq(device_memory_create(&stage->memory, MEMORY, &err), STATUS_OK, "%s", err.message);
    stage->bytes = device_memory_at(stage->memory, BASE, stage->card.size);
    card_fill(&stage->card, stage->bytes);
    cr_assert_eq(ops->create(&stage->compute, &stage->config, stage->memory, &err), STATUS_OK, "%s", err.message);
}

void stage_close(struct stage *stage)
{
    stage->compute->ops->destroy(stage->compute);
    device_memory_destroy(&stage->memory);
    image_release(&stage->image);
}

void stage_put_rows(struct stage *stage, struct tiny_batch *batch)
{
    const struct board_job *job = &batch->job;
    uint32_t mode = float_mode_set();
    for (uint32_t s = 0; s < job->n_seqs; s++)
        for (uint32_t row = job->cu_seqlens[s]; row < job->cu_seqlens[s + 1]; row++)
            cr_assert(ref_embed(job->hidden + (size_t)row * stage->image->shape.hidden, stage->image, job->ids[row],
                                row - job->cu_seqlens[s], job->type_ids[row]));
    float_mode_restore(mode);
    card_put_rows(&stage->card, stage->bytes, job->hidden, 0, job->n_rows);
}

void stage_put_run(struct stage *stage, uint32_t index, const struct tiny_batch *batch, uint32_t layer_begin,
                   uint32_t layer_end)
{
    const struct card_command command = {.kind = BOARD_RUN,
                                         .layer_begin = layer_begin,
                                         .layer_end = layer_end,
                                         .cu_seqlens = batch->cu_seqlens,
                                         .n_seqs = batch->job.n_seqs};
    card_put_command(&stage->card, stage->bytes, index, &command);
}

struct card_record stage_run(struct stage *stage, uint32_t count)
{
    const struct device_list list = {BASE + stage->card.list, count, BASE + stage->card.record};
    const atomic_bool stop = false;
    struct card_record said, written;
    card_clear_record(&stage->card, stage->bytes);
    cr_assert(stage->compute->ops->run(stage->compute, &list, &stop, &said));
    cr_assert(card_get_record(&stage->card, stage->bytes, &written));
    cr_assert_eq(written.status, said.status);
    cr_assert_eq(written.failed, said.failed);
    cr_assert_eq(written.layer, said.layer);
    cr_assert_eq(written.seen, said.seen);
    cr_assert_eq(written.version, said.version);
    return written;
}

uint32_t *stage_words(struct stage *stage, uint32_t index)
{
    return (uint32_t *)((char *)stage->bytes + stage->card.list + (size_t)index * ACCEL_COMMAND_BYTES);
}
