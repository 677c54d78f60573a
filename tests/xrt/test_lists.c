/* What an emulated card makes of lists of commands in its memory: the bits of the reference engine, and the statuses of
 * accel/rtl where something is wrong. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/xrt/stage.h"

static const uint32_t lengths[] = {5, 37, 1, 16, 23, 0};
enum { LAYERS = 3, ROWS = 82 };

/* The batch's rows are in the card; `expected` has what shall come of them. */
static void begin(struct stage *stage, const struct device_compute_ops *ops, struct tiny_batch *batch,
                  struct tiny_batch *expected)
{
    struct error err = {0};
    stage_open(stage, ops);
    tiny_batch_init(batch, stage->image, lengths, 5);
    tiny_batch_init(expected, stage->image, lengths, 5);
    cr_assert_eq(tiny_run(&ref_engine, expected, &err), STATUS_OK, "%s", err.message);
    stage_put_rows(stage, batch);
}

static void end(struct stage *stage, struct tiny_batch *batch, struct tiny_batch *expected)
{
    tiny_batch_finish(batch);
    tiny_batch_finish(expected);
    stage_close(stage);
}

static void expect_bits(struct stage *stage, struct tiny_batch *batch, const struct tiny_batch *expected)
{
    card_get_rows(&stage->card, stage->bytes, batch->job.hidden, 0, ROWS);
    cr_assert(tiny_batch_equal(batch, expected), "other bits than the reference's");
}

static void expect_good(const struct card_record *record, uint32_t commands)
{
    cr_assert_eq(record->status, ACCEL_ENGINE_OK, "status %u, seen %x", record->status, record->seen);
    cr_assert_eq(record->seen, 0);
    cr_assert_eq(record->failed, commands - 1);
}

/* Whole sequences ------------------------------------------------------------------------------------------------- */

Test(lists, all_layers_in_one_command)
{
    struct stage stage;
    struct tiny_batch batch, expected;
    begin(&stage, &device_compute_cpu, &batch, &expected);
    stage_put_run(&stage, 0, &batch, 0, LAYERS);
    const struct card_record record = stage_run(&stage, 1);
    expect_good(&record, 1);
    cr_assert_eq(record.version, 7);
    cr_assert_eq(record.rows, 48);
    cr_assert_eq(record.slices, 3);
    expect_bits(&stage, &batch, &expected);
    end(&stage, &batch, &expected);
}

Test(lists, a_command_a_layer)
{
    struct stage stage;
    struct tiny_batch batch, expected;
    begin(&stage, &device_compute_cpu, &batch, &expected);
    for (uint32_t layer = 0; layer < LAYERS; layer++)
        stage_put_run(&stage, layer, &batch, layer, layer + 1);
    const struct card_record record = stage_run(&stage, LAYERS);
    expect_good(&record, LAYERS);
    expect_bits(&stage, &batch, &expected);
    end(&stage, &batch, &expected);
}

Test(lists, weights_that_are_written_again_count)
{
    struct stage stage;
    struct tiny_batch batch, expected;
    begin(&stage, &device_compute_cpu, &batch, &expected);
    struct image *other = tiny_image(&stage.image->shape, IMAGE_INT8, 12), *first = stage.image;
    stage_put_run(&stage, 0, &batch, 0, LAYERS);
    for (int round = 0; round < 3; round++) {
        stage.card.image = round == 1 ? other : first;
        card_fill(&stage.card, stage.bytes);
        device_memory_written(stage.memory, stage.card.base, stage.card.size);
        card_put_rows(&stage.card, stage.bytes, batch.job.hidden, 0, ROWS);
        const struct card_record record = stage_run(&stage, 1);
        expect_good(&record, 1);
        struct tiny_batch got;
        tiny_batch_init(&got, first, lengths, 5);
        card_get_rows(&stage.card, stage.bytes, got.job.hidden, 0, ROWS);
        cr_assert_eq(tiny_batch_equal(&got, &expected), round != 1, "round %d", round);
        tiny_batch_finish(&got);
    }
    image_release(&other);
    end(&stage, &batch, &expected);
}

