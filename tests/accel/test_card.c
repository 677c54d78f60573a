/* What drivers of cards share, on a piece of memory that stands for a card's: the map, the weights as the engine reads
 * them, commands, and a job's rows, keys and values. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "accel/card/card.h"
#include "tests/accel/tiny.h"

enum { SHAPE = 2 /* of tiny_shapes: 64 wide, 3 layers, 2 heads of 32 */, BEAT = 64 };
static const uint32_t lengths[] = {5, 37, 0};

struct fixture {
    struct image *image;
    struct card card;
    unsigned char *memory; /* [card.size], zeroed */
};

static struct fixture open_card(uint32_t layer_begin, uint32_t layer_end)
{
    struct fixture f = {.image = tiny_image(&tiny_shapes[SHAPE], IMAGE_INT8, 3)};
    struct error err = {0};
    cr_assert_eq(card_init(&f.card, f.image, layer_begin, layer_end, &err), STATUS_OK, "%s", err.message);
    f.memory = calloc(1, f.card.size);
    cr_assert_not_null(f.memory);
    return f;
}

static void close_card(struct fixture *f)
{
    free(f->memory);
    image_release(&f->image);
}

/* The map ---------------------------------------------------------------------------------------------------------- */

struct region {
    uint64_t begin, bytes;
};

static int compare(const void *a, const void *b)
{
    const struct region *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Of a linear's outputs with their check panel. */
static uint64_t linear_bytes(uint32_t in, uint32_t outputs)
{
    return (uint64_t)BEAT * (2 + in / IMAGE_GROUP) * (outputs / IMAGE_PANEL + 1);
}

static struct card_layer layer_at(const struct card *card, uint32_t index)
{
    const uint64_t offset = index * card->layer_stride;
    struct card_layer at = card->first;
    at.kv += offset;
    at.q += offset;
    at.output += offset;
    at.ffn1 += offset;
    at.ffn2 += offset;
    at.attention_norm += offset;
    at.output_norm += offset;
    return at;
}

Test(card, nothing_overlaps)
{
    struct fixture f = open_card(1, 3);
    const struct image_shape *s = &f.image->shape;
    const uint64_t tokens = (uint64_t)CARD_MAX_BLOCKS * IMAGE_PANEL * s->heads;
    struct region regions[32] = {{f.card.rows, (uint64_t)CARD_MAX_TOKENS * s->hidden * sizeof(float)},
                                 {f.card.keys, tokens * f.image->head_dim_padded},
                                 {f.card.values, tokens * f.image->head_dim_padded},
                                 {f.card.key_scales, tokens * sizeof(float)},
                                 {f.card.value_scales, tokens * sizeof(float)},
                                 {f.card.list, (uint64_t)CARD_MAX_COMMANDS * ACCEL_COMMAND_BYTES},
                                 {f.card.record, ACCEL_RECORD_BYTES}};
    size_t n = 7;
    for (uint32_t l = 0; l < 2; l++) {
        const struct card_layer at = layer_at(&f.card, l), *layer = &at;
        regions[n++] = (struct region){layer->kv, linear_bytes(s->hidden, 2 * s->hidden)};
        regions[n++] = (struct region){layer->q, linear_bytes(s->hidden, s->hidden)};
        regions[n++] = (struct region){layer->output, linear_bytes(s->hidden, s->hidden)};
        regions[n++] = (struct region){layer->ffn1, linear_bytes(s->hidden, s->intermediate)};
        regions[n++] = (struct region){layer->ffn2, linear_bytes(s->intermediate, s->hidden)};
        regions[n++] = (struct region){layer->attention_norm, 2 * s->hidden * sizeof(float)};
        regions[n++] = (struct region){layer->output_norm, 2 * s->hidden * sizeof(float)};
    }
    qsort(regions, n, sizeof *regions, compare);
    cr_assert_gt(regions[0].begin, 0);
    cr_assert_eq(regions[14].begin, f.card.work, "weights and norms of two layers lie before the rest");
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(regions[i].begin % 4096, 0);
        uint64_t next = i + 1 < n ? regions[i + 1].begin : f.card.size;
        cr_assert_leq(regions[i].begin + regions[i].bytes, next, "region %zu at %llu", i,
                      (unsigned long long)regions[i].begin);
    }
    close_card(&f);
}

