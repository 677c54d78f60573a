/* The CPU engine from inside: its scratch memory, and the steps of a layer. */
#ifndef BERTD_ACCEL_CPU_ENGINE_H
#define BERTD_ACCEL_CPU_ENGINE_H

#include "accel/cpu/kernels.h"
#include "accel/engine.h"
#include "accel/engine_faults.h"

enum {
    CPU_ALIGN = 64,
    CPU_PROJECTIONS = 3, /* Q, K, V */
};

/** Keys and values of one layer: of a board_kv, or of the engine's own for RUN. Sequence s of the job begins at token
 *  block block_begin[s - first_seq]; the rest is as in struct board_kv. */
struct cpu_kv {
    const uint32_t *block_begin;
    uint32_t first_seq;
    int8_t *keys, *values;
    float *key_scales, *value_scales;
};

/** What goes with a row of operands. A cache line each: boards of a team make those of different rows side by side. */
struct cpu_quantised {
    _Alignas(CPU_ALIGN) float scale;
    uint32_t expected[CPU_PROJECTIONS]; /* what the sums of its accumulators are to be */
};

/** Rows on their way through a layer: what lies between two steps. Row r of a block is at r strides. Of a team some of
 *  this lies in what its members exchange. */
struct cpu_scratch {
    void *memory;
    size_t group_rows;               /* of whole sequences that are taken together: at most, but for a longer one */
    size_t block_rows;               /* rows that go through the steps together */
    size_t hidden_stride;            /* bytes of a row of operands, hidden wide */
    size_t inner_stride;             /* and intermediate wide */
    size_t acc_stride;               /* elements */
    uint32_t chunk;                  /* FFN1 outputs made at a time: a multiple of every Hadamard block */
    size_t near_scores;              /* elements of `scores` that the first-level cache is to hold */
    void *operands;                  /* [block_rows] hidden_stride */
    void *inner_operands;            /* [block_rows] inner_stride */
    struct cpu_quantised *quantised; /* [block_rows] */
    uint32_t *sums;                  /* [block_rows]: what the sums of accumulators are */
    uint32_t *before;                /* [block_rows]: what the sums of hidden states were that others are added to */
    /** [block_rows][CPU_PROJECTIONS]: likewise of the share of Q, K and V that is made here, to be added up by others;
     *  NULL: the share is the whole, and checked at once. */
    uint32_t *share_sums;
    int32_t *acc;          /* [block_rows][acc_stride] */
    int32_t *sum_acc;      /* likewise, of what is added to hidden states; may be `acc` */
    void *work;            /* of a linear layer's kernel */
    float *row;            /* [hidden] */
    float *mixed;          /* [block_rows][hidden]: attention's output */
    float *inner;          /* [block_rows][intermediate] */
    uint32_t *inner_amax;  /* [block_rows]: bits */
    int8_t *bytes;         /* [4][heads][head_dim_padded] */
    float *head_scales;    /* [heads] */
    int8_t *keys, *values; /* of a head, gathered: [IMAGE_MAX_SEQUENCE][head_dim_padded], and a tile behind them */
    float *scores;         /* of the rows attended together: near_scores, or a tile's */
    void *weights;         /* operands: P of as many rows */
    int32_t *context;      /* [block_rows * n_digits][head_dim_padded] */
    uint32_t *products;    /* [block_rows]: of P with V */
    float *factors;        /* [block_rows]: of P x V */
    uint32_t *score_sums;  /* [block_rows] */
    uint32_t *expected;    /* [block_rows]: what they are to be */
    float *token_scales;   /* [2][IMAGE_MAX_SEQUENCE]: of keys, of values */
    int32_t *key_sums;     /* [IMAGE_MAX_SEQUENCE]: of each token's dimensions, where operands carry an offset */
    int32_t *key_checks;   /* [head_dim_padded]: column sums of the keys */
    int32_t *value_checks; /* [IMAGE_MAX_SEQUENCE]: of the values */
    void *ones;            /* operands [head_dim_padded], each the number 1 */
};

/** What is kept of whole sequences: grows with the longest. */
struct cpu_sequences {
    void *memory;
    size_t rows, blocks;   /* room */
    size_t query_stride;   /* bytes of a row of queries: operands [heads][head_dim_padded] */
    void *queries;         /* [rows] query_stride */
    float *query_scales;   /* [rows][heads] */
    uint32_t *block_begin; /* [rows + 1] */
    struct cpu_kv kv;      /* of `blocks` token blocks */
};

struct cpu_engine {
    struct engine base; /* first: what the world sees */
    struct engine_faults faults;
    bool fault_in_attention; /* where a bit of an accumulator flips; else in a linear layer */
    int8_t *fault_panel;     /* of weights, with room for the widest; NULL until faults are armed */
    struct cpu_kernels kernels;
    struct cpu_scratch scratch;
    struct cpu_sequences sequences;
};

