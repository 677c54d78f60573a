/* Tasks as rows of commands: every row once, in order, within a command's limits; what goes to a card and comes back.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "accel/card/card.h"
#include "accel/cpu/cpu_rows.h"
#include "accel/float_mode.h"
#include "accel/ref/ref.h"
#include "tests/accel/tiny.h"

enum { SHAPE = 2, HIDDEN = 64, MOST_SEQS = 200 };

struct spans {
    struct board_job job;
    struct board_task task;
    uint32_t cu_seqlens[MOST_SEQS + 1];
};

static void make(struct spans *s, uint64_t *random, uint32_t longest)
{
    uint32_t n = 1 + (uint32_t)(tiny_random(random) % MOST_SEQS);
    s->cu_seqlens[0] = 0;
    for (uint32_t i = 0; i < n; i++)
        s->cu_seqlens[i + 1] = s->cu_seqlens[i] + 1 + (uint32_t)(tiny_random(random) % longest);
    s->job = (struct board_job){.n_seqs = n, .n_rows = s->cu_seqlens[n], .cu_seqlens = s->cu_seqlens};
    s->task = (struct board_task){.job = &s->job, .layer_begin = 1, .layer_end = 3};
}

/* Whole sequences, those of a shard. */
static void take_some(struct spans *s, uint64_t *random)
{
    uint32_t begin = (uint32_t)(tiny_random(random) % s->job.n_seqs);
    uint32_t end = begin + 1 + (uint32_t)(tiny_random(random) % (s->job.n_seqs - begin));
    s->task.row_begin = s->cu_seqlens[begin];
    s->task.row_end = s->cu_seqlens[end];
}

/* The next span; false where none is left. */
static bool next(struct card_span *span, const struct spans *s)
{
    struct error err = {0};
    cr_assert_eq(card_next_span(span, &s->task, &err), STATUS_OK, "%s", err.message);
    return span->end > 0;
}

static uint32_t rounded(uint32_t tokens)
{
    return (tokens + CARD_ROW_GROUP - 1) / CARD_ROW_GROUP * CARD_ROW_GROUP;
}

Test(card_span, sequences_in_as_few_commands_as_fit)
{
    uint64_t random = 5;
    for (int round = 0; round < 2000; round++) {
        struct spans s;
        make(&s, &random, round % 2 ? 30 : 512);
        take_some(&s, &random);
        struct card_span span = {0};
        uint32_t row = s.task.row_begin;
        while (next(&span, &s)) {
            cr_assert_eq(span.first + span.begin, row, "every row, in order");
            row = span.first + span.end;
            uint32_t n = span.command.n_seqs, rows = 0;
            cr_assert_leq(n, CARD_MAX_SEQUENCES);
            cr_assert_eq(s.cu_seqlens[span.seq], span.first);
            cr_assert_eq(span.command.cu_seqlens, s.cu_seqlens + span.seq);
            cr_assert_eq(s.cu_seqlens[span.seq + n], row);
            for (uint32_t i = 0; i < n; i++)
                rows += rounded(s.cu_seqlens[span.seq + i + 1] - s.cu_seqlens[span.seq + i]);
            cr_assert_leq(rows, CARD_MAX_TOKENS);
            if (row < s.task.row_end && n < CARD_MAX_SEQUENCES)
                cr_assert_gt(rows + s.cu_seqlens[span.seq + n + 1] - row, CARD_MAX_TOKENS, "another would have fit");
            cr_assert_eq(span.command.layer_begin, 1);
            cr_assert_eq(span.command.layer_end, 3);
        }
        cr_assert_eq(row, s.task.row_end);
    }
}

