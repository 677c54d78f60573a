/* Boards as their user sees them: open, load an image, submit tasks, hear of each exactly once.
 *
 * The unit of work is a run of encoder layers over some rows of a ragged batch. A job is the batch; a task is a shard
 * of its work on one board. Backends implement accel/backend.h.
 */
#ifndef BERTD_ACCEL_BOARD_H
#define BERTD_ACCEL_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "accel/image.h"
#include "accel/team.h"
#include "base/status.h"

struct board;

/** int8 keys and values of a whole job, for tasks that work on a shard of a sequence (PROJECT, FINISH). Two sets: even
 *  layers use set 0, odd layers set 1, so that a board may project layer L+1 while another still finishes layer L.
 *  Sequence s begins at token block `block_begin[s]` (blocks of IMAGE_PANEL tokens, each sequence on a fresh block).
 *  For block b and head h, at byte ((b * heads + h) * IMAGE_PANEL * head_dim_padded):
 *    keys    [head_dim_padded/4][16 tokens][4]              dimension d of token t at [d/4][t][d%4]
 *    values  [head_dim_padded/16][16/4 token groups][16][4] dimension d of token t at [d/16][t/4][d%16][t%4]
 *  scales at float ((b * heads + h) * IMAGE_PANEL). Whoever makes the job zeroes it all once: padding stays 0. Arrays
 *  belong to whoever makes the job and outlive its tasks. Tasks write the rows that are theirs and read all. */
struct board_kv {
    const uint32_t *block_begin; /* [n_seqs + 1] */
    int8_t *keys[2];
    int8_t *values[2];
    float *key_scales[2];
    float *value_scales[2];
};

/** A ragged batch on its way through the encoder. Never padded. It and all it points to belong to whoever submits and
 *  outlive its tasks. */
struct board_job {
    const struct image *image;
    uint32_t n_seqs;
    uint32_t n_rows;
    const uint32_t *cu_seqlens; /* [n_seqs + 1], cu_seqlens[0] = 0, strictly rising, [n_seqs] = n_rows */
    const uint32_t *ids;        /* [n_rows], each < vocab */
    const uint8_t *type_ids;    /* [n_rows], each < types; NULL: all 0 */
    float *hidden;              /* [n_rows][hidden]; in and out; written by layer 0 from ids */
    /** [n_rows] or NULL. With each row of `hidden` that a board writes, the sum of its bits; the next board to read the
     *  row checks it, where boards verify. */
    uint32_t *hidden_sums;
    struct board_kv *kv;   /* NULL where only RUN tasks are submitted */
    atomic_bool cancelled; /* set by board_cancel or the owner, from any thread; boards look between layers */
};

enum board_task_kind {
    BOARD_RUN,     /* layers [layer_begin, layer_end) over whole sequences */
    BOARD_PROJECT, /* layer_begin only: hidden -> keys and values of my rows, into kv */
    BOARD_FINISH,  /* layer_begin only: hidden and everybody's keys and values -> hidden of my rows */
    BOARD_TENSOR,  /* layers [layer_begin, layer_end) of all rows, by all boards of `team` at the same time: each makes
                      its share of the outputs of every linear layer, so that each weight is read once */
};
/* Layer 0 begins with the embedding of the rows from ids (not in FINISH). The whole layer is project, then finish. */

/** Made and freed by whoever submits it; the board's from board_submit until `on_done`. */
struct board_task {
    struct board_job *job;
    enum board_task_kind kind;
    uint32_t layer_begin, layer_end;
    uint32_t row_begin, row_end; /* RUN: at sequence boundaries; PROJECT, FINISH: any rows; TENSOR: all of the job */
    struct board_team *team;     /* TENSOR: borrowed until on_done of all its members' tasks; of other kinds NULL */
    uint32_t member;             /* of the team: which one this board is */
    /** Called exactly once, from a thread of the board: OK, CANCELLED, or BACKEND with `err` filled (borrowed for the
     *  call). Of a team all end with OK; or the one at fault with BACKEND and the others with CANCELLED, but for those
     *  that were done before, and the rows are worth nothing. It is quick and calls nothing of this board but
     *  board_submit. It may free `task`. */
    void (*on_done)(struct board_task *task, enum status status, const struct error *err);
    void *cookie;
    struct board_task *next; /* the board's, while the task is with it */
};

