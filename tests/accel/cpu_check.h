/* What the tests of the CPU engine share: seeds, biased values, guarded memory, instruction sets, small models. */
#ifndef TESTS_ACCEL_CPU_CHECK_H
#define TESTS_ACCEL_CPU_CHECK_H

#include "accel/cpu/kernels.h"
#include "accel/image.h"

/** Begin a test: float mode of the boards, and a seed, printed, that BERTD_TEST_SEED sets. It is never drawn: what
 * failed fails when it is run again. tests/run takes it from the commit. */
void check_begin(const char *what);
/** How many random cases a test tries: `usual`, or less where BERTD_TEST_PERCENT says so (an emulated machine). */
int check_rounds(int usual);
uint64_t check_random(void);
/** 0 .. limit - 1 */
uint32_t check_below(uint32_t limit);
/** A width of interest: 1 to 4096, most of them ragged or a model's. */
uint32_t check_width(void);

/** Fill with values of one random kind: ordinary, zero, subnormal, huge, ties of rounding, or all mixed. */
void check_floats(float *x, size_t n);
/** Signed bytes within +-127, often all at the ends. */
void check_bytes(int8_t *x, size_t n);

/** New memory of exactly this size, so that a sanitizer sees a read past it. check_free(p) frees. */
void *check_input(size_t size);
/** New memory with canaries before and after; check_intact says that they live. check_free_output frees. */
void *check_output(size_t size);
bool check_intact(const void *output);
void check_free_output(void *output);

/** Call `test` for every instruction set of this machine that the mask allows, as in a task of an engine: with its
 *  kernels and those of the set before, which is NULL for plain C. Prints "skipped: no NAME on this machine" for the
 *  others. The random numbers are the same for each, and what comes behind does not depend on how many there are. */
void check_each_set(void (*test)(const struct cpu_kernels *kernels, const struct cpu_kernels *before));
/** Whether this set brings a kernel of its own: what is inherited has been tested. */
#define CHECK_NEW(kernels, before, member) (!(before) || (kernels)->member != (before)->member)

/** New clipped weights of a linear, of which in_padded, out_padded and weights are set; check_free_clipped frees. */
struct cpu_clipped check_clipped(const struct image_linear *linear);
void check_free_clipped(const struct cpu_clipped *clipped);

/** A model with random weights of this shape, clipped ones too; `gain` scales them. */
struct image *check_image(const struct image_shape *shape, float gain);
/** A random small shape: odd widths and head sizes among them, the bigger the rarer. */
struct image_shape check_shape(void);

#endif
