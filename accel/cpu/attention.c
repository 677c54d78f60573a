/* Attention of some rows over their whole sequences: per head, int8 scores by the gemm with token blocks as panels,
 * softmax row by row, and P x V by the gemm with tokens as inputs.
 */
#include <math.h>
#include <string.h>

#include "accel/cpu/cpu_engine.h"

/* One head of the rows of one segment. */
struct head {
    size_t blocks;        /* of tokens */
    size_t padded;        /* tokens, in whole blocks */
    size_t block_stride;  /* bytes from a block of keys or values to the next */
    size_t place;         /* of the first (block, head) in kv */
    size_t rows;          /* attended together */
    size_t score_stride;  /* elements of a row of scores */
    size_t weight_stride; /* bytes of a row of P, or of its digits */
    const char *queries;  /* operands of the first row */
    const float *query_scales;
    float *mixed; /* of the first row: where the head's output goes */
};

static void gather_scales(float *to, const float *scales, const struct head *head, size_t heads)
{
    for (size_t b = 0; b < head->blocks; b++)
        memcpy(to + b * IMAGE_PANEL, scales + (head->place + b * heads) * IMAGE_PANEL, IMAGE_PANEL * sizeof *to);
}

/* Keys, which all rows of a head multiply: dimensions are inputs, tokens outputs. */
static struct cpu_gemm keys_of(const struct cpu_engine *engine, const struct cpu_kv *kv, const struct head *head)
{
    const size_t width = engine->base.image->head_dim_padded;
    return (struct cpu_gemm){
        .weights = kv->keys + head->place * IMAGE_PANEL * width,
        .panel_stride = head->block_stride,
        .n_blocks = 1,
        .block_groups = width / IMAGE_GROUP,
        .n_panels = head->blocks,
    };
}

/* Values, which all rows of a head multiply: tokens are inputs, dimensions outputs. */
static struct cpu_gemm values_of(const struct cpu_engine *engine, const struct cpu_kv *kv, const struct head *head)
{
    const size_t width = engine->base.image->head_dim_padded;
    return (struct cpu_gemm){
        .weights = kv->values + head->place * IMAGE_PANEL * width,
        .panel_stride = IMAGE_PANEL * IMAGE_PANEL,
        .block_stride = head->block_stride,
        .n_blocks = head->blocks,
        .block_groups = IMAGE_PANEL / IMAGE_GROUP,
        .n_panels = width / IMAGE_PANEL,
    };
}

/* Once for all rows of a head. Where operands carry an offset, sums of each key take it out: a row of ones gives them.
 */
static void sum_head(const struct cpu_step *step, const struct cpu_kv *kv, const struct head *head)
{
    const struct cpu_kernels *k = &step->engine->kernels;
    const struct cpu_scratch *s = &step->engine->scratch;
    struct cpu_gemm keys = keys_of(step->engine, kv, head), values = values_of(step->engine, kv, head);
    if (step->verify) {
        k->column_sums(s->key_checks, &keys);
        k->column_sums(s->value_checks, &values);
    }
    if (k->operand.offset) {
        keys.rows = s->ones;
        keys.n_rows = 1;
        keys.acc = s->key_sums;
        k->gemm(&keys);
    }
}

/* Scores as accumulators. */
static void multiply_keys(struct cpu_engine *engine, const struct cpu_kv *kv, const struct head *head)
{
    const struct cpu_scratch *s = &engine->scratch;
    struct cpu_gemm gemm = keys_of(engine, kv, head);
    gemm.rows = head->queries;
    gemm.row_stride = engine->sequences.query_stride;
    gemm.row_sums = engine->kernels.operand.offset ? s->key_sums : NULL;
    gemm.acc = (int32_t *)s->scores;
    gemm.acc_stride = head->score_stride;
    gemm.n_rows = head->rows;
    cpu_gemm_attention(engine, &gemm, head->padded, 32);
}

static void multiply_values(struct cpu_engine *engine, const struct cpu_kv *kv, const struct head *head)
{
    const struct cpu_scratch *s = &engine->scratch;
    struct cpu_gemm gemm = values_of(engine, kv, head);
    gemm.rows = s->weights;
    gemm.row_stride = head->weight_stride;
    gemm.acc = s->context;
    gemm.acc_stride = engine->base.image->head_dim_padded;
    gemm.n_rows = head->rows * engine->kernels.n_digits;
    /* A sum of higher digits counts 128 times. */
    const unsigned bits = engine->kernels.n_digits == 2 ? 25 : 32;
    cpu_gemm_attention(engine, &gemm, engine->base.image->head_dim, bits);
}

