/* Boards as their user sees them: open, load an image, submit tasks, hear of each exactly once.
 *
 * The unit of work is a run of encoder layers over some rows of a ragged batch. A job is the batch; a task is a part
 * of its work on one board. Backends implement accel/backend.h.
 */
#ifndef BERTD_ACCEL_BOARD_H
#define BERTD_ACCEL_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "accel/image.h"
#include "base/status.h"

struct board;

/** int8 keys and values of a whole job, for tasks that work on a part of a sequence (PROJECT, FINISH). Two sets: even
 *  layers use set 0, odd layers set 1, so that a board may project layer L+1 while another still finishes layer L.
 *  Sequence s begins at token block `block_begin[s]` (blocks of IMAGE_PANEL tokens, each sequence on a fresh block).
 *  For block b and head h, at byte ((b * heads + h) * IMAGE_PANEL * head_dim_padded):
 *    keys    [head_dim_padded/4][16 tokens][4]              dimension d of token t at [d/4][t][d%4]
 *    values  [head_dim_padded/16][16/4 token groups][16][4] dimension d of token t at [d/16][t/4][d%16][t%4]
 *  scales at float ((b * heads + h) * IMAGE_PANEL). Whoever makes the job zeroes it all once: padding stays 0. */
struct board_kv {
    const uint32_t *block_begin; /* [n_seqs + 1] */
    int8_t *keys[2];
    int8_t *values[2];
    float *key_scales[2];
    float *value_scales[2];
};

/** A ragged batch on its way through the encoder. Never padded. Owned by whoever submits; must outlive its tasks. */
struct board_job {
    const struct image *image;
    uint32_t n_seqs;
    uint32_t n_rows;
    const uint32_t *cu_seqlens; /* [n_seqs + 1], cu_seqlens[0] = 0, strictly rising, [n_seqs] = n_rows */
    const uint32_t *ids;        /* [n_rows], each < vocab */
    const uint8_t *type_ids;    /* [n_rows], each < types; NULL: all 0 */
    float *hidden;              /* [n_rows][hidden]; in and out; written by layer 0 from ids */
    uint32_t *hidden_sums;      /* [n_rows] or NULL: with each row of `hidden` that is written, the sum of its bits,
                                   which the next to read it checks where engines verify */
    struct board_kv *kv;        /* NULL where only RUN tasks are submitted */
    atomic_bool cancelled;      /* set by board_cancel or the owner; boards look between layers */
};

enum board_task_kind {
    BOARD_RUN,     /* layers [layer_begin, layer_end) over whole sequences */
    BOARD_PROJECT, /* layer_begin only: hidden -> keys and values of my rows, into kv */
    BOARD_FINISH,  /* layer_begin only: hidden and everybody's keys and values -> hidden of my rows */
};
/* Layer 0 begins with the embedding of the rows from ids (RUN and PROJECT). The whole layer is project, then finish. */

struct board_task {
    struct board_job *job;
    enum board_task_kind kind;
    uint32_t layer_begin, layer_end;
    uint32_t row_begin, row_end; /* RUN: at sequence boundaries; PROJECT, FINISH: any rows */
    /** Called exactly once, from a thread of the board: OK, CANCELLED, BACKEND (with `err` filled), TIMEOUT.
     *  It must be quick and must not call into this board but for board_submit. `task` may be freed in it. */
    void (*on_done)(struct board_task *task, enum status status, const struct error *err);
    void *cookie;
    struct board_task *next; /* the board's, while the task is with it */
};

enum board_state { BOARD_EMPTY, BOARD_READY, BOARD_BUSY, BOARD_FAILED };

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
    char last_error[256];
};

/** What can be made to go wrong on an emulated board, to see that what stands around it copes. */
enum board_fault_kind {
    BOARD_FAULT_FAIL,        /* the next tasks fail */
    BOARD_FAULT_HANG,        /* the next tasks get no answer until the board is reset or closed */
    BOARD_FAULT_SLOW,        /* tasks take `factor` times as long, for `for_ns` */
    BOARD_FAULT_ACCUMULATOR, /* a bit flips in each of the next tasks: of a product's accumulator, .. */
    BOARD_FAULT_WEIGHT,      /* .. of a weight as it is read, .. */
    BOARD_FAULT_ACTIVATION,  /* .. of a quantised activation, .. */
    BOARD_FAULT_HIDDEN,      /* .. of a hidden state after a layer */
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
    const char *kind; /* "emu" (default), "ref", "fp32" */
    uint32_t index;   /* which one of its kind: names it, and picks its core or card */
    int cpu;          /* core to stay on, plus one; 0: anywhere */
};

/** Open a board. `ret`: new; close with board_close. Errors: USAGE (unknown kind, listing the known), NO_MEMORY, IO. */
enum status board_open(struct board **ret, const struct board_options *options, struct error *err);
/** Cancel what is queued, wait for what runs, free. Sets the pointer to NULL; NULL is fine. */
void board_close(struct board **board);
/** Load layers [layer_begin, layer_end) of an image (retained until the next load or close). No task may be with the
 *  board. Errors: NO_MEMORY, UNSUPPORTED (precision, shape), BACKEND (checksum). */
enum status board_load(struct board *board, struct image *image, uint32_t layer_begin, uint32_t layer_end,
                       struct error *err);
/** Hand over a task; never blocks. Tasks of one board run in the order of submission. The task and its job stay valid
 *  until on_done. A task that does not fit (rows, layers, kind) completes with BACKEND, like any other failure.
 *  Thread: any. */
void board_submit(struct board *board, struct board_task *task);
/** Mark the job cancelled: its tasks still complete, each once, with CANCELLED unless they were done before. */
void board_cancel(struct board *board, struct board_job *job);
/** Give up whatever the board is doing or stuck in (its tasks complete with BACKEND), and load its image again.
 *  Blocks. Errors: BACKEND where it does not come back. */
enum status board_reset(struct board *board, struct error *err);
/** Compute a small fixed input and compare with the known bits. Blocks. OK, or BACKEND with the difference. */
enum status board_selftest(struct board *board, struct error *err);
void board_stats(struct board *board, struct board_stats *ret);
/** Compare what the board itself holds of the image with its checksum, in slices with pauses between. Blocks. OK where
 *  it holds nothing of its own (or cannot tell). Errors: BACKEND. Thread: any, but no load or reset meanwhile. */
enum status board_scrub(struct board *board, struct error *err);
/** Make something go wrong, from the next task or load on (the image of an idle board: at once); waits for no task.
 *  Errors: UNSUPPORTED (a board, or an engine in it, that cannot), USAGE (a parameter), NO_MEMORY. Thread: any. */
enum status board_inject(struct board *board, const struct board_fault *fault, struct error *err);
const char *board_fault_name(enum board_fault_kind kind); /**< "fail", "hang", ..; static */
const char *board_name(const struct board *board);        /**< "emu0", "fp32-0"; lives as long as the board */
const char *board_kind(const struct board *board);        /**< "emu"; static */

/** Bytes of memory for the kv of a job with these sequences; `board_kv_init` lays it out over `memory` (aligned to 64,
 *  zeroed by the caller) and `block_begin` [n_seqs + 1], which it fills. */
size_t board_kv_size(const struct image *image, const uint32_t *cu_seqlens, uint32_t n_seqs);
void board_kv_init(struct board_kv *kv, const struct image *image, const uint32_t *cu_seqlens, uint32_t n_seqs,
                   void *memory, uint32_t *block_begin);

#endif
