/* What lies in a card's memory and how the engine is told about it: model images packed as the engine reads them, rows,
 * keys and values, command lists. Plain C, no simulation: a driver of real cards would do the same. Private to
 * accel/sim and tests/rtl.
 */
#ifndef BERTD_ACCEL_SIM_CARD_H
#define BERTD_ACCEL_SIM_CARD_H

#include "accel/board.h"
#include "accel_constants.h"

enum { SIM_MAX_TOKENS = 512 }; /* of a sequence, bertd_pkg::MAX_TOKENS */

/** Addresses of one layer, each a multiple of 64. A linear is a run of panels, the last of them its check panel; a
 * panel is a beat of scales, a beat of biases, then a beat per 4 inputs. */
struct sim_card_layer {
    uint64_t kv, q, output, ffn1, ffn2;   /* linears */
    uint64_t attention_norm, output_norm; /* gamma and beta in turn, 16 of each */
};

/** The memory map of a card for one image and rows of one sequence at a time. */
struct sim_card {
    const struct image *image;
    uint32_t layer_begin, layer_end;
    struct sim_card_layer *layers;                   /* [layer_end - layer_begin] */
    uint64_t rows;                                   /* [SIM_MAX_TOKENS][hidden] binary32 */
    uint64_t keys, values, key_scales, value_scales; /* one sequence's, in board_kv's layout, from block 0 on */
    uint64_t list;                                   /* a command a layer */
    uint64_t size;                                   /* bytes in all */
};

/** Lay out; nothing is written yet. Errors: UNSUPPORTED (a shape the engine cannot do, named), NO_MEMORY. */
enum status sim_card_init(struct sim_card *card, const struct image *image, uint32_t layer_begin, uint32_t layer_end,
                          struct error *err);
void sim_card_finish(struct sim_card *card);
/** Write the weights into `memory` [card->size], zeroed by the caller. */
void sim_card_fill(const struct sim_card *card, void *memory);

/** One command: layer `layer` over rows [row_begin, row_begin + rows) of a sequence of `tokens`. */
struct sim_command {
    enum board_task_kind kind;
    uint32_t layer;
    uint32_t tokens, row_begin, rows;
    bool load, store;
};
/** Write a command into the list's place `index` (below the number of layers). */
void sim_card_command(const struct sim_card *card, void *memory, uint32_t index, const struct sim_command *command);

/** Copy keys, values and scales of sequence `seq`, tokens [begin, end), between set `set` of `kv` and the card. */
void sim_card_put_kv(const struct sim_card *card, void *memory, const struct board_kv *kv, uint32_t set, uint32_t seq,
                     uint32_t begin, uint32_t end);
void sim_card_get_kv(const struct sim_card *card, const void *memory, const struct board_kv *kv, uint32_t set,
                     uint32_t seq, uint32_t begin, uint32_t end);

#endif
