/* Attention of some rows over their whole sequences: per head, int8 scores by the gemm with token blocks as panels,
 * softmax row by row, and P x V by the gemm with tokens as inputs.
 *
 * Keys and values of a head are gathered first. Where they lie, token blocks are so far apart that they share few sets
 * of a cache.
 */
#include <math.h>
#include <string.h>

#include "accel/cpu/cpu_engine.h"
#include "accel/cpu/tiles.h"
#include "base/round_up.h"

/* One head of the rows of one segment. */
struct head {
    size_t blocks;        /* of tokens */
    size_t padded;        /* tokens, in whole blocks and whole tiles of inputs */
    size_t place;         /* of the first (block, head) in kv */
    size_t rows;          /* attended together */
    size_t score_stride;  /* elements of a row of scores */
    size_t weight_stride; /* bytes of a row of P, or of its digits */
    const char *queries;  /* operands of the first row */
    const float *query_scales;
    float *mixed; /* of the first row: where the head's output goes */
};

/* Keys and values token block by token block, of which a panel's follow one another, and their scales. */
static void gather(const struct cpu_engine *engine, const struct cpu_kv *kv, const struct head *head)
{
    const struct cpu_scratch *s = &engine->scratch;
    const size_t heads = engine->base.image->shape.heads, width = engine->base.image->head_dim_padded;
    for (size_t b = 0; b < head->blocks; b++) {
        const size_t place = (head->place + b * heads) * IMAGE_PANEL, token = b * IMAGE_PANEL;
        memcpy(s->keys + token * width, kv->keys + place * width, IMAGE_PANEL * width);
        for (size_t d = 0; d < width; d += IMAGE_PANEL)
            memcpy(s->values + d * head->padded + token * IMAGE_PANEL, kv->values + place * width + d * IMAGE_PANEL,
                   IMAGE_PANEL * IMAGE_PANEL);
        memcpy(s->token_scales + token, kv->key_scales + place, IMAGE_PANEL * sizeof(float));
        memcpy(s->token_scales + IMAGE_MAX_SEQUENCE + token, kv->value_scales + place, IMAGE_PANEL * sizeof(float));
    }
}

/* Keys, which all rows of a head multiply: dimensions are inputs, tokens outputs. */
static struct cpu_gemm keys_of(const struct cpu_engine *engine, const struct head *head)
{
    const size_t width = engine->base.image->head_dim_padded;
    return (struct cpu_gemm){
        .weights = engine->scratch.keys,
        .panel_stride = IMAGE_PANEL * width,
        .groups = width / IMAGE_GROUP,
        .n_panels = head->blocks,
    };
}

/* Values, which all rows of a head multiply: tokens are inputs, dimensions outputs. */
static struct cpu_gemm values_of(const struct cpu_engine *engine, const struct head *head)
{
    return (struct cpu_gemm){
        .weights = engine->scratch.values,
        .panel_stride = IMAGE_PANEL * head->padded,
        .groups = head->blocks * IMAGE_PANEL / IMAGE_GROUP,
        .n_panels = engine->base.image->head_dim_padded / IMAGE_PANEL,
    };
}

/* Once for all rows of a head. Where operands carry an offset, sums of each key take it out: a row of ones gives them.
 */
