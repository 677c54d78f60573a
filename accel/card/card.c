#include "accel/card/card.h"

#include <string.h>

#include "base/round_up.h"

enum {
    BEAT = 64,
    PAGE = 4096,
    MIN_HIDDEN = 32,
    MAX_HIDDEN = 1024,
    MAX_INTERMEDIATE = 4096,
    MAX_HEADS = 32,
    CHECK_DIGITS = 4, /* first outputs of a check panel; the one behind them has the inputs' factors */
    PARAM_BEATS = 2
};

/* A run of a linear's outputs with a check panel of its own. */
struct run {
    const struct image_linear *linear;
    uint32_t first, outputs; /* multiples of IMAGE_PANEL */
};

static uint64_t panel_bytes(const struct image_linear *linear)
{
    return (uint64_t)BEAT * (PARAM_BEATS + linear->in_padded / IMAGE_GROUP);
}

static uint64_t run_bytes(const struct run *run)
{
    return panel_bytes(run->linear) * (run->outputs / IMAGE_PANEL + 1);
}

static uint64_t place(uint64_t *at, uint64_t bytes)
{
    uint64_t address = *at;
    *at += round_up(bytes, PAGE);
    return address;
}

static struct run kv_run(const struct image *image, const struct image_layer *layer)
{
    uint32_t begin = image_qkv_offset(image, 1);
    return (struct run){&layer->qkv, begin, image_qkv_offset(image, 3) - begin};
}

static struct run q_run(const struct image *image, const struct image_layer *layer)
{
    return (struct run){&layer->qkv, 0, image_qkv_offset(image, 1)};
}

static struct run whole_run(const struct image_linear *linear)
{
    return (struct run){linear, 0, linear->out_padded};
}

static enum status check_shape(const struct image *image, struct error *err)
{
    const struct image_shape *shape = &image->shape;
    if (image->precision != IMAGE_INT8)
        return error_set(err, STATUS_UNSUPPORTED, "the engine computes in int8; the model image is fp32");
    if (shape->hidden < MIN_HIDDEN || shape->hidden > MAX_HIDDEN || shape->hidden % IMAGE_PANEL)
        return error_set(err, STATUS_UNSUPPORTED,
                         "the engine takes hidden sizes that are multiples of %d from %d to %d, not %u", IMAGE_PANEL,
                         MIN_HIDDEN, MAX_HIDDEN, shape->hidden);
    if (image->head_dim != 32 && image->head_dim != 64)
        return error_set(err, STATUS_UNSUPPORTED, "the engine takes heads of 32 or 64, not %u", image->head_dim);
    if (shape->heads > MAX_HEADS)
        return error_set(err, STATUS_UNSUPPORTED, "the engine takes up to %d heads, not %u", MAX_HEADS, shape->heads);
    if (shape->intermediate > MAX_INTERMEDIATE || shape->intermediate % IMAGE_PANEL)
        return error_set(err, STATUS_UNSUPPORTED,
                         "the engine takes intermediate sizes that are multiples of %d up to %d, not %u", IMAGE_PANEL,
                         MAX_INTERMEDIATE, shape->intermediate);
    return STATUS_OK;
}

/* Layers have the same sizes: the others lie as the first does. */
static void place_layer(struct card_layer *layer, const struct image *image, uint64_t *at)
{
    const struct image_layer *source = &image->layers[0];
    struct run kv = kv_run(image, source), q = q_run(image, source), output = whole_run(&source->output);
    struct run ffn1 = whole_run(&source->ffn1), ffn2 = whole_run(&source->ffn2);
    uint64_t norm = 2 * sizeof(float) * image->shape.hidden;
    layer->kv = place(at, run_bytes(&kv));
    layer->q = place(at, run_bytes(&q));
    layer->output = place(at, run_bytes(&output));
    layer->ffn1 = place(at, run_bytes(&ffn1));
    layer->ffn2 = place(at, run_bytes(&ffn2));
    layer->attention_norm = place(at, norm);
    layer->output_norm = place(at, norm);
}