Test(lists, an_empty_list_has_a_record)
{
    struct stage stage;
    stage_open(&stage, &device_compute_cpu);
    const struct card_record record = stage_run(&stage, 0);
    cr_assert_eq(record.status, ACCEL_ENGINE_OK);
    cr_assert_eq(record.version, 7);
    stage_close(&stage);
}

/* Parts of sequences ---------------------------------------------------------------------------------------------- */

static void run_part(struct stage *stage, enum board_task_kind kind, uint32_t layer, const uint32_t *cu_seqlens,
                     uint32_t first, uint32_t last)
{
    const struct card_command command = {kind, layer, layer + 1, cu_seqlens, 1, first, last};
    card_put_command(&stage->card, stage->bytes, 0, &command);
    const struct card_record record = stage_run(stage, 1);
    expect_good(&record, 1);
}

Test(lists, parts_of_a_sequence)
{
    static const uint32_t one[] = {41, 0}, cuts[] = {0, 7, 8, 33, 41};
    enum { PARTS = sizeof cuts / sizeof *cuts - 1, TOKENS = 41 };
    struct stage stage;
    struct tiny_batch batch, expected;
    struct error err = {0};
    stage_open(&stage, &device_compute_cpu);
    tiny_batch_init(&batch, stage.image, one, 6);
    tiny_batch_init(&expected, stage.image, one, 6);
    cr_assert_eq(tiny_run(&ref_engine, &expected, &err), STATUS_OK, "%s", err.message);
    stage_put_rows(&stage, &batch);
    for (uint32_t layer = 0; layer < LAYERS; layer++) {
        for (uint32_t part = 0; part < PARTS; part++)
            run_part(&stage, BOARD_PROJECT, layer, batch.cu_seqlens, cuts[part], cuts[part + 1]);
        for (uint32_t part = PARTS; part-- > 0;)
            run_part(&stage, BOARD_FINISH, layer, batch.cu_seqlens, cuts[part], cuts[part + 1]);
    }
    card_get_rows(&stage.card, stage.bytes, batch.job.hidden, 0, TOKENS);
    cr_assert(tiny_batch_equal(&batch, &expected));
    end(&stage, &batch, &expected);
}

/* What is wrong --------------------------------------------------------------------------------------------------- */

Test(lists, malformed_words)
{
    static const struct {
        uint32_t word, value;
    } bad[] = {{ACCEL_WORD_OPCODE, 1},
               {ACCEL_WORD_OPCODE, (uint32_t)ACCEL_OPCODE_MAGIC},
               {ACCEL_WORD_OPCODE, (uint32_t)ACCEL_OPCODE_MAGIC | 4},
               {ACCEL_WORD_OPCODE, (uint32_t)ACCEL_OPCODE_MAGIC | ACCEL_OPCODE_PROJECT},
               {ACCEL_WORD_LAYERS, 0},
               {ACCEL_WORD_LAYERS, 1025},
               {ACCEL_WORD_HIDDEN, 16},
               {ACCEL_WORD_HIDDEN, 72},
               {ACCEL_WORD_HIDDEN, 1040},
               {ACCEL_WORD_INTERMEDIATE, 0},
               {ACCEL_WORD_INTERMEDIATE, 120},
               {ACCEL_WORD_INTERMEDIATE, 4112},
               {ACCEL_WORD_HEADS, 0},
               {ACCEL_WORD_HEADS, 3},
               {ACCEL_WORD_HEAD_DIM, 16},
               {ACCEL_WORD_HEAD_DIM, 64},
               {ACCEL_WORD_ROW_BEGIN, 1},
               {ACCEL_WORD_ROWS, 0},
               {ACCEL_WORD_ROWS, ROWS - 1},
               {ACCEL_WORD_ROWS, 513},
               {ACCEL_WORD_ACTIVATION, 3},
               {ACCEL_WORD_ROWS_ADDRESS, 32},
               {ACCEL_WORD_KEYS, 1},
               {ACCEL_WORD_WEIGHTS_FFN2, 8},
               {ACCEL_WORD_OUTPUT_NORM, 4},
               {ACCEL_WORD_LAYER_STRIDE, 16},
               {ACCEL_WORD_SEGMENTS, 0},
               {ACCEL_WORD_SEGMENTS, 513},
               {ACCEL_WORD_SEGMENTS, 500 << 16 | 5}};
    struct stage stage;
    struct tiny_batch batch, expected;
    begin(&stage, &device_compute_cpu, &batch, &expected);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stage_put_run(&stage, 0, &batch, 0, 1);
        stage_put_run(&stage, 1, &batch, 1, 2);
        stage_put_run(&stage, 2, &batch, 2, 3);
        stage_words(&stage, 1)[bad[i].word] = bad[i].value;
        const struct card_record record = stage_run(&stage, 3);
        cr_assert_eq(record.status, ACCEL_ENGINE_BAD_COMMAND, "word %u = %#x", bad[i].word, bad[i].value);
        cr_assert_eq(record.failed, 1);
    }
    end(&stage, &batch, &expected);
}