static void expect_refused(struct image *image, const char *words)
{
    struct card card = {.size = 99};
    struct error err = {0};
    cr_assert_eq(card_init(&card, image, 0, image->shape.layers, &err), STATUS_UNSUPPORTED, "%s", words);
    cr_assert_not_null(strstr(err.message, words), "%s", err.message);
    cr_assert_eq(card.size, 99);
    image_release(&image);
}

Test(card, refuses_what_the_engine_does_not_take)
{
    struct image_shape shape = tiny_shapes[SHAPE];
    expect_refused(tiny_image(&shape, IMAGE_FP32, 1), "int8");
    shape.hidden = 16;
    shape.heads = 1;
    expect_refused(tiny_image(&shape, IMAGE_INT8, 1), "hidden sizes");
    shape.hidden = 72;
    expect_refused(tiny_image(&shape, IMAGE_INT8, 1), "hidden sizes");
    shape.hidden = 1040;
    expect_refused(tiny_image(&shape, IMAGE_INT8, 1), "hidden sizes");
    shape.hidden = 64;
    shape.heads = 4;
    expect_refused(tiny_image(&shape, IMAGE_INT8, 1), "heads of 32 or 64, not 16");
    shape.heads = 2;
    shape.intermediate = 100;
    expect_refused(tiny_image(&shape, IMAGE_INT8, 1), "intermediate sizes");
    shape.intermediate = 4112;
    expect_refused(tiny_image(&shape, IMAGE_INT8, 1), "intermediate sizes");
}

/* Weights ---------------------------------------------------------------------------------------------------------- */

static float real_at(const unsigned char *at)
{
    float value;
    memcpy(&value, at, sizeof value);
    return value;
}

static int8_t weight_at(const unsigned char *panel, uint32_t output, uint32_t input)
{
    return (int8_t)panel[2 * BEAT + (input / IMAGE_GROUP * IMAGE_PANEL + output) * IMAGE_GROUP + input % IMAGE_GROUP];
}

/* Outputs [first, first + n) of a linear at this address: scales, biases, weights, and a panel whose digits come to the
 * sums of each input's weights, each times its output's factor, and that has the inputs' factors. */
static void expect_run(const struct fixture *f, uint64_t address, const struct image_linear *linear, uint32_t first,
                       uint32_t n)
{
    const size_t panel_bytes = BEAT * (2 + linear->in / IMAGE_GROUP);
    const unsigned char *begin = f->memory + address, *check = begin + n / IMAGE_PANEL * panel_bytes;
    for (uint32_t i = 0; i < linear->in; i++) {
        int32_t sum = 0, digits = 0;
        for (uint32_t o = 0; o < n; o++) {
            int8_t weight = weight_at(begin + o / IMAGE_PANEL * panel_bytes, o % IMAGE_PANEL, i);
            cr_assert_eq(weight, image_weight(linear, first + o, i), "output %u, input %u", first + o, i);
            sum += (int32_t)(2 * (o % IMAGE_PANEL) + 1) * weight;
        }
        for (uint32_t digit = 4; digit-- > 0;)
            digits = digits * 256 + weight_at(check, digit, i);
        cr_assert_eq(digits, sum, "input %u: %d, not %d", i, digits, sum);
        cr_assert_eq(weight_at(check, 4, i), (int)(2 * (i % IMAGE_PANEL) + 1), "factor of input %u", i);
    }
    for (uint32_t o = 0; o < n; o++) {
        const unsigned char *panel = begin + o / IMAGE_PANEL * panel_bytes;
        cr_assert_eq(real_at(panel + o % IMAGE_PANEL * sizeof(float)), linear->scales[first + o]);
        cr_assert_eq(real_at(panel + BEAT + o % IMAGE_PANEL * sizeof(float)), linear->bias[first + o]);
    }
}