enum status card_init(struct card *card, const struct image *image, uint32_t layer_begin, uint32_t layer_end,
                      struct error *err)
{
    enum status status = check_shape(image, err);
    if (status)
        return status;
    *card = (struct card){.image = image, .layer_begin = layer_begin, .layer_end = layer_end};
    uint64_t at = PAGE; /* nothing lies at 0 */
    place_layer(&card->first, image, &at);
    card->layer_stride = at - PAGE;
    at = PAGE + (layer_end - layer_begin) * card->layer_stride;
    uint64_t tokens = (uint64_t)CARD_MAX_BLOCKS * IMAGE_PANEL * image->shape.heads;
    card->work = at;
    card->list = place(&at, (uint64_t)CARD_MAX_COMMANDS * ACCEL_COMMAND_BYTES);
    card->record = place(&at, ACCEL_RECORD_BYTES);
    card->rows = place(&at, (uint64_t)CARD_MAX_TOKENS * image->shape.hidden * sizeof(float));
    card->keys = place(&at, tokens * image->head_dim_padded);
    card->values = place(&at, tokens * image->head_dim_padded);
    card->key_scales = place(&at, tokens * sizeof(float));
    card->value_scales = place(&at, tokens * sizeof(float));
    card->size = at;
    return STATUS_OK;
}

/* Weights --------------------------------------------------------------------------------------------------------- */

/* The sums of the weights' columns over a run, each weight times its output's factor, in four digits of base 256: what
 * the array multiplies the rows with to know what their outputs must come to. And the inputs' factors: what it
 * multiplies the rows with to know whether they are what the quantiser made. */
static void fill_check_panel(int8_t *weights, const struct run *run)
{
    for (uint32_t i = 0; i < run->linear->in; i++) {
        int8_t *input = weights + (size_t)(i / IMAGE_GROUP) * IMAGE_PANEL * IMAGE_GROUP + i % IMAGE_GROUP;
        int32_t sum = 0;
        for (uint32_t o = 0; o < run->outputs; o++)
            sum += card_check_factor(o) * image_weight(run->linear, run->first + o, i);
        for (uint32_t digit = 0; digit < CHECK_DIGITS; digit++) {
            int8_t low = (int8_t)(sum & 255);
            input[digit * IMAGE_GROUP] = low;
            sum = (sum - low) / 256;
        }
        input[CHECK_DIGITS * IMAGE_GROUP] = card_check_factor(i);
    }
}

static void fill_run(char *at, const struct run *run)
{
    const struct image_linear *linear = run->linear;
    size_t weights = (size_t)linear->in_padded * IMAGE_PANEL;
    for (uint32_t o = run->first; o < run->first + run->outputs; o += IMAGE_PANEL) {
        memcpy(at, linear->scales + o, BEAT);
        memcpy(at + BEAT, linear->bias + o, BEAT);
        memcpy(at + PARAM_BEATS * BEAT, linear->weights + (size_t)o * linear->in_padded, weights);
        at += panel_bytes(linear);
    }
    fill_check_panel((int8_t *)at + PARAM_BEATS * BEAT, run);
}

static void fill_norm(float *at, const struct image_norm *norm, uint32_t width)
{
    for (uint32_t i = 0; i < width; i += IMAGE_PANEL) {
        memcpy(at + 2 * (size_t)i, norm->gamma + i, BEAT);
        memcpy(at + 2 * (size_t)i + IMAGE_PANEL, norm->beta + i, BEAT);
    }
}

void card_fill(const struct card *card, void *memory)
{
    const struct image *image = card->image;
    const struct card_layer *layer = &card->first;
    for (uint32_t i = 0; i < card->layer_end - card->layer_begin; i++) {
        const struct image_layer *source = &image->layers[card->layer_begin + i];
        char *base = (char *)memory + i * card->layer_stride;
        struct run kv = kv_run(image, source), q = q_run(image, source), output = whole_run(&source->output);
        struct run ffn1 = whole_run(&source->ffn1), ffn2 = whole_run(&source->ffn2);
        fill_run(base + layer->kv, &kv);
        fill_run(base + layer->q, &q);
        fill_run(base + layer->output, &output);
        fill_run(base + layer->ffn1, &ffn1);
        fill_run(base + layer->ffn2, &ffn2);
        fill_norm((float *)(base + layer->attention_norm), &source->attention_norm, image->shape.hidden);
        fill_norm((float *)(base + layer->output_norm), &source->output_norm, image->shape.hidden);
    }
}

/* Commands -------------------------------------------------------------------------------------------------------- */

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void put_wide(uint32_t *words, uint32_t at, uint64_t value)
{
    words[at] = (uint32_t)value;
    words[at + 1] = (uint32_t)(value >> 32);
}

