/* A random model and a ragged batch, with what the reference makes of it. */
#ifndef TESTS_RTL_ENGINE_CASE_H
#define TESTS_RTL_ENGINE_CASE_H

#include "accel/board.h"
#include "accel/card/card.h"
#include "accel/engine.h"
#include "accel/sim/sim_model.h"

enum { RTL_CASE_SEQUENCES = CARD_MAX_SEQUENCES + 8 };

struct rtl_random {
    uint64_t state;
};
uint32_t rtl_random(struct rtl_random *random, uint32_t below);

struct rtl_case {
    struct image *image;
    struct card card;
    uint32_t rows, n_seqs;
    uint32_t cu_seqlens[RTL_CASE_SEQUENCES + 1];
    float *input;    /* [rows][hidden], as after the embedding */
    float *expected; /* [rows][hidden], behind all layers */
    uint32_t *ids;
    struct board_kv kv, kv_expected;
    uint32_t block_begin[RTL_CASE_SEQUENCES + 1];
    void *kv_memory, *kv_expected_memory;
    size_t kv_size;
};

/** Random weights of this shape (vocab, positions and types are chosen here) and `n` sequences of rows that are 0. Ends
 *  the program where that fails. */
void rtl_case_init_plain(struct rtl_case *test, struct rtl_random *random, struct image_shape shape,
                         const uint32_t *lengths, uint32_t n);
/** The same with random rows and the reference's result of all layers. */
void rtl_case_init_batch(struct rtl_case *test, struct rtl_random *random, struct image_shape shape,
                         const uint32_t *lengths, uint32_t n);
/** A batch of one sequence. */
void rtl_case_init(struct rtl_case *test, struct rtl_random *random, struct image_shape shape, uint32_t tokens);
void rtl_case_finish(struct rtl_case *test);
/** A random shape that the engine takes, of up to `heads` heads. */
struct image_shape rtl_case_shape(struct rtl_random *random, uint32_t heads);

/** A model with the case's weights and rows in its memory. */
struct sim_model *rtl_case_model(const struct rtl_case *test, struct sim_model_options options);
/** Put the input rows (again). */
void rtl_case_put_rows(const struct rtl_case *test, struct sim_model *model);
/** A list over all layers of the whole batch, `layers` of them a command; how many commands. */
uint32_t rtl_case_commands(const struct rtl_case *test, struct sim_model *model, uint32_t layers);
/** Run so many commands of the list; the program ends where they fail or take more than `most` cycles. */
struct sim_model_counts rtl_case_count(const struct rtl_case *test, struct sim_model *model, uint32_t commands,
                                       uint64_t most);
/** The first value of the rows in memory that is not the expected one; -1: none. */
long rtl_case_difference(const struct rtl_case *test, struct sim_model *model, const float *expected);

#endif