static void expect_norm(const struct fixture *f, uint64_t address, const struct image_norm *norm)
{
    for (uint32_t i = 0; i < f->image->shape.hidden; i++) {
        const unsigned char *at = f->memory + address + i / 16 * 2 * BEAT + i % 16 * sizeof(float);
        cr_assert_eq(real_at(at), norm->gamma[i]);
        cr_assert_eq(real_at(at + BEAT), norm->beta[i]);
    }
}

Test(card, weights_lie_as_the_engine_reads_them)
{
    struct fixture f = open_card(1, 3);
    const uint32_t hidden = f.image->shape.hidden;
    card_fill(&f.card, f.memory);
    for (uint32_t l = 0; l < 2; l++) {
        const struct image_layer *layer = &f.image->layers[1 + l];
        const struct card_layer lies = layer_at(&f.card, l), *at = &lies;
        expect_run(&f, at->q, &layer->qkv, 0, hidden);
        expect_run(&f, at->kv, &layer->qkv, image_qkv_offset(f.image, 1), 2 * hidden);
        expect_run(&f, at->output, &layer->output, 0, hidden);
        expect_run(&f, at->ffn1, &layer->ffn1, 0, layer->ffn1.out);
        expect_run(&f, at->ffn2, &layer->ffn2, 0, hidden);
        expect_norm(&f, at->attention_norm, &layer->attention_norm);
        expect_norm(&f, at->output_norm, &layer->output_norm);
    }
    close_card(&f);
}

/* Commands --------------------------------------------------------------------------------------------------------- */

static uint64_t address_at(const uint32_t *words, uint32_t at)
{
    return words[at] | (uint64_t)words[at + 1] << 32;
}

/* The words of a command in place 1 of the list; nothing else is written. */
static void put_command(struct fixture *f, const struct card_command *command, uint32_t *ret_words)
{
    memset(f->memory, 0, f->card.size);
    card_put_command(&f->card, f->memory, 1, command);
    uint64_t begin = f->card.list + ACCEL_COMMAND_BYTES;
    memcpy(ret_words, f->memory + begin, ACCEL_COMMAND_BYTES);
    for (size_t i = 0; i < f->card.size; i++)
        cr_assert(f->memory[i] == 0 || (i >= begin && i < begin + ACCEL_COMMAND_BYTES), "byte %zu is written", i);
}

static void expect_layer(const uint32_t *words, const struct card_layer *layer)
{
    cr_assert_eq(address_at(words, ACCEL_WORD_WEIGHTS_KV), layer->kv);
    cr_assert_eq(address_at(words, ACCEL_WORD_WEIGHTS_Q), layer->q);
    cr_assert_eq(address_at(words, ACCEL_WORD_WEIGHTS_OUTPUT), layer->output);
    cr_assert_eq(address_at(words, ACCEL_WORD_WEIGHTS_FFN1), layer->ffn1);
    cr_assert_eq(address_at(words, ACCEL_WORD_WEIGHTS_FFN2), layer->ffn2);
    cr_assert_eq(address_at(words, ACCEL_WORD_ATTENTION_NORM), layer->attention_norm);
    cr_assert_eq(address_at(words, ACCEL_WORD_OUTPUT_NORM), layer->output_norm);
}

static void expect_segments(const uint32_t *words, const uint16_t *segments, size_t n)
{
    uint16_t there[ACCEL_COMMAND_SEGMENTS];
    memcpy(there, words + ACCEL_WORD_SEGMENTS, sizeof there);
    for (size_t i = 0; i < ACCEL_COMMAND_SEGMENTS; i++)
        cr_assert_eq(there[i], i < n ? segments[i] : 0, "segment %zu", i);
}

