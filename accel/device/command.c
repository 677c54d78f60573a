#include "accel/device/command.h"

#include <string.h>

enum { BEAT = 64, MAX_LAYERS = 1024, MIN_HIDDEN = 32, MAX_HIDDEN = 1024, MAX_INTERMEDIATE = 4096, MAX_HEADS = 32 };

static uint64_t wide(const uint32_t *words, uint32_t at)
{
    return words[at] | (uint64_t)words[at + 1] << 32;
}

static float real(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static bool read_kind(struct device_command *command, uint32_t opcode)
{
    static const enum board_task_kind kinds[] = {
        [ACCEL_OPCODE_RUN] = BOARD_RUN, [ACCEL_OPCODE_PROJECT] = BOARD_PROJECT, [ACCEL_OPCODE_FINISH] = BOARD_FINISH};
    uint32_t kind = opcode & ACCEL_OPCODE_MASK;
    if (opcode - kind != (uint32_t)ACCEL_OPCODE_MAGIC || kind < ACCEL_OPCODE_RUN || kind > ACCEL_OPCODE_FINISH)
        return false;
    command->kind = kinds[kind];
    return true;
}

static bool read_shape(struct device_command *command, const uint32_t *words)
{
    struct image_shape *shape = &command->shape;
    *shape = (struct image_shape){.hidden = words[ACCEL_WORD_HIDDEN],
                                  .layers = words[ACCEL_WORD_LAYERS],
                                  .heads = words[ACCEL_WORD_HEADS],
                                  .intermediate = words[ACCEL_WORD_INTERMEDIATE],
                                  .activation = (enum image_activation)words[ACCEL_WORD_ACTIVATION],
                                  .layer_norm_eps = real(words[ACCEL_WORD_EPS])};
    command->layers = shape->layers;
    command->head_dim = words[ACCEL_WORD_HEAD_DIM];
    if (shape->layers == 0 || shape->layers > (command->kind == BOARD_RUN ? MAX_LAYERS : 1))
        return false;
    if (shape->hidden < MIN_HIDDEN || shape->hidden > MAX_HIDDEN || shape->hidden % IMAGE_PANEL)
        return false;
    if (shape->intermediate < IMAGE_PANEL || shape->intermediate > MAX_INTERMEDIATE ||
        shape->intermediate % IMAGE_PANEL)
        return false;
    if (shape->heads == 0 || shape->heads > MAX_HEADS || (command->head_dim != 32 && command->head_dim != 64))
        return false;
    /* The engine divides by whatever it is told; this one has only the width itself. */
    return shape->heads * command->head_dim == shape->hidden && words[ACCEL_WORD_ACTIVATION] <= IMAGE_RELU &&
           real(words[ACCEL_WORD_INV_HIDDEN]) == 1.0f / (float)shape->hidden;
}

static bool read_addresses(struct device_command *command, const uint32_t *words)
{
    command->rows_address = wide(words, ACCEL_WORD_ROWS_ADDRESS);
    command->keys = wide(words, ACCEL_WORD_KEYS);
    command->values = wide(words, ACCEL_WORD_VALUES);
    command->key_scales = wide(words, ACCEL_WORD_KEY_SCALES);
    command->value_scales = wide(words, ACCEL_WORD_VALUE_SCALES);
    command->layer_stride = wide(words, ACCEL_WORD_LAYER_STRIDE);
    command->first = (struct card_layer){.kv = wide(words, ACCEL_WORD_WEIGHTS_KV),
                                         .q = wide(words, ACCEL_WORD_WEIGHTS_Q),
                                         .output = wide(words, ACCEL_WORD_WEIGHTS_OUTPUT),
                                         .ffn1 = wide(words, ACCEL_WORD_WEIGHTS_FFN1),
                                         .ffn2 = wide(words, ACCEL_WORD_WEIGHTS_FFN2),
                                         .attention_norm = wide(words, ACCEL_WORD_ATTENTION_NORM),
                                         .output_norm = wide(words, ACCEL_WORD_OUTPUT_NORM)};
    const struct card_layer *first = &command->first;
    uint64_t any = command->rows_address | command->keys | command->values | command->key_scales |
                   command->value_scales | command->layer_stride | first->kv | first->q | first->output | first->ffn1 |
                   first->ffn2 | first->attention_norm | first->output_norm;
    return any % BEAT == 0;
}

/* Whole sequences one behind the other, or a part of one. */
static bool read_sequences(struct device_command *command, const uint32_t *words)
{
    uint16_t lengths[ACCEL_COMMAND_SEGMENTS];
    uint32_t filled = 0;
    memcpy(lengths, words + ACCEL_WORD_SEGMENTS, sizeof lengths);
    command->row_begin = words[ACCEL_WORD_ROW_BEGIN];
    command->rows = words[ACCEL_WORD_ROWS];
    command->n_seqs = 0;
    command->cu_seqlens[0] = 0;
    for (uint32_t s = 0; s < CARD_MAX_SEQUENCES && lengths[s]; s++) {
        filled += (uint32_t)(lengths[s] + CARD_ROW_GROUP - 1) / CARD_ROW_GROUP * CARD_ROW_GROUP;
        if (lengths[s] > CARD_MAX_TOKENS || filled > CARD_MAX_TOKENS)
            return false;
        command->cu_seqlens[++command->n_seqs] = command->cu_seqlens[s] + lengths[s];
    }
    const uint32_t tokens = command->cu_seqlens[command->n_seqs], begin = command->row_begin;
    if (command->kind == BOARD_RUN)
        return command->n_seqs > 0 && begin == 0 && command->rows == tokens;
    return command->n_seqs == 1 && command->rows > 0 && begin < tokens && command->rows <= tokens - begin;
}

bool device_command_decode(struct device_command *ret, const uint32_t words[ACCEL_COMMAND_BYTES / 4])
{
    return read_kind(ret, words[ACCEL_WORD_OPCODE]) && read_shape(ret, words) && read_addresses(ret, words) &&
           read_sequences(ret, words);
}

uint32_t device_command_blocks(const struct device_command *command)
{
    uint32_t blocks = 0;
    for (uint32_t s = 0; s < command->n_seqs; s++)
        blocks += (command->cu_seqlens[s + 1] - command->cu_seqlens[s] + IMAGE_PANEL - 1) / IMAGE_PANEL;
    return blocks;
}