enum board_state { BOARD_EMPTY, BOARD_READY, BOARD_BUSY, BOARD_FAILED };

/** Counters are since the board was opened. */
struct board_stats {
    enum board_state state;
    uint64_t tasks_done;
    uint64_t tasks_failed;
    uint64_t tasks_cancelled;
    uint64_t layers;  /* encoder layers computed */
    uint64_t rows;    /* rows times layers */
    uint64_t busy_ns; /* time spent computing */
    uint32_t queued;  /* tasks waiting or running */
    bool has_temperature;
    double temperature; /* degrees Celsius, where the board has a sensor */
    bool has_power, has_clock, has_ecc;
    double power;         /* watts of the whole card */
    double clock_mhz;     /* of the engine */
    double ecc_errors;    /* in the card's memories, corrected or not, since it was switched on */
    char last_error[256]; /* of the last task that failed; "": none did */
};

/** What can be made to go wrong on a board, to see that what stands around it copes. */
enum board_fault_kind {
    BOARD_FAULT_FAIL,        /* the next tasks fail */
    BOARD_FAULT_HANG,        /* the next tasks get no answer until the board is reset or closed */
    BOARD_FAULT_SLOW,        /* tasks take `factor` times as long, for `for_ns` */
    BOARD_FAULT_ACCUMULATOR, /* a bit of a product's accumulator flips, in each of the next tasks */
    BOARD_FAULT_WEIGHT,      /* a bit of a weight flips as it is read, in each of the next tasks */
    BOARD_FAULT_ACTIVATION,  /* a bit of a quantised activation flips, in each of the next tasks */
    BOARD_FAULT_HIDDEN,      /* a bit of a hidden state flips after a layer, in each of the next tasks */
    BOARD_FAULT_LOAD,        /* it loses its image: tasks fail, and so do the next loads and resets */
    BOARD_FAULT_IMAGE,       /* a bit of its image flips and stays so until it is loaded again */
    BOARD_FAULTS
};

struct board_fault {
    enum board_fault_kind kind;
    uint32_t count;  /* tasks (of LOAD: loads) that it hits; 0: one */
    double factor;   /* SLOW: at least 1 */
    uint64_t for_ns; /* SLOW: from now on */
    uint64_t seed;   /* which bit flips */
};

/** What to open. Zeroed members mean the defaults. */
struct board_options {
    const char *kind;  /* "emu" (default), "ref", "fp32", "xrt"; "rtl-sim" where BERTD_RTL is on. Borrowed, like all
                          strings here, for the call */
    uint32_t index;    /* which one of its kind: names it, and picks its core or card */
    int cpu;           /* core to stay on, plus one; 0: anywhere */
    bool no_verify;    /* spare the checksums of products and of hidden states (docs/numerics.md) */
    uint32_t patience; /* a self-test may take so many times as long before the board counts as hung, and so may what a
                          card's host process is asked; 0: as 1 */
    /* Of a board on a card (xrt): */
    const char *card;     /* its index, "0", or its place on the PCIe bus, "0000:65:00.1" */
    uint32_t unit;        /* which of its compute units */
    const char *xclbin;   /* file that the card loads */
    const char *xrt_host; /* program that opens cards; NULL: bertd-xrt-host beside the program that runs */
};

/** Open a board. `ret`: new; close with board_close. Errors: USAGE (unknown kind, listing the known), NO_MEMORY, IO.
 *  Thread: any. */
enum status board_open(struct board **ret, const struct board_options *options, struct error *err);
/** Cancel what is queued, wait for what runs, free. Sets the pointer to NULL; NULL is fine. Thread: any but the board's
 *  own, and nobody else uses the board any more. */
void board_close(struct board **board);
/** What boards of this kind (NULL: the default) read of an image beside the model: for image_build, before the image is
 *  loaded. A board computes the same bits without, slower. Static; NULL: nothing. Thread: any. */
