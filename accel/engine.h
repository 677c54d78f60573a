/* What computes a task on the calling thread: the reference, the CPU kernels, fp32. A worker (accel/worker) makes a
 * board of one. */
#ifndef BERTD_ACCEL_ENGINE_H
#define BERTD_ACCEL_ENGINE_H

#include "accel/board.h"

struct engine;

/** What an engine can be told to do wrong, once, so that it may be seen that the checksums find it: one random bit
 *  flips in a product of a layer. A mask. */
enum engine_fault {
    ENGINE_FLIP_ACCUMULATOR = 1 << 0, /* before its epilogue */
    ENGINE_FLIP_WEIGHT = 1 << 1,      /* as the kernel reads it: a copy; the image stays what it is */
    ENGINE_FLIP_ACTIVATION = 1 << 2,  /* of the quantised input, after its check product was taken */
    ENGINE_FLIP_HIDDEN = 1 << 3,      /* of a hidden state, after a layer has written it */
    ENGINE_FLIP_ALL = (1 << 4) - 1,
};

/** How an engine is built: implemented in accel/ref, accel/cpu, accel/fp32, accel/sim, accel/xrt. Static. */
struct engine_ops {
    const char *name;
    enum image_precision precision;
    /** Scratch for this image, which it borrows; grows with the largest task.
     *  ret     new; free with `destroy`
     *  verify  check each product, and hidden states between layers, by their checksums (docs/numerics.md)
     *  Errors: NO_MEMORY; UNSUPPORTED (a shape the engine cannot do, named). Thread: any. */
    enum status (*create)(struct engine **ret, const struct image *image, bool verify, struct error *err);
    /** The same on a device that the board has open; NULL: the engine needs none. Where it is there, `create` is not.
     *  Errors besides: BACKEND, USAGE (the device). */
    enum status (*create_on)(struct engine **ret, void *device, const struct image *image, bool verify,
                             struct error *err);
    void (*destroy)(struct engine *engine);
    /** One layer's worth of a task: kind PROJECT or FINISH over any rows, or RUN (both) over whole sequences, for
     *  layer `layer` alone. Embeds first where layer is 0 and the kind is RUN or PROJECT. The task has been checked
     *  (backend_check_task).
     *  Errors: NO_MEMORY; BACKEND (a value that is not finite, naming layer and row; a checksum that is wrong, naming
     *  also what it is of).
     *  Thread: one at a time for an engine. Its floating-point mode is then float_mode_set's. NULL where there is
     *  `run_layers`. */
    enum status (*run)(struct engine *engine, const struct board_job *job, enum board_task_kind kind, uint32_t layer,
                       uint32_t row_begin, uint32_t row_end, struct error *err);
    /** Bytes that the boards of a team exchange, see board_exchange_size. NULL, like `run_share`: it does no TENSOR
     *  tasks. Thread: any. */
    size_t (*exchange_size)(const struct image *image, uint32_t rows, uint32_t n_boards);
    /** One layer's worth of a TENSOR task. Errors: those of `run`; CANCELLED where the team is broken. Thread and
     *  floating-point mode: likewise. */
    enum status (*run_share)(struct engine *engine, const struct board_task *task, uint32_t layer, struct error *err);
    /** A task in one go, whatever its kind, for engines that keep the rows to themselves from its first layer to the
     * last; NULL: `run` is called for each layer. Where the job is cancelled or `*stop` becomes true (NULL: never), it
     * gives up as soon as it can, with CANCELLED; the rows are then worth nothing. Errors and thread: likewise. */
    enum status (*run_layers)(struct engine *engine, const struct board_task *task, const atomic_bool *stop,
                              struct error *err);
    /** Arms faults (a mask of enum engine_fault): each happens once, in one of the next products (of a whole layer at
     *  the latest) and at a place that `seed` picks. False where there is no memory. NULL: the engine has no
     *  checksums that could find them. Thread: the one that runs the engine, between runs. */
    bool (*inject)(struct engine *engine, unsigned faults, uint64_t seed);
    /** See board_scrub; NULL: it holds nothing of its own. Thread: any, beside `run`. */
    enum status (*scrub)(struct engine *engine, struct error *err);
    uint64_t selftest_ns; /* a self-test that takes longer has met a board that hangs; 0: a second and a half */
    bool is_card;         /* it takes the shapes that accel/card takes, and no others */
};

/** First member of every engine's own struct. */
struct engine {
    const struct engine_ops *ops;
    const struct image *image; /* borrowed */
    bool verify;               /* checks checksums */
};

/** Arms faults as `inject` does; false where the engine cannot. Thread: likewise. */
bool engine_inject(struct engine *engine, unsigned faults, uint64_t seed);

extern const struct engine_ops ref_engine;  /* numerics in plain C: the specification */
extern const struct engine_ops cpu_engine;  /* the same bits, fast; kernels chosen by cpu_flags() */
extern const struct engine_ops fp32_engine; /* binary32 on OpenBLAS: for verification, no bit promise */

/** What cpu_engine reads of an image beside the model, with the instruction sets that cpu_flags() allows now: see
 *  board_sections. Static; NULL: nothing. Thread: any. */
const struct image_sections *cpu_engine_sections(void);

/** What engines created now compute with: see board_instruction_set. Static. Thread: any. */
const char *cpu_engine_instruction_set(void);
const char *fp32_engine_instruction_set(void);

#endif