static void sum_head(const struct cpu_step *step, const struct head *head)
{
    const struct cpu_kernels *k = &step->engine->kernels;
    const struct cpu_scratch *s = &step->engine->scratch;
    struct cpu_gemm keys = keys_of(step->engine, head), values = values_of(step->engine, head);
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
static void multiply_keys(struct cpu_engine *engine, const struct head *head)
{
    const struct cpu_scratch *s = &engine->scratch;
    struct cpu_gemm gemm = keys_of(engine, head);
    gemm.rows = head->queries;
    gemm.row_stride = engine->sequences.query_stride;
    gemm.row_sums = engine->kernels.operand.offset ? s->key_sums : NULL;
    gemm.acc = (int32_t *)s->scores;
    gemm.acc_stride = head->score_stride;
    gemm.n_rows = head->rows;
    cpu_gemm_attention(engine, &gemm, head->blocks * IMAGE_PANEL, 32);
}

static void multiply_values(struct cpu_engine *engine, const struct head *head)
{
    const struct cpu_scratch *s = &engine->scratch;
    struct cpu_gemm gemm = values_of(engine, head);
    gemm.rows = s->weights;
    gemm.filled_up = true;
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
    const size_t size = head->rows * sizeof *s->expected;
    engine->kernels.products(s->expected, head->queries, engine->sequences.query_stride, s->key_checks,
                             engine->base.image->head_dim_padded, head->rows);
    if (memcmp(a->score_sums, s->expected, size) == 0 && memcmp(s->sums, a->products, size) == 0)
        return STATUS_OK;
    enum status status = STATUS_OK;
    for (size_t r = 0; r < head->rows && !status; r++) {
        status = cpu_check_product(step, "queries with keys", row + (uint32_t)r, a->score_sums[r], s->expected[r]);
        if (!status && !isnan(a->factors[r])) /* a row without p is found by who quantises its context */
            status = cpu_check_product(step, "weights with values", row + (uint32_t)r, s->sums[r], a->products[r]);
    }
    return status;
}

static enum status attend_head(const struct cpu_step *step, const struct head *head, uint32_t length, uint32_t row)
{
    struct cpu_engine *engine = step->engine;
    const struct cpu_scratch *s = &engine->scratch;
    const struct image *image = engine->base.image;
    const bool split = engine->kernels.n_digits == 2;
    const struct cpu_attention attention = {
        .n_rows = head->rows,
        .n = length,
        .padded = head->padded,
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
    const struct cpu_context context = {
        .n_rows = head->rows,
        .n = image->head_dim,
        .high = s->context,
        .low = split ? s->context + head->rows * image->head_dim_padded : NULL,
        .stride = image->head_dim_padded,
        .factors = s->factors,
        .y = head->mixed,
        .y_stride = image->shape.hidden,
        .sums = s->sums,
    };
    multiply_keys(engine, head);
    engine->kernels.attend(&attention);
    multiply_values(engine, head);
    engine->kernels.context(&context);
    return step->verify ? check_head(step, head, &attention, row) : STATUS_OK;
}

/* How many of the `left` rows are attended together: as many as leave their scores in the first-level cache. */
static size_t rows_of(const struct cpu_engine *engine, const struct head *head, size_t left)
{
    const size_t tiles = engine->scratch.near_scores / head->score_stride / CPU_TILE_ROWS;
    const size_t rows = round_up(cpu_tile_rows(left, (tiles ? tiles : 1) * CPU_TILE_ROWS), CPU_TILE_ROWS);
    return rows < left ? rows : left;
}

static enum status attend_segment(const struct cpu_step *step, const struct cpu_kv *kv,
                                  const struct cpu_segment *segment, size_t query, float *mixed)
{
    const struct cpu_engine *engine = step->engine;
    const struct cpu_sequences *queries = &engine->sequences;
    const struct image *image = engine->base.image;
    const size_t heads = image->shape.heads, width = image->head_dim_padded;
    struct head head = {.blocks = (segment->length + IMAGE_PANEL - 1) / IMAGE_PANEL};
    head.padded = round_up(head.blocks * IMAGE_PANEL, engine->kernels.tile_inputs);
    head.score_stride = head.padded + IMAGE_PANEL;
    head.weight_stride = cpu_stride_of(head.padded * engine->kernels.operand.size);
    for (uint32_t h = step->share.heads.begin; h < step->share.heads.end; h++) {
        head.place = cpu_kv_scale_index(kv, image, segment, h, 0) / IMAGE_PANEL;
        gather(engine, kv, &head);
        sum_head(step, &head);
        for (size_t r = 0; r < segment->rows; r += head.rows) {
            head.rows = rows_of(engine, &head, segment->rows - r);
            head.queries = (const char *)queries->queries + (query + r) * queries->query_stride +
                           h * width * engine->kernels.operand.size;
            head.query_scales = queries->query_scales + (query + r) * heads + h;
            head.mixed = mixed + r * image->shape.hidden + h * image->head_dim;
            enum status status = attend_head(step, &head, segment->length, segment->row + (uint32_t)r);
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