/** Rows of a job, all in one sequence. */
struct cpu_segment {
    uint32_t seq;
    uint32_t row, rows; /* of the job */
    uint32_t token;     /* of the sequence, where the rows begin */
    uint32_t length;    /* of the sequence */
};

/** Heads, of those that a token has. */
struct cpu_heads {
    uint32_t begin, end;
};

/** Which outputs of the linear layers are made here: from whole panels and whole blocks of a rotation on. */
struct cpu_share {
    struct cpu_heads heads;            /* of Q, K and V, and so of attention */
    uint32_t hidden_begin, hidden_end; /* of the output projection and FFN2 */
    uint32_t inner_begin, inner_end;   /* of FFN1 */
};

/** What the steps of a layer share: which layer, and the error to fill. */
struct cpu_step {
    struct cpu_engine *engine;
    const struct cpu_scratch *scratch;
    const struct board_job *job;
    const struct image_layer *layer;
    uint32_t index; /* of the layer */
    bool verify;
    struct cpu_share share;
    uint32_t *wrong_row; /* of the job, whose sum was wrong last, or a value not finite; NULL: nobody asks */
    struct error *err;
};

/** Bytes from a row of so many bytes to the next: an odd number of cache lines, so that rows of a tile do not fall into
 *  the same set of a cache. */
size_t cpu_stride_of(size_t bytes);
/** Elements from a row of accumulators to the next. */
size_t cpu_acc_stride(const struct image *image);
/** Fixed scratch for the engine's image. Errors: NO_MEMORY. */
enum status cpu_scratch_init(struct cpu_engine *engine, struct error *err);
void cpu_scratch_finish(struct cpu_engine *engine);
/** Room for this many rows and token blocks of whole sequences. Errors: NO_MEMORY; what there was stays. */
enum status cpu_sequences_reserve(struct cpu_engine *engine, size_t rows, size_t blocks, struct error *err);
void cpu_sequences_finish(struct cpu_engine *engine);

/** The segment that `row` begins, ending at `row_end` or with its sequence. */
struct cpu_segment cpu_segment_at(const struct board_job *job, uint32_t row, uint32_t row_end);
/** Store the keys of one token, or the values of `count` tokens from `token` on, of these heads: bytes
 *  [heads][head_dim_padded]. */
void cpu_kv_put_key(const struct cpu_kv *kv, const struct image *image, const struct cpu_segment *segment,
                    struct cpu_heads heads, uint32_t token, const int8_t *bytes);
void cpu_kv_put_values(const struct cpu_kv *kv, const struct image *image, const struct cpu_segment *segment,
                       struct cpu_heads heads, uint32_t token, uint32_t count, const int8_t *bytes);
/** Index of the scale of head `head` of a token in kv's scales. */
size_t cpu_kv_scale_index(const struct cpu_kv *kv, const struct image *image, const struct cpu_segment *segment,
                          uint32_t head, uint32_t token);

/** All outputs of every linear layer. */
struct cpu_share cpu_share_whole(const struct image *image);
/** The whole sequences from `row` on that go together, as far as `row_end` at most: room for their keys and values in
 *  the engine's sequences. `ret_next`: the row behind them. Errors: NO_MEMORY. */
enum status cpu_sequences_begin(const struct cpu_step *step, uint32_t row, uint32_t row_end, uint32_t *ret_next);

/** Rows of the next block where `left` remain: blocks of about the same size, so that no small one reads all the
 * weights for itself, but of whole tiles. */
uint32_t cpu_block_rows(const struct cpu_step *step, uint32_t left);

/* The layer. Errors of all: BACKEND. */
/** hidden rows = LayerNorm(embeddings). */
enum status cpu_layer_embed(const struct cpu_step *step, uint32_t row_begin, uint32_t row_end);
/** hidden -> keys and values into kv and, if so wanted, queries into the engine's sequences: row_begin's at row 0. */
enum status cpu_layer_project(const struct cpu_step *step, const struct cpu_kv *kv, bool with_queries,
                              uint32_t row_begin, uint32_t row_end);
/** hidden, keys and values -> hidden. The queries are those that cpu_layer_project left for the
 *  same rows; or, with `make_queries`, they are made here. */
enum status cpu_layer_finish(const struct cpu_step *step, const struct cpu_kv *kv, bool make_queries,
                             uint32_t row_begin, uint32_t row_end);
/** One layer of a TENSOR task, by the boards of its team. Errors besides: CANCELLED (the team is broken), NO_MEMORY. */
enum status cpu_tensor_layer(struct cpu_engine *engine, const struct board_task *task, uint32_t layer,
                             struct error *err);
/** Bytes that the boards of a team exchange. */
size_t cpu_tensor_exchange_size(const struct image *image, uint32_t rows, uint32_t n_boards);

