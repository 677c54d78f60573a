/* A command as the engine reads it from card memory: bertd_command_decode and bertd_layout in C. */
#ifndef BERTD_ACCEL_DEVICE_COMMAND_H
#define BERTD_ACCEL_DEVICE_COMMAND_H

#include "accel/board.h"
#include "accel/card/card.h"

struct device_command {
    enum board_task_kind kind;
    struct image_shape shape; /* but for the embedding's sizes */
    uint32_t head_dim;
    uint32_t layers;         /* from the first on */
    struct card_layer first; /* on the card's bus, as all addresses here */
    uint64_t layer_stride;
    uint64_t rows_address, keys, values, key_scales, value_scales;
    uint32_t row_begin, rows;
    uint32_t n_seqs;
    uint32_t cu_seqlens[CARD_MAX_SEQUENCES + 1];
};

/** `words` as they lie in memory. False: the engine cannot carry it out; `ret` is garbage. */
bool device_command_decode(struct device_command *ret, const uint32_t words[ACCEL_COMMAND_BYTES / 4]);
/** Blocks of keys and values of its sequences. */
uint32_t device_command_blocks(const struct device_command *command);

#endif
