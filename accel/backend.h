/* Boards as a backend implements them: one table of functions. Users include accel/board.h. */
#ifndef BERTD_ACCEL_BACKEND_H
#define BERTD_ACCEL_BACKEND_H

#include "accel/board.h"

struct board_backend {
    const char *kind; /* the word that opens it */
    enum status (*open)(struct board **ret, const struct board_options *options, struct error *err);
    void (*close)(struct board *board); /* frees the board */
    enum status (*load)(struct board *board, struct image *image, uint32_t layer_begin, uint32_t layer_end,
                        struct error *err);
    void (*submit)(struct board *board, struct board_task *task);
    void (*cancel)(struct board *board, struct board_job *job);
    enum status (*reset)(struct board *board, struct error *err);
    enum status (*selftest)(struct board *board, struct error *err);
    void (*stats)(struct board *board, struct board_stats *ret);
    /* Where there is none, NULL: */
    enum status (*scrub)(struct board *board, struct error *err);
    enum status (*inject)(struct board *board, const struct board_fault *fault, struct error *err);
};

/** First member of every backend's own struct. */
struct board {
    const struct board_backend *backend;
    char name[16];
};

/** The task as a sentence's worth of checks: layers within what is loaded, rows within the job, RUN at sequence
 *  boundaries, kv where needed, ids within the vocabulary. OK, or BACKEND naming what does not fit. */
enum status backend_check_task(const struct board_task *task, uint32_t layer_begin, uint32_t layer_end,
                               struct error *err);

#endif