uint32_t card_sequences(const uint32_t *cu_seqlens, uint32_t begin, uint32_t end)
{
    uint32_t n = 0, rows = 0;
    while (n < CARD_MAX_SEQUENCES && begin + n < end) {
        uint32_t tokens = cu_seqlens[begin + n + 1] - cu_seqlens[begin + n];
        if (tokens > CARD_MAX_TOKENS - rows)
            break;
        rows += (uint32_t)round_up(tokens, CARD_ROW_GROUP);
        n++;
    }
    return n;
}

/* `offset` is where the layer lies behind the first, on the card's bus. */
static void put_weights(uint32_t *words, const struct card_layer *first, uint64_t offset)
{
    put_wide(words, ACCEL_WORD_WEIGHTS_KV, first->kv + offset);
    put_wide(words, ACCEL_WORD_WEIGHTS_Q, first->q + offset);
    put_wide(words, ACCEL_WORD_WEIGHTS_OUTPUT, first->output + offset);
    put_wide(words, ACCEL_WORD_WEIGHTS_FFN1, first->ffn1 + offset);
    put_wide(words, ACCEL_WORD_WEIGHTS_FFN2, first->ffn2 + offset);
    put_wide(words, ACCEL_WORD_ATTENTION_NORM, first->attention_norm + offset);
    put_wide(words, ACCEL_WORD_OUTPUT_NORM, first->output_norm + offset);
}

/* Tokens of each sequence, 16 bits, behind the last one a 0. */
static void put_segments(uint32_t *words, const struct card_command *command)
{
    uint16_t segments[ACCEL_COMMAND_SEGMENTS] = {0};
    for (uint32_t s = 0; s < command->n_seqs; s++)
        segments[s] = (uint16_t)(command->cu_seqlens[s + 1] - command->cu_seqlens[s]);
    memcpy(words + ACCEL_WORD_SEGMENTS, segments, sizeof segments);
}

void card_put_command(const struct card *card, void *memory, uint32_t index, const struct card_command *command)
{
    static const uint32_t opcodes[] = {ACCEL_OPCODE_RUN, ACCEL_OPCODE_PROJECT, ACCEL_OPCODE_FINISH};
    const struct image_shape *shape = &card->image->shape;
    bool whole = command->kind == BOARD_RUN;
    uint32_t begin = whole ? 0 : command->begin;
    uint32_t end = whole ? command->cu_seqlens[command->n_seqs] - command->cu_seqlens[0] : command->end;
    uint32_t words[ACCEL_COMMAND_BYTES / 4] = {0};
    words[ACCEL_WORD_OPCODE] = (uint32_t)ACCEL_OPCODE_MAGIC | opcodes[command->kind];
    words[ACCEL_WORD_LAYERS] = command->layer_end - command->layer_begin;
    words[ACCEL_WORD_HIDDEN] = shape->hidden;
    words[ACCEL_WORD_INTERMEDIATE] = shape->intermediate;
    words[ACCEL_WORD_HEADS] = shape->heads;
    words[ACCEL_WORD_HEAD_DIM] = card->image->head_dim;
    words[ACCEL_WORD_ROW_BEGIN] = begin;
    words[ACCEL_WORD_ROWS] = end - begin;
    words[ACCEL_WORD_ACTIVATION] = (uint32_t)shape->activation;
    words[ACCEL_WORD_EPS] = bits_of(shape->layer_norm_eps);
    words[ACCEL_WORD_INV_HIDDEN] = bits_of(1.0f / (float)shape->hidden);
    uint64_t work = card->base + card->work_shift;
    put_wide(words, ACCEL_WORD_ROWS_ADDRESS, work + card->rows + (uint64_t)begin * shape->hidden * sizeof(float));
    put_wide(words, ACCEL_WORD_KEYS, work + card->keys);
    put_wide(words, ACCEL_WORD_VALUES, work + card->values);
    put_wide(words, ACCEL_WORD_KEY_SCALES, work + card->key_scales);
    put_wide(words, ACCEL_WORD_VALUE_SCALES, work + card->value_scales);
    put_wide(words, ACCEL_WORD_LAYER_STRIDE, card->layer_stride);
    put_weights(words, &card->first, card->base + (command->layer_begin - card->layer_begin) * card->layer_stride);
    put_segments(words, command);
    memcpy((char *)memory + card->list + (size_t)index * ACCEL_COMMAND_BYTES, words, sizeof words);
}