const struct image_sections *board_sections(const char *kind);
/** Load layers [layer_begin, layer_end) of an image, which is retained until the next load or close. No task is with
 * the board. Blocks. Errors: NO_MEMORY, UNSUPPORTED (precision, shape), BACKEND (checksum); the board keeps what it
 * had. Thread: any, one load or reset at a time. */
enum status board_load(struct board *board, struct image *image, uint32_t layer_begin, uint32_t layer_end,
                       struct error *err);
/** Hand over a task; never blocks. Tasks of one board run in the order of submission. The task and its job stay valid
 *  until on_done. A task that does not fit (rows, layers, kind) completes with BACKEND, like any other failure.
 *  Thread: any. */
void board_submit(struct board *board, struct board_task *task);
/** Mark the job cancelled: its tasks still complete, each once, with CANCELLED unless they were done before. Never
 *  blocks. Thread: any. */
void board_cancel(struct board *board, struct board_job *job);
/** Give up whatever the board is doing or stuck in (its tasks complete with BACKEND), and load its image again. Blocks.
 *  Errors: BACKEND where it does not come back; NO_MEMORY. Thread: any but the board's own, one load or reset at a
 *  time. */
enum status board_reset(struct board *board, struct error *err);
/** Compute a small fixed input and compare with the known bits. Blocks. Errors: BACKEND with the difference, or where
 *  the board hangs; NO_MEMORY. Thread: any but the board's own. */
enum status board_selftest(struct board *board, struct error *err);
/** Counters and state as they are now. Thread: any. */
void board_stats(struct board *board, struct board_stats *ret);
/** Compare what the board itself holds of the image with its checksum, in slices with pauses between. Blocks. OK where
 *  it holds nothing of its own (or cannot tell). Errors: BACKEND. Thread: any, but no load or reset meanwhile. */
enum status board_scrub(struct board *board, struct error *err);
/** Make something go wrong, from the next task or load on (the image of an idle board: at once); waits for no task.
 *  Errors: UNSUPPORTED (a board, or an engine in it, that cannot), USAGE (a parameter), NO_MEMORY. Thread: any. */
enum status board_inject(struct board *board, const struct board_fault *fault, struct error *err);
/** "fail", "hang", ..; static. Thread: any. */
const char *board_fault_name(enum board_fault_kind kind);
/** "emu0", "fp32-0"; lives as long as the board. Thread: any. */
const char *board_name(const struct board *board);
/** "emu", as board_options has it; static. Thread: any. */
const char *board_kind(const struct board *board);
/** What clients are told that answers were computed by: "fpga+emulated", "cpu"; static. Thread: any. */
const char *board_compute_type(const struct board *board);
/** How many boards its card has room for, itself among them: compute units. 1 where it is on no card. Thread: any. */
uint32_t board_siblings(const struct board *board);
/** What its arithmetic runs on: of emu the set of the kernels chosen ("avx2", as accel/cpu/cpu_flags.h names it),
 *  of ref "c", of fp32 the processor whose kernels OpenBLAS chose ("Haswell"), of rtl-sim and xrt "rtl". Static.
 *  Thread: any.
 */
const char *board_instruction_set(const struct board *board);

/** Bytes that `n` boards of this kind exchange while they do TENSOR tasks of a job of so many rows together. 0: boards
 * of this kind do no such tasks. All boards of a team are of one kind. Thread: any. */
size_t board_exchange_size(const struct board *board, const struct image *image, uint32_t rows, uint32_t n);
/** Bytes of memory for the kv of a job with these sequences [n_seqs + 1]. Thread: any. */
size_t board_kv_size(const struct image *image, const uint32_t *cu_seqlens, uint32_t n_seqs);
/** Lay `kv` out over `memory` (board_kv_size bytes, aligned to 64, zeroed by the caller) and `block_begin` [n_seqs +
 * 1], which is filled; both stay the caller's and outlive `kv`. Thread: any. */
void board_kv_init(struct board_kv *kv, const struct image *image, const uint32_t *cu_seqlens, uint32_t n_seqs,
                   void *memory, uint32_t *block_begin);

#endif
