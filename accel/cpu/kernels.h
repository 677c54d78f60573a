/* The kernels an engine is made of: one table, filled in C first and then overwritten by each better instruction set.
 *
 * Every kernel gives the bits of docs/numerics.md. What differs between sets is the form of a quantised activation, the
 * *operand*: an int16 each where products go through 16 bits; a byte where the machine multiplies signed bytes; or a
 * byte q + 128 where it multiplies unsigned by signed ones; then -128 * (sum of the weights) is where the accumulator
 * starts.
 */
#ifndef BERTD_ACCEL_CPU_KERNELS_H
#define BERTD_ACCEL_CPU_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accel/cpu/clipped.h"
#include "accel/cpu/cpu_flags.h"
#include "accel/cpu/planes.h"
#include "accel/image.h"

enum { CPU_TILE_ROWS = 16, CPU_TILE_INPUTS = 64 }; /* of the largest tile that a kernel multiplies at once */

/** acc[r][o] = sum over i of row[r][i] * W[o][i], for n_rows rows and n_panels panels of IMAGE_PANEL outputs, whose
 *  inputs come in groups of IMAGE_GROUP.
 *
 *  Where operands carry no offset, a kernel may take whole tiles: of rows and acc there is room for n_rows rounded up
 *  to CPU_TILE_ROWS, and in a row for its inputs rounded up to CPU_TILE_INPUTS; for `gemm`, behind the last panel too.
 *  What is read there does not matter; what is written there is garbage. */
struct cpu_gemm {
    const void *rows; /* operands [n_rows], row_stride bytes apart; padded to whole groups */
    size_t row_stride;
    const int8_t *weights; /* [n_panels][groups], panels panel_stride bytes apart */
    size_t panel_stride;
    size_t groups;
    const int32_t *row_sums; /* [n_panels * 16] of the weights; may be NULL where operands carry no offset */
    int32_t *acc;            /* [n_rows], acc_stride elements apart */
    size_t acc_stride;
    size_t n_rows;
    size_t n_panels;
    bool filled_up; /* rows go on with zeros to a multiple of kernels.tile_inputs: for `gemm` alone */
    /* For `linear` and `linear_add`: */
    struct cpu_clipped clipped; /* of its panels; weights NULL: there is none, slower */
    void *work;                 /* kernels.work(n_rows, inputs) bytes: for `linear` as `prepare` left them */
};

/** Of a linear layer: padded. */
static inline size_t cpu_linear_inputs(const struct cpu_gemm *gemm)
{
    return gemm->groups * IMAGE_GROUP;
}

/** How a quantised activation q is kept: q + offset. */
struct cpu_operand {
    uint32_t size;  /* bytes: 2 (int16) or 1 */
    int32_t offset; /* 128 in an unsigned byte, else 0 */
};

/** What a row of operands is expected to give: product[p] = sum over i of q[i] * checks[p * n + i] modulo 2^32. */
struct cpu_check {
    const int32_t *checks;    /* [n_projections][n], of struct image_linear */
    size_t n_projections;     /* 1 or 3 */
    uint32_t *products;       /* [n_projections] out */
    struct cpu_planes planes; /* of `checks`; bytes NULL: there are none, slower */
};

/** How accumulators become values: y = fma(float(acc) * scales[o], scale, bias[o]). */
struct cpu_epilogue {
    const float *scales; /* of the weights, per output */
    const float *bias;
    float scale; /* of the row */
};

/** Rows to which the outputs of a linear layer are added: x = epilogue(acc) + x. */
struct cpu_addition {
    const float *scales, *bias; /* as in struct cpu_epilogue */
    const float *row_scales;    /* [n_rows], row_scale_stride elements apart */
    size_t row_scale_stride;
    float *x; /* [n_rows], x_stride elements apart: [n] */
    size_t x_stride;
    size_t n;         /* outputs */
    uint32_t *sums;   /* [n_rows] out: as `add` returns them */
    uint32_t *before; /* [n_rows] out: of the bits that x had, modulo 2^32 */
};