/* `row`: the first of the head's rows in the job. */
static enum status check_head(const struct cpu_step *step, const struct head *head, const struct cpu_attention *a,
                              uint32_t row)
{
    const struct cpu_engine *engine = step->engine;
    const struct cpu_scratch *s = &engine->scratch;
    enum status status = STATUS_OK;
    for (size_t r = 0; r < head->rows && !status; r++) {
        const void *query = head->queries + r * engine->sequences.query_stride;
        uint32_t expected = engine->kernels.product(query, s->key_checks, engine->base.image->head_dim_padded);
        status = cpu_check_product(step, "queries with keys", row + (uint32_t)r, a->score_sums[r], expected);
        if (!status && !isnan(a->factors[r])) /* a row without p is found by who quantises its context */
            status = cpu_check_product(step, "weights with values", row + (uint32_t)r, s->sums[r], a->products[r]);
    }
    return status;
}

static enum status attend_head(const struct cpu_step *step, const struct cpu_kv *kv, const struct head *head,
                               uint32_t length, uint32_t row)
{
    struct cpu_engine *engine = step->engine;
    const struct cpu_scratch *s = &engine->scratch;
    const struct image *image = engine->base.image;
    const bool split = engine->kernels.n_digits == 2;
    const struct cpu_attention attention = {
        .n_rows = head->rows,
        .n = length,
        .scores = s->scores,
        .score_stride = head->score_stride,
        .scales = head->query_scales,
        .scale_stride = image->shape.heads,
        .key_scales = s->token_scales,
        .value_scales = s->token_scales + IMAGE_MAX_SEQUENCE,
        .high = s->weights,
        .low = split ? (char *)s->weights + head->rows * head->weight_stride : NULL,
        .digit_stride = head->weight_stride,
        .value_sums = s->value_checks,
        .narrow_sums = image->head_dim * INT8_MAX <= INT16_MAX,
        .score_sums = s->score_sums,
        .products = s->products,
        .factors = s->factors,
    };
    multiply_keys(engine, kv, head);
    engine->kernels.attend(&attention);
    multiply_values(engine, kv, head);
    engine->kernels.context(head->mixed, image->shape.hidden, s->context,
                            split ? s->context + head->rows * image->head_dim_padded : NULL, image->head_dim_padded,
                            s->factors, s->sums, image->head_dim, head->rows);
    return step->verify ? check_head(step, head, &attention, row) : STATUS_OK;
}

static enum status attend_segment(const struct cpu_step *step, const struct cpu_kv *kv,
                                  const struct cpu_segment *segment, size_t query, float *mixed)
{
    const struct cpu_engine *engine = step->engine;
    const struct cpu_sequences *queries = &engine->sequences;
    const struct image *image = engine->base.image;
    const size_t heads = image->shape.heads, width = image->head_dim_padded;
    struct head head = {.blocks = (segment->length + IMAGE_PANEL - 1) / IMAGE_PANEL};
    head.padded = head.blocks * IMAGE_PANEL;
    head.block_stride = heads * IMAGE_PANEL * width;
    head.score_stride = head.padded + IMAGE_PANEL;
    head.weight_stride = cpu_stride_of(head.padded * engine->kernels.operand.size);
    const size_t most = engine->scratch.attention_size / head.score_stride / CPU_TILE_ROWS * CPU_TILE_ROWS;
    for (uint32_t h = step->share.heads.begin; h < step->share.heads.end; h++) {
        head.place = cpu_kv_scale_index(kv, image, segment, h, 0) / IMAGE_PANEL;
        gather_scales(engine->scratch.token_scales, kv->key_scales, &head, heads);
        gather_scales(engine->scratch.token_scales + IMAGE_MAX_SEQUENCE, kv->value_scales, &head, heads);
        sum_head(step, kv, &head);
        for (size_t r = 0; r < segment->rows; r += head.rows) {
            head.rows = segment->rows - r < most ? segment->rows - r : most;
            head.queries = (const char *)queries->queries + (query + r) * queries->query_stride +
                           h * width * engine->kernels.operand.size;
            head.query_scales = queries->query_scales + (query + r) * heads + h;
            head.mixed = mixed + r * image->shape.hidden + h * image->head_dim;
            enum status status = attend_head(step, kv, &head, segment->length, segment->row + (uint32_t)r);
            if (status)
                return status;
        }
    }
    return STATUS_OK;
}

enum status cpu_attention(const struct cpu_step *step, const struct cpu_kv *kv, size_t query, uint32_t row_begin,
                          uint32_t row_end)
{
    struct cpu_segment segment;
    for (uint32_t row = row_begin; row < row_end; row += segment.rows) {
        segment = cpu_segment_at(step->job, row, row_end);
        float *mixed = step->scratch->mixed + (size_t)(row - row_begin) * step->engine->base.image->shape.hidden;
        enum status status = attend_segment(step, kv, &segment, query + (row - row_begin), mixed);
        if (status)
            return status;
    }
    return STATUS_OK;
}