Test(card_span, parts_of_sequences)
{
    uint64_t random = 6;
    for (int round = 0; round < 2000; round++) {
        struct spans s;
        make(&s, &random, 60);
        s.task.kind = round % 2 ? BOARD_PROJECT : BOARD_FINISH;
        s.task.layer_end = 2;
        s.task.row_begin = (uint32_t)(tiny_random(&random) % s.job.n_rows);
        s.task.row_end = s.task.row_begin + 1 + (uint32_t)(tiny_random(&random) % (s.job.n_rows - s.task.row_begin));
        struct card_span span = {0};
        uint32_t row = s.task.row_begin;
        while (next(&span, &s)) {
            cr_assert_eq(span.first + span.begin, row);
            row = span.first + span.end;
            cr_assert_eq(span.command.n_seqs, 1);
            cr_assert_eq(span.command.kind, s.task.kind);
            cr_assert_eq(span.first, s.cu_seqlens[span.seq]);
            cr_assert_leq(row, s.cu_seqlens[span.seq + 1]);
            cr_assert_eq(span.command.begin, span.begin);
            cr_assert_eq(span.command.end, span.end);
        }
        cr_assert_eq(row, s.task.row_end);
    }
}

Test(card_span, a_sequence_that_is_too_long)
{
    static const uint32_t cu_seqlens[] = {0, 3, 516, 520};
    struct board_job job = {.n_seqs = 3, .n_rows = 520, .cu_seqlens = cu_seqlens};
    for (int kind = BOARD_RUN; kind <= BOARD_FINISH; kind++) {
        struct board_task task = {.job = &job, .kind = (enum board_task_kind)kind, .layer_end = 1, .row_end = 520};
        struct card_span span = {0};
        struct error err;
        cr_assert_eq(card_next_span(&span, &task, &err), STATUS_OK);
        cr_assert_eq(span.end, 3);
        cr_assert_eq(card_next_span(&span, &task, &err), STATUS_BACKEND);
        cr_assert_str_eq(err.message, "sequence 1 has 513 tokens; the engine takes up to 512");
    }
}

static const uint32_t lengths[] = {5, 37, 20, 0};

struct fixture {
    struct image *image;
    struct card card;
    unsigned char *memory;
    struct tiny_batch batch;
    struct card_span span;
};

static struct fixture *open_fixture(uint32_t layer_begin, bool sums)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error err;
    f->image = tiny_image(&tiny_shapes[SHAPE], IMAGE_INT8, 3);
    cr_assert_eq(card_init(&f->card, f->image, 0, f->image->shape.layers, &err), STATUS_OK);
    f->memory = calloc(1, f->card.size);
    tiny_batch_init(&f->batch, f->image, lengths, 9);
    if (!sums)
        f->batch.job.hidden_sums = NULL;
    struct board_task task = {.job = &f->batch.job, .layer_begin = layer_begin, .layer_end = 3, .row_end = 62};
    cr_assert_eq(card_next_span(&f->span, &task, &err), STATUS_OK);
    for (uint32_t i = 0; i < 62 * HIDDEN; i++)
        f->batch.job.hidden[i] = (float)i;
    for (uint32_t r = 0; r < 62; r++)
        f->batch.hidden_sums[r] = ref_sum_bits(f->batch.job.hidden + r * HIDDEN, HIDDEN);
    return f;
}

static void close_fixture(struct fixture *f)
{
    tiny_batch_finish(&f->batch);
    image_release(&f->image);
    free(f->memory);
    free(f);
}

static enum status put(struct fixture *f, bool verify, struct error *err)
{
    return card_put_span(&f->card, f->memory, &f->batch.job, &f->span, verify, err);
}

static void write_record(struct fixture *f, uint32_t status, uint32_t version)
{
    uint32_t words[ACCEL_RECORD_BYTES / 4] = {0};
    words[ACCEL_RECORD_WRITTEN] = (uint32_t)ACCEL_RECORD_MAGIC;
    words[ACCEL_RECORD_STATUS] = status;
    words[ACCEL_RECORD_LAYER] = 1;
    words[ACCEL_RECORD_VERSION] = version;
    memcpy(f->memory + f->card.record, words, sizeof words);
}

static enum status get(struct fixture *f, struct error *err)
{
    return card_get_span(&f->card, f->memory, &f->batch.job, &f->span, err);
}

