/* A small model in the memory of an emulated card, and what carries out lists there, without a host or XRT. */
#ifndef TESTS_XRT_STAGE_H
#define TESTS_XRT_STAGE_H

#include "accel/card/card.h"
#include "accel/device/compute.h"
#include "accel/device/memory.h"
#include "tests/accel/tiny.h"

struct stage {
    struct image *image;
    struct card card;
    struct device_config config;
    struct device_memory *memory;
    struct device_compute *compute;
    void *bytes; /* [card.size] of the memory, at card.base */
};

/** A random model of 64 wide, 3 layers, with its weights in memory. The test fails if that fails. */
void stage_open(struct stage *stage, const struct device_compute_ops *ops);
void stage_close(struct stage *stage);
/** The embedding of all rows of a batch, into its hidden states and into the card. */
void stage_put_rows(struct stage *stage, struct tiny_batch *batch);
/** A command over whole sequences of the batch in the list's place `index`. */
void stage_put_run(struct stage *stage, uint32_t index, const struct tiny_batch *batch, uint32_t layer_begin,
                   uint32_t layer_end);
/** Carry out `count` commands; the record that is in memory then is what `run` says it is. */
struct card_record stage_run(struct stage *stage, uint32_t count);
/** Words of the command in the list's place `index`. */
uint32_t *stage_words(struct stage *stage, uint32_t index);

#endif
