/* A small model and a batch whose result is known: what every board must reproduce before it is trusted. */
#ifndef BERTD_ACCEL_BACKEND_SELFTEST_H
#define BERTD_ACCEL_BACKEND_SELFTEST_H

#include "accel/board.h"

struct backend_selftest {
    struct image *image;
    struct board_job job;
    struct board_task task; /* all layers over all rows of the job; on_done is the caller's to set */
};

/** A model of this shape with weights from a fixed generator, and these sections (as image_build). `ret`: new
 *  reference. Errors: NO_MEMORY, UNSUPPORTED. Thread: any. */
enum status backend_selftest_image(struct image **ret, const struct image_shape *of, enum image_precision precision,
                                   const struct image_sections *sections, struct error *err);
/** The model (weights from a fixed generator, and these sections), the batch, and a task over it. `ret`: new; free with
 *  backend_selftest_destroy.
 *  card    a smaller model, of a shape that cards take
 *  Errors: NO_MEMORY. Thread: any. */
enum status backend_selftest_create(struct backend_selftest **ret, enum image_precision precision, bool card,
                                    const struct image_sections *sections, struct error *err);
/** Free, and set the pointer to NULL; NULL is fine. */
void backend_selftest_destroy(struct backend_selftest **test);
/** After the task: compare job.hidden with the known bits (int8), or with a reference run (fp32, within what int8
 *  leaves). Errors: BACKEND, with the difference; NO_MEMORY. */
enum status backend_selftest_check(const struct backend_selftest *test, struct error *err);

#endif