Test(card, commands_for_parts_of_a_sequence)
{
    static const struct {
        enum board_task_kind kind;
        uint32_t opcode;
    } cases[] = {{BOARD_PROJECT, ACCEL_OPCODE_PROJECT}, {BOARD_FINISH, ACCEL_OPCODE_FINISH}};
    static const uint32_t cu_seqlens[] = {5, 46};
    struct fixture f = open_card(1, 3);
    const struct image_shape *shape = &f.image->shape;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const struct card_command command = {cases[c].kind, 2, 3, cu_seqlens, 1, 7, 37};
        uint32_t words[ACCEL_COMMAND_BYTES / 4];
        put_command(&f, &command, words);
        cr_assert_eq(words[ACCEL_WORD_OPCODE], (uint32_t)ACCEL_OPCODE_MAGIC | cases[c].opcode);
        cr_assert_eq(words[ACCEL_WORD_LAYERS], 1);
        cr_assert_eq(words[ACCEL_WORD_HIDDEN], shape->hidden);
        cr_assert_eq(words[ACCEL_WORD_INTERMEDIATE], shape->intermediate);
        cr_assert_eq(words[ACCEL_WORD_HEADS], shape->heads);
        cr_assert_eq(words[ACCEL_WORD_HEAD_DIM], 32);
        cr_assert_eq(words[ACCEL_WORD_ROW_BEGIN], 7);
        cr_assert_eq(words[ACCEL_WORD_ROWS], 30);
        cr_assert_eq(words[ACCEL_WORD_ACTIVATION], (uint32_t)shape->activation);
        cr_assert_eq(real_at((unsigned char *)&words[ACCEL_WORD_EPS]), shape->layer_norm_eps);
        cr_assert_eq(real_at((unsigned char *)&words[ACCEL_WORD_INV_HIDDEN]), 1.0f / 64);
        cr_assert_eq(address_at(words, ACCEL_WORD_ROWS_ADDRESS), f.card.rows + (uint64_t)7 * 64 * sizeof(float));
        cr_assert_eq(address_at(words, ACCEL_WORD_KEYS), f.card.keys);
        cr_assert_eq(address_at(words, ACCEL_WORD_VALUES), f.card.values);
        cr_assert_eq(address_at(words, ACCEL_WORD_KEY_SCALES), f.card.key_scales);
        cr_assert_eq(address_at(words, ACCEL_WORD_VALUE_SCALES), f.card.value_scales);
        const struct card_layer layer = layer_at(&f.card, 1);
        expect_layer(words, &layer);
        expect_segments(words, (const uint16_t[]){41}, 1);
    }
    close_card(&f);
}

Test(card, commands_for_layers_of_a_batch)
{
    static const uint32_t cu_seqlens[] = {3, 8, 9, 41};
    struct fixture f = open_card(1, 3);
    const struct card_command command = {BOARD_RUN, 1, 3, cu_seqlens, 3, 0, 0};
    uint32_t words[ACCEL_COMMAND_BYTES / 4];
    put_command(&f, &command, words);
    cr_assert_eq(words[ACCEL_WORD_OPCODE], (uint32_t)ACCEL_OPCODE_MAGIC | ACCEL_OPCODE_RUN);
    cr_assert_eq(words[ACCEL_WORD_LAYERS], 2);
    cr_assert_eq(words[ACCEL_WORD_ROW_BEGIN], 0);
    cr_assert_eq(words[ACCEL_WORD_ROWS], 38);
    cr_assert_eq(address_at(words, ACCEL_WORD_ROWS_ADDRESS), f.card.rows);
    cr_assert_eq(address_at(words, ACCEL_WORD_LAYER_STRIDE), f.card.layer_stride);
    expect_layer(words, &f.card.first);
    expect_segments(words, (const uint16_t[]){5, 1, 32}, 3);
    close_card(&f);
}

Test(card, as_many_sequences_as_a_command_takes)
{
    static const uint32_t full[] = {0, 509, 512, 513}, most[] = {0, 512, 513}, longer[] = {0, 4, 517};
    uint32_t many[CARD_MAX_SEQUENCES + 2];
    for (uint32_t i = 0; i < CARD_MAX_SEQUENCES + 2; i++)
        many[i] = i;
    cr_assert_eq(card_sequences(full, 0, 3), 1, "509 fill up 512 rows");
    cr_assert_eq(card_sequences(full, 1, 3), 2);
    cr_assert_eq(card_sequences(most, 0, 2), 1);
    cr_assert_eq(card_sequences(longer, 0, 2), 1);
    cr_assert_eq(card_sequences(longer, 1, 2), 0);
    cr_assert_eq(card_sequences(many, 0, CARD_MAX_SEQUENCES + 1), CARD_MAX_SEQUENCES);
    cr_assert_eq(card_sequences(many, 3, 7), 4);
}