/* The steps that it is made of, over rows [begin + from, begin + to) of the block that begins at row `begin` of the
 * job; or over all rows of the block and the step's share of the outputs. */
/** hidden -> operands. */
enum status cpu_step_quantise_hidden(const struct cpu_step *step, const struct image_linear *linear, uint32_t begin,
                                     uint32_t from, uint32_t to);
/** operands -> keys and values into kv, and queries from row `query` of the engine's sequences on; CPU_NO_QUERIES:
 *  none. */
#define CPU_NO_QUERIES SIZE_MAX
enum status cpu_step_project(const struct cpu_step *step, const struct cpu_kv *kv, size_t query, uint32_t begin,
                             uint32_t rows);
/** Queries from row `query` of the engine's sequences on, keys and values -> scratch.mixed. */
enum status cpu_attention(const struct cpu_step *step, const struct cpu_kv *kv, size_t query, uint32_t row_begin,
                          uint32_t row_end);
/** mixed -> operands. */
enum status cpu_step_quantise_mixed(const struct cpu_step *step, uint32_t begin, uint32_t from, uint32_t to);
/** operands, or those of FFN2 -> sum_acc. */
void cpu_step_multiply(const struct cpu_step *step, const struct image_linear *linear, uint32_t rows);
/** hidden += sum_acc, then LayerNorm. */
enum status cpu_step_add(const struct cpu_step *step, const struct image_linear *linear, uint32_t begin, uint32_t from,
                         uint32_t to);
/** operands -> FFN1's outputs, activated and rotated, into scratch.inner; and their amax and sums. */
void cpu_step_activate(const struct cpu_step *step, uint32_t rows);
/** inner -> operands of FFN2, where `sums` are those of FFN1 and `amax` those of its outputs, [block_rows]. */
enum status cpu_step_quantise_inner(const struct cpu_step *step, const uint32_t *sums, const uint32_t *amax,
                                    uint32_t begin, uint32_t from, uint32_t to);
/** The sum of `count` outputs from `output` on of row `row` of a block, by accumulators [count] that are there; or,
 * NULL, computed once more from the operands: at most a panel. */
uint32_t cpu_step_sum(const struct cpu_step *step, const struct image_linear *linear, const int32_t *acc, uint32_t row,
                      uint32_t output, uint32_t count);

/** Row `row` of the job. */
float *cpu_hidden_row(const struct cpu_step *step, uint32_t row);
/** LayerNorm of rows, the last that is done to them: notes their sums for cpu_hidden_check. */
enum status cpu_hidden_norm(const struct cpu_step *step, const struct image_norm *norm, uint32_t row, uint32_t rows);
/** A row has been read, whose bits have this sum: BACKEND where it is not as cpu_hidden_norm left it. */
enum status cpu_hidden_check(const struct cpu_step *step, uint32_t row, uint32_t sum);
/** Whether the bits of max|x| are those of a number, FLT_MAX at most. */
static inline bool cpu_is_finite(uint32_t amax_bits)
{
    return amax_bits <= 0x7f7fffffu;
}
/** BACKEND naming layer and row: always, and where the bits of max|x| say so. */
enum status cpu_not_finite(const struct cpu_step *step, uint32_t row);
enum status cpu_check_finite(const struct cpu_step *step, uint32_t amax_bits, uint32_t row);
/** BACKEND naming layer, row and product where the sum of the accumulators is not the expected one. */
enum status cpu_check_product(const struct cpu_step *step, const char *product, uint32_t row, uint32_t sum,
                              uint32_t expected);
/** kernels.prepare, where there is one. */
void cpu_gemm_prepare(const struct cpu_engine *engine, const struct cpu_gemm *gemm);
/** kernels.linear and kernels.gemm, with the faults that are due, among so many inputs and outputs that are no padding,
 *  and in the lower `bits` of an accumulator: what flips above them is in no result. */
void cpu_gemm_linear(struct cpu_engine *engine, const struct cpu_gemm *gemm, size_t inputs, size_t outputs);
void cpu_gemm_attention(struct cpu_engine *engine, const struct cpu_gemm *gemm, size_t outputs, unsigned bits);
/** kernels.linear_add, if it can do this and no fault is armed that would happen in between. */
bool cpu_gemm_add(const struct cpu_engine *engine, const struct cpu_gemm *gemm, const struct cpu_addition *to);
/** `rows` rows of operands of a linear layer, `stride` bytes apart, have been made: with the fault that is due. */
void cpu_faults_operands(struct cpu_engine *engine, void *operands, size_t stride, size_t rows, size_t inputs);
/** False where there is no memory. */
bool cpu_faults_arm(struct cpu_engine *engine, unsigned mask, uint64_t seed);

#endif
