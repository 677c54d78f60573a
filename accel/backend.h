/* Boards as a backend implements them: one table of functions. Users include accel/board.h. */
#ifndef BERTD_ACCEL_BACKEND_H
#define BERTD_ACCEL_BACKEND_H

#include "accel/board.h"

/** Static. What each function does, its errors and its threads are those of the board_ function of the same name. */
struct board_backend {
    const char *kind;         /* the word that opens it */
    const char *compute_type; /* what board_compute_type says */
    const char *(*instruction_set)(void);
    /** Begin the new board with a `struct board`: the backend and a name. */
    enum status (*open)(struct board **ret, const struct board_options *options, struct error *err);
    void (*close)(struct board *board); /* frees the board */
    enum status (*load)(struct board *board, struct image *image, uint32_t layer_begin, uint32_t layer_end,
                        struct error *err);
    void (*submit)(struct board *board, struct board_task *task);
    void (*cancel)(struct board *board, struct board_job *job);
    enum status (*reset)(struct board *board, struct error *err);
    enum status (*selftest)(struct board *board, struct error *err);
    void (*stats)(struct board *board, struct board_stats *ret);
    const struct image_sections *(*sections)(void);               /* NULL: none */
    enum status (*scrub)(struct board *board, struct error *err); /* NULL: it holds nothing of its own */
    /** NULL: it has no faults to inject. `fault` is checked but for what the board itself cannot do. */
    enum status (*inject)(struct board *board, const struct board_fault *fault, struct error *err);
    /** NULL: it does no TENSOR tasks. */
    size_t (*exchange_size)(const struct image *image, uint32_t rows, uint32_t n);
    uint32_t (*siblings)(const struct board *board); /* NULL: it has none but itself */
};

/** First member of every backend's own struct. */
struct board {
    const struct board_backend *backend;
    char name[48];
};

/** Whether a board that holds these layers can do a task: layers within those, rows within the job, RUN at sequence
 *  boundaries, kv where needed, ids within the vocabulary. Errors: BACKEND, naming what does not fit. Thread: any. */
enum status backend_check_task(const struct board_task *task, uint32_t layer_begin, uint32_t layer_end,
                               struct error *err);

#endif