Test(card, commands_have_addresses_of_the_bus)
{
    static const uint32_t cu_seqlens[] = {0, 5},
                          moved[] = {ACCEL_WORD_ROWS_ADDRESS, ACCEL_WORD_KEYS,           ACCEL_WORD_VALUES,
                                     ACCEL_WORD_KEY_SCALES,   ACCEL_WORD_VALUE_SCALES,   ACCEL_WORD_WEIGHTS_KV,
                                     ACCEL_WORD_WEIGHTS_Q,    ACCEL_WORD_WEIGHTS_OUTPUT, ACCEL_WORD_WEIGHTS_FFN1,
                                     ACCEL_WORD_WEIGHTS_FFN2, ACCEL_WORD_ATTENTION_NORM, ACCEL_WORD_OUTPUT_NORM};
    const uint64_t base = (uint64_t)5 << 32 | 0xfffff000;
    struct fixture f = open_card(0, 2);
    const struct card_command command = {BOARD_RUN, 0, 2, cu_seqlens, 1, 0, 0};
    uint32_t expected[ACCEL_COMMAND_BYTES / 4], words[ACCEL_COMMAND_BYTES / 4];
    put_command(&f, &command, expected);
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
        uint64_t address = address_at(expected, moved[i]) + base;
        expected[moved[i]] = (uint32_t)address;
        expected[moved[i] + 1] = (uint32_t)(address >> 32);
    }
    f.card.base = base;
    put_command(&f, &command, words);
    cr_assert_eq(memcmp(words, expected, sizeof words), 0);
    f.card.work_shift = 0 - base; /* where it works, and nothing else, lies at its place again */
    put_command(&f, &command, words);
    f.card.base = f.card.work_shift = 0;
    put_command(&f, &command, expected);
    cr_assert_eq(address_at(words, ACCEL_WORD_ROWS_ADDRESS), address_at(expected, ACCEL_WORD_ROWS_ADDRESS));
    cr_assert_eq(address_at(words, ACCEL_WORD_KEY_SCALES), address_at(expected, ACCEL_WORD_KEY_SCALES));
    cr_assert_eq(address_at(words, ACCEL_WORD_WEIGHTS_Q), address_at(expected, ACCEL_WORD_WEIGHTS_Q) + base);
    close_card(&f);
}

/* Records ---------------------------------------------------------------------------------------------------------- */

Test(card, a_record_is_what_the_engine_wrote)
{
    struct fixture f = open_card(0, 1);
    struct card_record record = {.status = 99};
    cr_assert_not(card_get_record(&f.card, f.memory, &record));
    cr_assert_eq(record.status, 99, "untouched");
    uint32_t words[ACCEL_RECORD_BYTES / 4];
    for (uint32_t i = 0; i < ACCEL_RECORD_BYTES / 4; i++)
        words[i] = 100 + i;
    words[ACCEL_RECORD_WRITTEN] = (uint32_t)ACCEL_RECORD_MAGIC;
    words[ACCEL_RECORD_GEOMETRY] = 2u << 16 | 64;
    memcpy(f.memory + f.card.record, words, sizeof words);
    cr_assert(card_get_record(&f.card, f.memory, &record));
    cr_assert_eq(record.status, words[ACCEL_RECORD_STATUS]);
    cr_assert_eq(record.failed, words[ACCEL_RECORD_FAILED]);
    cr_assert_eq(record.layer, words[ACCEL_RECORD_LAYER]);
    cr_assert_eq(record.seen, words[ACCEL_RECORD_SEEN]);
    cr_assert_eq(record.version, words[ACCEL_RECORD_VERSION]);
    cr_assert_eq(record.rows, 64);
    cr_assert_eq(record.slices, 2);
    cr_assert_eq(record.counters.cycles, address_at(words, ACCEL_RECORD_COUNTERS));
    cr_assert_eq(record.counters.beats_written, address_at(words, ACCEL_RECORD_COUNTERS + 14));
    card_clear_record(&f.card, f.memory);
    cr_assert_not(card_get_record(&f.card, f.memory, &record));
    for (size_t i = 0; i < f.card.size; i++)
        cr_assert_eq(f.memory[i], 0, "byte %zu is left", i);
    close_card(&f);
}