Test(lists, addresses_that_no_memory_has)
{
    static const struct {
        uint32_t word, seen;
    } bad[] = {{ACCEL_WORD_ROWS_ADDRESS, ACCEL_SEEN_DATA_READ | ACCEL_SEEN_DATA_WRITE},
               {ACCEL_WORD_KEYS, ACCEL_SEEN_DATA_WRITE},
               {ACCEL_WORD_WEIGHTS_FFN1, ACCEL_SEEN_WEIGHTS_READ},
               {ACCEL_WORD_ATTENTION_NORM, ACCEL_SEEN_DATA_READ}};
    struct stage stage;
    struct tiny_batch batch, expected;
    begin(&stage, &device_compute_cpu, &batch, &expected);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stage_put_run(&stage, 0, &batch, 0, LAYERS);
        stage_words(&stage, 0)[bad[i].word + 1] += 2; /* 8 GB further */
        struct card_record record = stage_run(&stage, 1);
        cr_assert_eq(record.status, ACCEL_ENGINE_BUS, "word %u", bad[i].word);
        cr_assert_eq(record.seen, bad[i].seen, "word %u: %u", bad[i].word, record.seen);
    }
    stage_put_run(&stage, 0, &batch, 0, LAYERS);
    stage_words(&stage, 0)[ACCEL_WORD_LAYER_STRIDE + 1] = 1; /* the third layer is out of it */
    struct card_record record = stage_run(&stage, 1);
    cr_assert_eq(record.status, ACCEL_ENGINE_BUS);
    end(&stage, &batch, &expected);
}

Test(lists, arguments_that_no_memory_has)
{
    const struct device_list beyond = {(uint64_t)12 << 30, 1, 0}, odd = {32, 1, 0}, unrecorded = {0, 0, UINT64_MAX};
    const atomic_bool stop = false, stopped = true;
    struct stage stage;
    struct card_record record;
    stage_open(&stage, &device_compute_cpu);
    cr_assert(stage.compute->ops->run(stage.compute, &beyond, &stop, &record));
    cr_assert_eq(record.status, ACCEL_ENGINE_BUS);
    cr_assert(stage.compute->ops->run(stage.compute, &odd, &stop, &record));
    cr_assert_eq(record.status, ACCEL_ENGINE_BAD_COMMAND);
    cr_assert(stage.compute->ops->run(stage.compute, &unrecorded, &stop, &record));
    cr_assert_eq(record.status, ACCEL_ENGINE_OK);
    cr_assert_not(stage.compute->ops->run(stage.compute, &beyond, &stopped, &record));
    stage_close(&stage);
}

