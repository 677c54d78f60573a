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

/** Limits of a command, as in bertd_pkg. */
enum {
    CARD_MAX_TOKENS = 512, /* of a sequence, and of all together, each rounded up to CARD_ROW_GROUP */
    CARD_MAX_SEQUENCES = 32,
    CARD_MAX_BLOCKS = 62, /* of IMAGE_PANEL keys and values, each sequence on a fresh one */
    CARD_MAX_COMMANDS = 16,
    CARD_ROW_GROUP = 4,
};

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

/** The memory map of a card for one image and the rows of one command at a time. Addresses are bytes from `base` on,
 * each a multiple of 4096; nothing lies at 0. */
struct card {
    const struct image *image; /* borrowed */
    uint32_t layer_begin, layer_end;
    struct card_layer first; /* layer_begin's addresses ... */
    uint64_t layer_stride;   /* ... and how much further on those of each later one lie */
    uint64_t work;           /* where the weights end, and what a command works on begins: all that follows */
    uint64_t list;           /* of commands: room for CARD_MAX_COMMANDS */
    uint64_t record;         /* of how a list ended; the rows follow it at once */
    uint64_t rows;           /* [CARD_MAX_TOKENS][hidden] binary32 */
    uint64_t keys;           /* as struct board_kv lays them out, from the first sequence's block 0 on */
    uint64_t values;         /* likewise */
    uint64_t key_scales;     /* likewise */
    uint64_t value_scales;   /* likewise */
    uint64_t size;           /* bytes in all */
    uint64_t base;           /* of `memory` on the card's bus, a multiple of 64: 0 until a driver says it */
    /** How much further on than `base` says what lies from `work` on lies on the bus, modulo 2^64: 0 where the memory
     * is in one piece. So several compute units, each with a place to work, may share weights. */
    uint64_t work_shift;
};

/** Lay out; nothing is written yet.
 *  card    untouched on failure
 *  image   borrowed as long as the card is used
 *  Errors: UNSUPPORTED (a precision or a shape that the engine does not take, named). */
enum status card_init(struct card *card, const struct image *image, uint32_t layer_begin, uint32_t layer_end,
                      struct error *err);
/** Write the weights of its layers into `memory`, zeroed by the caller. */
void card_fill(const struct card *card, void *memory);

/** By what a check panel's sums count an output, or an input, of this number. Odd, so that every bit counts, and small:
 * the engine multiplies by adding. */
static inline int8_t card_check_factor(uint32_t place)
{
    return (int8_t)(2 * (place % IMAGE_PANEL) + 1);
}

/** One command: layers of whole sequences, whose rows the engine reads from memory, keeps to itself between the layers,
 *  and writes back; or a layer's first or second half for a part of one sequence. */
struct card_command {
    enum board_task_kind kind;
    uint32_t layer_begin, layer_end; /* of the image, within the card's; of PROJECT and FINISH one */
    const uint32_t *cu_seqlens;      /* [n_seqs + 1], borrowed for the call: where sequences begin and the last ends */
    uint32_t n_seqs;                 /* as many as fit (card_sequences); of PROJECT and FINISH 1 */
    uint32_t begin, end;             /* PROJECT, FINISH: my tokens of the sequence */
};
/** How many sequences from `begin` on, below `end`, one command takes: at least one, unless the first is longer than
 *  CARD_MAX_TOKENS (0). */
uint32_t card_sequences(const uint32_t *cu_seqlens, uint32_t begin, uint32_t end);
/** Write a command into the list's place `index`, below CARD_MAX_COMMANDS. */
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
    uint32_t layer;        /* which of its layers */
    uint32_t seen;         /* all that went wrong: ACCEL_SEEN_ */
    uint32_t version;      /* the engine's: ACCEL_ENGINE_VERSION is what this was written for */
    uint32_t rows, slices; /* of the engine */
    struct card_counters counters;
};
/** Before a list starts: whatever record is there is none of this list. */
void card_clear_record(const struct card *card, void *memory);
/** After it: false when none was written. Then the engine could not reach its memory, or has not finished. */
bool card_get_record(const struct card *card, const void *memory, struct card_record *ret);

/** Copy the hidden states of a command's rows [begin, end), end up to CARD_MAX_TOKENS, between `hidden`
 *  [end - begin][hidden] and the card. */
void card_put_rows(const struct card *card, void *memory, const float *hidden, uint32_t begin, uint32_t end);
void card_get_rows(const struct card *card, const void *memory, float *hidden, uint32_t begin, uint32_t end);
/** Copy keys, values and scales of sequence `seq`, tokens [begin, end), between set `set` of `kv` and the card, where
 *  it is the only sequence. */
void card_put_kv(const struct card *card, void *memory, const struct board_kv *kv, uint32_t set, uint32_t seq,
                 uint32_t begin, uint32_t end);
void card_get_kv(const struct card *card, const void *memory, const struct board_kv *kv, uint32_t set, uint32_t seq,
                 uint32_t begin, uint32_t end);

/** What one command does of a task: layers of whole sequences, or half a layer of a part of one. */
struct card_span {
    struct card_command command; /* its sequences are the job's */
    uint32_t seq;                /* the first of them */
    uint32_t first;              /* row of its token 0 */
    uint32_t begin, end;         /* rows of the task, counted from `first` on; both 0: none */
};
/** The span of a task behind `span`, into it; the first where it is zeroed. OK with `end` 0 where there is none left.
 *  The task is checked (backend_check_task). Errors: BACKEND (a sequence longer than CARD_MAX_TOKENS). */
enum status card_next_span(struct card_span *span, const struct board_task *task, struct error *err);
/** Write all that the engine needs for a span: the command, at the list's first place, an empty record, the rows
 *  (embedded here, where the command begins with layer 0), keys and values.
 *  verify  check the sums of the rows (board_job.hidden_sums)
 *  Errors: BACKEND (a value that is not finite; a sum). Floating-point mode: float_mode_set's. */
enum status card_put_span(const struct card *card, void *memory, const struct board_job *job,
                          const struct card_span *span, bool verify, struct error *err);
/** After the list: look at its record, and take out the rows (with their sums), or the keys and values.
 *  Errors: BACKEND, naming what the engine found wrong, or that there is no record. */
enum status card_get_span(const struct card *card, const void *memory, const struct board_job *job,
                          const struct card_span *span, struct error *err);

#endif
