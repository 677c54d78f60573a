/* What lies in a card's memory and how its engine (accel/rtl) is told about it: what every driver of a card shares. A
 * model image packed as the engine reads it, the rows, keys and values of a job, and lists of commands. Nothing here
 * knows how the memory is reached: `memory` is [card->size] bytes that the driver maps, simulates or copies.
 *
 * Thread: one at a time for a memory; a card that is laid out is only read.
 */
#ifndef BERTD_ACCEL_CARD_H
#define BERTD_ACCEL_CARD_H

#include "accel/board.h"
#include "accel_constants.h"

enum { CARD_MAX_TOKENS = 512 }; /* of a sequence: bertd_pkg::MAX_TOKENS */

/** Addresses of one layer, each a multiple of 64. A linear is a run of panels, the last of them its check panel; a
 *  panel is a beat of scales, a beat of biases, then a beat per 4 inputs. */
struct card_layer {
    uint64_t kv;             /* linear: the projections K and V */
    uint64_t q;              /* linear: the projection Q */
    uint64_t output;         /* linear */
    uint64_t ffn1;           /* linear */
    uint64_t ffn2;           /* linear */
    uint64_t attention_norm; /* 16 of gamma, 16 of beta, and so on */
    uint64_t output_norm;    /* likewise */
};

/** The memory map of a card for one image and the rows of one sequence at a time. Addresses are bytes from 0 on, each a
 *  multiple of 4096; nothing lies at 0. */
struct card {
    const struct image *image; /* borrowed */
    uint32_t layer_begin, layer_end;
    struct card_layer *layers; /* [layer_end - layer_begin] */
    uint64_t rows;             /* [CARD_MAX_TOKENS][hidden] binary32 */
    uint64_t keys;             /* one sequence's, as struct board_kv lays them out, from block 0 on */
    uint64_t values;           /* likewise */
    uint64_t key_scales;       /* likewise */
    uint64_t value_scales;     /* likewise */
    uint64_t list;             /* of commands: room for one a layer */
    uint64_t record;           /* of how a list ended */
    uint64_t size;             /* bytes in all */
};

/** Lay out; nothing is written yet.
 *  card    free with card_finish; untouched on failure
 *  image   borrowed until then
 *  Errors: UNSUPPORTED (a precision or a shape that the engine does not take, named), NO_MEMORY. */
enum status card_init(struct card *card, const struct image *image, uint32_t layer_begin, uint32_t layer_end,
                      struct error *err);
/** Free what card_init made. Once more is fine. */
void card_finish(struct card *card);
/** Write the weights of its layers into `memory`, zeroed by the caller. */
void card_fill(const struct card *card, void *memory);

/** One command: a layer over rows of a sequence. */
struct card_command {
    enum board_task_kind kind;
    uint32_t layer;     /* of the image, within the card's */
    uint32_t tokens;    /* of the sequence, up to CARD_MAX_TOKENS */
    uint32_t row_begin; /* token where the rows begin */
    uint32_t rows;
    bool load;  /* read the rows from memory; else the engine has them from the command before */
    bool store; /* write the rows back */
};
/** Write a command into the list's place `index`, below the number of layers. */
void card_put_command(const struct card *card, void *memory, uint32_t index, const struct card_command *command);

/** What the engine did with its cycles. */
struct card_counters {
    uint64_t cycles;
    uint64_t array; /* the array stepped */
    uint64_t wait_weights, wait_rows, wait_drain;
    uint64_t idle; /* the array had no job */
    uint64_t beats_read, beats_written;
};

/** How a list ended, as the engine writes it behind everything else. */
struct card_record {
    uint32_t status;       /* ACCEL_ENGINE_ */
    uint32_t failed;       /* number of the command that it ended with */
    uint32_t seen;         /* all that went wrong: ACCEL_SEEN_ */
    uint32_t version;      /* the engine's: ACCEL_ENGINE_VERSION is what this was written for */
    uint32_t rows, slices; /* of the engine */
    struct card_counters counters;
};
/** Before a list starts: whatever record is there is none of this list. */
void card_clear_record(const struct card *card, void *memory);
/** After it: false when none was written. Then the engine could not reach its memory, or has not finished. */
bool card_get_record(const struct card *card, const void *memory, struct card_record *ret);

/** Copy the hidden states of tokens [begin, end), end up to CARD_MAX_TOKENS, between `hidden` [end - begin][hidden] and
 *  the card. */
void card_put_rows(const struct card *card, void *memory, const float *hidden, uint32_t begin, uint32_t end);
void card_get_rows(const struct card *card, const void *memory, float *hidden, uint32_t begin, uint32_t end);
/** Copy keys, values and scales of sequence `seq`, tokens [begin, end), between set `set` of `kv` and the card. */
void card_put_kv(const struct card *card, void *memory, const struct board_kv *kv, uint32_t set, uint32_t seq,
                 uint32_t begin, uint32_t end);
void card_get_kv(const struct card *card, const void *memory, const struct board_kv *kv, uint32_t set, uint32_t seq,
                 uint32_t begin, uint32_t end);

#endif