/** Rows of attention over n tokens, between the two products. Arrays of tokens have room for `padded`. */
struct cpu_attention {
    size_t n_rows;
    size_t n;
    size_t padded; /* n rounded up to a multiple of IMAGE_PANEL, or more */
    /** [n_rows], score_stride elements apart: [n] accumulators of a query with every key; overwritten. */
    float *scores;
    size_t score_stride;
    const float *scales; /* [n_rows] of the queries, scale_stride elements apart */
    size_t scale_stride;
    const float *key_scales, *value_scales; /* [n] */
    /** p out, its higher digits or the whole: [n_rows], digit_stride bytes apart: [n] operands without offset, zeros
     *  from n to padded. */
    void *high;
    void *low; /* p out, its lower digits, likewise; NULL: n_digits is 1 and p is whole in `high` */
    size_t digit_stride;
    const int32_t *value_sums; /* [n] of each token's values: see column_sums */
    bool narrow_sums;          /* they fit 16 bits */
    uint32_t *score_sums;      /* [n_rows] out: of the accumulators in whole panels of tokens, modulo 2^32 */
    uint32_t *products;        /* [n_rows] out: of p with value_sums, modulo 2^32 */
    /** [n_rows] out: what to multiply P x V by, (wmax / ACCEL_PROBABILITY_MAX) / z. NaN when the largest score is not
     *  finite; p is not written then. */
    float *factors;
};

/** P x V to values: y = float(acc) * factors[row], where acc is 128 * high + low. */
struct cpu_context {
    size_t n_rows;
    size_t n;
    const int32_t *high, *low; /* [n_rows], stride elements apart: [n]; low NULL: acc is high */
    size_t stride;
    const float *factors; /* [n_rows] */
    float *y;             /* [n_rows] out, y_stride elements apart: [n] */
    size_t y_stride;
    uint32_t *sums; /* [n_rows] out: of each row's acc, modulo 2^32 */
};

struct cpu_kernels {
    const char *isa;                       /* of the gemm: a name of cpu_sets */
    struct cpu_operand operand;            /* of attention */
    struct cpu_operand linear_operand;     /* of `linear` and `quantise` */
    const struct image_sections *sections; /* that `linear` and `quantise` read; NULL: none */
    uint32_t tile_inputs;                  /* that `gemm` takes at once */
    uint32_t n_digits;                     /* of P, which has no offset: 1: whole; 2: p >> 7 and p & 127 */

    /** Before the first and after the last product (`gemm`, `linear`) of a layer of a task, on its thread; NULL where
     *  there is nothing to do. */
    void (*begin)(void);
    void (*end)(void);

    void (*gemm)(const struct cpu_gemm *gemm);
    /** Bytes of cpu_gemm.work: for so many rows, or fewer. NULL, like `prepare`: none. */
    size_t (*work)(size_t n_rows, size_t inputs);
    /** Once for new rows, before `linear`; NULL where there is nothing to do. Reads rows, writes work; the panels do
     * not matter. */
    void (*prepare)(const struct cpu_gemm *gemm);
    /** The same as `gemm` for linear layers: one block of inputs, operands as `quantise` makes them. */
    void (*linear)(const struct cpu_gemm *gemm);
    /** `linear` and `add` at once, without `prepare`; acc is not used. The same bits, but of what is no number. False:
     *  not for such a product, nothing was done. NULL: for none. */
    bool (*linear_add)(const struct cpu_gemm *gemm, const struct cpu_addition *to);
    /** sums[i] = sum over all outputs o of W[o][i], for the weights that `gemm` would read. */
    void (*column_sums)(int32_t *sums, const struct cpu_gemm *gemm);
    /** ret [n_rows]: the sum over i of q[i] * sums[i] modulo 2^32, of rows of operands `stride` bytes apart; n is a
     *  multiple of IMAGE_PANEL. */
    void (*products)(uint32_t *ret, const void *operands, size_t stride, const int32_t *sums, size_t n, size_t n_rows);