Test(card_span, layer_0_begins_with_the_embedding_of_the_reference)
{
    struct fixture *f = open_fixture(0, true);
    struct error err;
    float_mode_set();
    memset(f->batch.hidden_sums, 0, sizeof f->batch.hidden_sums); /* nobody reads them */
    cr_assert_eq(put(f, true, &err), STATUS_OK, "%s", err.message);
    for (uint32_t seq = 0, row = 0; seq < 3; seq++)
        for (uint32_t token = 0; token < lengths[seq]; token++, row++) {
            float expected[HIDDEN];
            cr_assert(ref_embed(expected, f->image, f->batch.ids[row], token, f->batch.type_ids[row]));
            cr_assert_eq(memcmp(f->memory + f->card.rows + row * sizeof expected, expected, sizeof expected), 0);
        }
    close_fixture(f);
}

Test(card_span, sums_are_checked_and_left)
{
    struct fixture *f = open_fixture(1, true);
    struct error err;
    cr_assert_eq(put(f, true, &err), STATUS_OK, "%s", err.message);
    f->batch.job.hidden[40 * HIDDEN + 3] += 1;
    cr_assert_eq(put(f, true, &err), STATUS_BACKEND);
    cr_assert(strstr(err.message, "checksum of the hidden state before layer 1, row 40"), "%s", err.message);
    cr_assert_eq(put(f, false, &err), STATUS_OK);
    for (uint32_t i = 0; i < 62 * HIDDEN; i++)
        ((float *)(f->memory + f->card.rows))[i] = (float)(2 * i);
    write_record(f, ACCEL_ENGINE_OK, ACCEL_ENGINE_VERSION);
    cr_assert_eq(get(f, &err), STATUS_OK);
    for (uint32_t r = 0; r < 62; r++) {
        cr_assert_eq(f->batch.job.hidden[r * HIDDEN + 1], (float)(2 * (r * HIDDEN + 1)));
        cr_assert_eq(f->batch.hidden_sums[r], ref_sum_bits(f->batch.job.hidden + r * HIDDEN, HIDDEN));
    }
    close_fixture(f);
}

Test(card_span, records_are_looked_at)
{
    static const struct {
        uint32_t status, version;
        const char *words;
    } cases[] = {{ACCEL_ENGINE_BAD_COMMAND, ACCEL_ENGINE_VERSION, "layer 2, rows 0 to 62: the command is malformed"},
                 {ACCEL_ENGINE_BUS, ACCEL_ENGINE_VERSION, "the memory answered with an error"},
                 {ACCEL_ENGINE_CHECKSUM, ACCEL_ENGINE_VERSION, "a checksum of a product is wrong"},
                 {ACCEL_ENGINE_NOT_FINITE, ACCEL_ENGINE_VERSION, "a value is not finite"},
                 {77, ACCEL_ENGINE_VERSION, "unknown status"},
                 {ACCEL_ENGINE_OK, 1, "the engine on the card has version 1; this program was written for"}};
    struct fixture *f = open_fixture(1, false);
    struct error err;
    write_record(f, ACCEL_ENGINE_OK, ACCEL_ENGINE_VERSION); /* of a list before */
    cr_assert_eq(put(f, true, &err), STATUS_OK);
    cr_assert_eq(get(f, &err), STATUS_BACKEND);
    cr_assert(strstr(err.message, "there is no record of how it ended"), "%s", err.message);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_record(f, cases[i].status, cases[i].version);
        cr_assert_eq(get(f, &err), STATUS_BACKEND);
        cr_assert(strstr(err.message, cases[i].words), "%s", err.message);
        cr_assert_eq(f->batch.job.hidden[5], 5.0f, "nothing is taken");
    }
    close_fixture(f);
}

Test(card_span, values_that_are_not_finite_go_nowhere)
{
    struct fixture *f = open_fixture(0, true);
    struct error err;
    float_mode_set();
    ((float *)f->image->word_embeddings)[f->batch.ids[7] * HIDDEN] = 3e38f;
    ((float *)f->image->word_embeddings)[f->batch.ids[7] * HIDDEN + 1] = -3e38f;
    cr_assert_eq(put(f, true, &err), STATUS_BACKEND);
    cr_assert(strstr(err.message, "a value is not finite"), "%s", err.message);
    close_fixture(f);
}