/* A job's rows, keys and values ------------------------------------------------------------------------------------ */

Test(card, rows_there_and_back)
{
    struct fixture f = open_card(0, 1);
    enum { BEGIN = 3, END = 9, HIDDEN = 64 };
    float rows[END - BEGIN][HIDDEN], back[END - BEGIN][HIDDEN] = {{0}};
    for (uint32_t r = 0; r < END - BEGIN; r++)
        for (uint32_t i = 0; i < HIDDEN; i++)
            rows[r][i] = (float)(r * HIDDEN + i + 1);
    card_put_rows(&f.card, f.memory, rows[0], BEGIN, END);
    for (uint32_t token = 0; token < CARD_MAX_TOKENS; token++)
        for (uint32_t i = 0; i < HIDDEN; i++) {
            float there = real_at(f.memory + f.card.rows + (token * HIDDEN + i) * sizeof(float));
            cr_assert_eq(there, token < BEGIN || token >= END ? 0 : rows[token - BEGIN][i], "token %u", token);
        }
    card_get_rows(&f.card, f.memory, back[0], BEGIN, END);
    cr_assert_eq(memcmp(back, rows, sizeof rows), 0);
    close_card(&f);
}

/* Random keys, values and scales. */
static void fill_kv(struct tiny_batch *batch, uint64_t random)
{
    const size_t size = board_kv_size(batch->job.image, batch->job.cu_seqlens, batch->job.n_seqs);
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)batch->kv_memory)[i] =
            (unsigned char)((tiny_random(&random) >> 30 & 0x3f) | 1); /* finite, not 0 */
}

Test(card, keys_and_values_there_and_back)
{
    enum { SEQ = 1, BEGIN = 5, END = 35, SET = 1 };
    struct fixture f = open_card(0, 1);
    struct tiny_batch from, to;
    tiny_batch_init(&from, f.image, lengths, 1);
    tiny_batch_init(&to, f.image, lengths, 1);
    tiny_batch_add_kv(&from);
    tiny_batch_add_kv(&to);
    fill_kv(&from, 77);
    card_put_kv(&f.card, f.memory, &from.kv, SET, SEQ, BEGIN, END);
    card_get_kv(&f.card, f.memory, &to.kv, SET, SEQ, BEGIN, END);
    const uint32_t heads = f.image->shape.heads, dim = f.image->head_dim_padded;
    for (uint32_t token = 0; token < lengths[SEQ]; token++)
        for (uint32_t h = 0; h < heads; h++) {
            const bool copied = token >= BEGIN && token < END;
            const uint32_t t = token % IMAGE_PANEL;
            const size_t block = (size_t)from.block_begin[SEQ] + token / IMAGE_PANEL;
            const size_t scale = (block * heads + h) * IMAGE_PANEL + t, begin = (block * heads + h) * IMAGE_PANEL * dim;
            cr_assert_eq(to.kv.key_scales[SET][scale] == from.kv.key_scales[SET][scale], copied, "token %u", token);
            cr_assert_eq(to.kv.value_scales[SET][scale] == from.kv.value_scales[SET][scale], copied, "token %u", token);
            for (uint32_t d = 0; d < dim; d++) {
                size_t key = begin + (d / 4 * 16 + t) * 4 + d % 4;
                size_t value = begin + (d / 16 * 4 + t / 4) * 64 + d % 16 * 4 + t % 4;
                cr_assert_eq(to.kv.keys[SET][key], copied ? from.kv.keys[SET][key] : 0, "token %u", token);
                cr_assert_eq(to.kv.values[SET][value], copied ? from.kv.values[SET][value] : 0, "token %u", token);
            }
        }
    for (size_t i = 0; i < from.block_begin[2] * heads * IMAGE_PANEL * dim; i++)
        cr_assert(to.kv.keys[1 - SET][i] == 0 && to.kv.values[1 - SET][i] == 0, "the other set is left alone");
    tiny_batch_finish(&from);
    tiny_batch_finish(&to);
    close_card(&f);
}