/* A bit of a weight, of the digits it is checked by, in each of the linears: the product is found wrong. */
Test(lists, flipped_weights_are_found)
{
    struct stage stage;
    struct tiny_batch batch, expected;
    begin(&stage, &device_compute_cpu, &batch, &expected);
    const struct card_layer *first = &stage.card.first;
    const uint64_t layer = stage.card.layer_stride, panel = 64 * (2 + 64 / IMAGE_GROUP);
    const uint64_t places[] = {first->kv + 128,           first->kv + 5 * panel + 128, first->q + 200,
                               first->output + 129,       first->ffn1 + layer + 131,   first->ffn2 + 128,
                               first->q + 4 * panel + 128 /* its check panel */};
    stage_put_run(&stage, 0, &batch, 0, LAYERS);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *at = (char *)stage.bytes + places[i];
        card_put_rows(&stage.card, stage.bytes, batch.job.hidden, 0, ROWS);
        *at ^= 1 << 5;
        device_memory_written(stage.memory, stage.card.base + places[i], 1);
        struct card_record record = stage_run(&stage, 1);
        cr_assert_eq(record.status, ACCEL_ENGINE_CHECKSUM, "place %zu: status %u", i, record.status);
        cr_assert_eq(record.seen, ACCEL_SEEN_CHECKSUM);
        cr_assert_eq(record.layer, places[i] >= first->ffn1 + layer);
        *at ^= 1 << 5;
        device_memory_written(stage.memory, stage.card.base + places[i], 1);
    }
    card_put_rows(&stage.card, stage.bytes, batch.job.hidden, 0, ROWS);
    const struct card_record record = stage_run(&stage, 1);
    expect_good(&record, 1);
    expect_bits(&stage, &batch, &expected);
    end(&stage, &batch, &expected);
}

Test(lists, values_that_are_not_finite)
{
    struct stage stage;
    struct tiny_batch batch, expected;
    begin(&stage, &device_compute_cpu, &batch, &expected);
    batch.job.hidden[3 * 64 + 1] = NAN;
    card_put_rows(&stage.card, stage.bytes, batch.job.hidden, 0, ROWS);
    stage_put_run(&stage, 0, &batch, 0, LAYERS);
    const struct card_record record = stage_run(&stage, 1);
    cr_assert_eq(record.status, ACCEL_ENGINE_NOT_FINITE);
    cr_assert_eq(record.seen, ACCEL_SEEN_NOT_FINITE);
    end(&stage, &batch, &expected);
}

#ifdef BERTD_RTL
/* The same card with the engine itself in it. */
Test(lists, the_simulated_engine)
{
    static const uint32_t few[] = {3, 1, 0};
    struct stage stage;
    struct tiny_batch batch, expected;
    struct error err = {0};
    stage_open(&stage, &device_compute_rtl);
    tiny_batch_init(&batch, stage.image, few, 5);
    tiny_batch_init(&expected, stage.image, few, 5);
    cr_assert_eq(tiny_run(&ref_engine, &expected, &err), STATUS_OK, "%s", err.message);
    stage_put_rows(&stage, &batch);
    stage_put_run(&stage, 0, &batch, 0, LAYERS);
    const struct card_record record = stage_run(&stage, 1);
    cr_assert_eq(record.status, ACCEL_ENGINE_OK);
    cr_assert_gt(record.counters.cycles, 0);
    card_get_rows(&stage.card, stage.bytes, batch.job.hidden, 0, batch.job.n_rows);
    cr_assert(tiny_batch_equal(&batch, &expected));
    stage_words(&stage, 0)[ACCEL_WORD_HEADS] = 3;
    cr_assert_eq(stage_run(&stage, 1).status, ACCEL_ENGINE_BAD_COMMAND);
    end(&stage, &batch, &expected);
}
#endif
