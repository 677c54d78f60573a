/* What computes a task on the calling thread: the reference, the CPU kernels, fp32. An emulated board is a thread
 * around one engine.
 */
#ifndef BERTD_ACCEL_ENGINE_H
#define BERTD_ACCEL_ENGINE_H

#include "accel/board.h"

struct engine;

/** How an engine is built: implemented in accel/ref, accel/cpu and accel/fp32. */
struct engine_ops {
    const char *name;
    enum image_precision precision;
    /** Scratch for this image; grows with the largest task. One thread at a time. */
    enum status (*create)(struct engine **ret, const struct image *image, struct error *err);
    void (*destroy)(struct engine *engine);
    /** One layer's worth of a task: kind PROJECT or FINISH over any rows, or RUN (both) over whole sequences, for
     *  layer `layer` alone. Embeds first where layer is 0 and the kind is RUN or PROJECT.
     *  Errors: NO_MEMORY; BACKEND (a value that is not finite, naming layer and row).
     *  Sets the thread's floating-point mode (round to nearest, flush subnormals) and leaves it so. */
    enum status (*run)(struct engine *engine, const struct board_job *job, enum board_task_kind kind, uint32_t layer,
                       uint32_t row_begin, uint32_t row_end, struct error *err);
};

/** First member of every engine's own struct. */
struct engine {
    const struct engine_ops *ops;
    const struct image *image;
};

extern const struct engine_ops ref_engine;  /* numerics in plain C: the specification */
extern const struct engine_ops cpu_engine;  /* the same bits, fast; kernels chosen by cpu_flags() */
extern const struct engine_ops fp32_engine; /* binary32 on OpenBLAS: for verification, no bit promise */

/** Round to nearest, flush subnormals to zero in and out, for the calling thread. Returns the mode there was before,
 *  for engine_restore_float_mode. */
uint32_t engine_set_float_mode(void);
void engine_restore_float_mode(uint32_t mode);

#endif