    /* Rows. `n` need not be a multiple of anything; nothing is read or written past it but operands, which are padded
     * with zeros to IMAGE_PANEL. Return values of type uint32_t are the bits of max|y|, which are above those of
     * FLT_MAX where something is not finite. */
    /** y = (word + position) + type */
    void (*embed)(float *y, const float *word, const float *position, const float *type, size_t n);
    /** x = LayerNorm(x) of rows that lie `stride` elements apart. sums [n_rows] out: of the bits of each, modulo 2^32;
     *  NULL: none. Returns the first row whose variance is not finite, n_rows if there is none; rows and sums are
     *  garbage then. */
    size_t (*norm)(float *x, size_t stride, const struct image_norm *norm, float eps, size_t n, size_t n_rows,
                   uint32_t *sums);
    /** y = epilogue(acc). Returns the checked sum: of acc[o] * image_check_factors[o % 16] modulo 2^32. */
    uint32_t (*dequantise)(float *y, const int32_t *acc, const struct cpu_epilogue *epilogue, size_t n);
    /** x = epilogue(acc) + x. Returns the checked sum; `ret_before`: the sum of the bits that x had. */
    uint32_t (*add)(float *x, const int32_t *acc, const struct cpu_epilogue *epilogue, size_t n, uint32_t *ret_before);
    /** y = activation(epilogue(acc)). Returns the checked sum. */
    uint32_t (*activate)(float *y, const int32_t *acc, const struct cpu_epilogue *epilogue,
                         enum image_activation activation, size_t n);
    /** y = FWHT(x) in blocks of `block`, a power of two <= IMAGE_MAX_ROTATION that divides n; y may be x. `ret_sum`:
     * the sum of the bits that x had, modulo 2^32; NULL: not asked for. */
    uint32_t (*rotate)(float *y, const float *x, size_t n, size_t block, uint32_t *ret_sum);
    uint32_t (*amax)(const float *x, size_t n);
    /** Sum of the bits of x modulo 2^32. */
    uint32_t (*sum_bits)(const float *x, size_t n);
    /** operand = rne(x * factor) clamped to +-127; `check` NULL: no products. */
    void (*quantise)(void *operand, const float *x, float factor, size_t n, const struct cpu_check *check);
    /** Each head's `dim` elements quantised by their own amax: operands, and scales [heads]. A head begins at a
     * multiple of IMAGE_PANEL. */
    uint32_t (*quantise_heads)(void *operands, float *scales, const float *x, size_t heads, size_t dim);
    /** The same as signed bytes, exactly `dim` of each head: the bytes between heads are left alone. */
    uint32_t (*quantise_head_bytes)(int8_t *q, float *scales, const float *x, size_t heads, size_t dim);

    void (*attend)(const struct cpu_attention *attention);
    void (*context)(const struct cpu_context *context);
};

/* A set whose `linear` is its `gemm`. */
static inline void cpu_gemm_set(struct cpu_kernels *kernels, void (*gemm)(const struct cpu_gemm *gemm),
                                struct cpu_operand operand)
{
    kernels->gemm = kernels->linear = gemm;
    kernels->operand = kernels->linear_operand = operand;
    kernels->tile_inputs = IMAGE_PANEL;
    kernels->work = NULL;
    kernels->prepare = NULL;
    kernels->sections = NULL;
    kernels->begin = kernels->end = NULL;
    kernels->linear_add = NULL;
}

/** The fastest kernels that these flags (enum cpu_flag) allow. */
void cpu_kernels_init(struct cpu_kernels *ret, unsigned flags);

/* Each overwrites the entries it has something better for. */
void cpu_gemm_init_c(struct cpu_kernels *kernels);
void cpu_rows_init_c(struct cpu_kernels *kernels);
void cpu_attention_init_c(struct cpu_kernels *kernels);
#define CPU_DECLARE_INIT(name, flag, bit, options)                                                                     \
    void cpu_gemm_init_##name(struct cpu_kernels *kernels);                                                            \
    void cpu_rows_init_##name(struct cpu_kernels *kernels);                                                            \
    void cpu_attention_init_##name(struct cpu_kernels *kernels);
CPU_EACH_SET(CPU_DECLARE_INIT)

void cpu_linear_init_amx(struct cpu_kernels *kernels);
void cpu_operands_init_avx2(struct cpu_kernels *kernels); /* of its linear layers .. */
void cpu_gemm_avx2(const struct cpu_gemm *gemm);          /* .. where they have few rows or inputs */

#endif
