/* The steps of a layer over blocks of rows. Row r of a block is the job's row `begin + r`. */
#include "accel/cpu/cpu_engine.h"
#include "accel/cpu/tiles.h"

enum { PROJECTION_QUERY, PROJECTION_KEY, PROJECTION_VALUE };

#define FINITE_BITS 0x7f7fffffu /* of FLT_MAX: above are Inf and NaN */

struct factors {
    float scale;   /* of the quantised row */
    float inverse; /* what brings the row to +-127 */
};

static struct factors factors_of(uint32_t amax_bits)
{
    float amax;
    __builtin_memcpy(&amax, &amax_bits, sizeof amax);
    if (amax < IMAGE_TINY)
        return (struct factors){0, 0};
    return (struct factors){amax * (1.0f / 127), 127 / amax};
}

static enum status not_finite(const struct cpu_step *step, uint32_t row)
{
    return error_set(step->err, STATUS_BACKEND, "layer %u, row %u: a value is not finite", step->index, row);
}

static enum status check_finite(const struct cpu_step *step, uint32_t amax_bits, uint32_t row)
{
    return amax_bits <= FINITE_BITS ? STATUS_OK : not_finite(step, row);
}

static float *hidden_row(const struct cpu_step *step, uint32_t row)
{
    return step->job->hidden + (size_t)row * step->engine->base.image->shape.hidden;
}

/* For check_hidden: rows of hidden states have been written. */
static void leave_hidden(const struct cpu_step *step, uint32_t row, uint32_t rows)
{
    const struct cpu_kernels *k = &step->engine->kernels;
    const size_t n = step->engine->base.image->shape.hidden;
    uint32_t *sums = step->job->hidden_sums;
    for (uint32_t r = row; sums && step->verify && r < row + rows; r++)
        sums[r] = k->sum_bits(hidden_row(step, r), n);
    engine_faults_hidden(&step->engine->faults, hidden_row(step, row), rows * n);
}

/* A row of hidden states is about to be read: it is as leave_hidden saw it. */
static enum status check_hidden(const struct cpu_step *step, uint32_t row)
{
    const uint32_t *sums = step->job->hidden_sums;
    if (!sums || !step->verify)
        return STATUS_OK;
    uint32_t sum = step->engine->kernels.sum_bits(hidden_row(step, row), step->engine->base.image->shape.hidden);
    if (sum == sums[row])
        return STATUS_OK;
    return error_set(step->err, STATUS_BACKEND, "checksum of the hidden state before layer %u, row %u: %#x, not %#x",
                     step->index, row, sum, sums[row]);
}

enum status cpu_layer_embed(const struct cpu_step *step, uint32_t row_begin, uint32_t row_end)
{
    const struct cpu_kernels *k = &step->engine->kernels;
    const struct image *image = step->engine->base.image;
    const struct board_job *job = step->job;
    const size_t n = image->shape.hidden;
    struct cpu_segment segment;
    for (uint32_t row = row_begin; row < row_end; row += segment.rows) {
        segment = cpu_segment_at(job, row, row_end);
        for (uint32_t r = row; r < row + segment.rows; r++) {
            float *x = hidden_row(step, r);
            size_t position = segment.token + (r - row), type = job->type_ids ? job->type_ids[r] : 0;
            k->embed(x, image->word_embeddings + job->ids[r] * n, image->position_embeddings + position * n,
                     image->type_embeddings + type * n, n);
            if (k->norm(x, n, &image->embedding_norm, image->shape.layer_norm_eps, n, 1) < 1)
                return not_finite(step, r);
        }
        leave_hidden(step, row, segment.rows);
    }
    return STATUS_OK;
}

enum status cpu_check_product(const struct cpu_step *step, const char *product, uint32_t row, uint32_t sum,
                              uint32_t expected)
{
    if (sum == expected || !step->verify)
        return STATUS_OK;
    return error_set(step->err, STATUS_BACKEND, "checksum of %s, layer %u, row %u: %#x, but its operands give %#x",
                     product, step->index, row, sum, expected);
}

/* Row r of a block -> operands, and the products that check what will be made of it. */
static void quantise(const struct cpu_step *step, void *operands, const float *x, const struct image_linear *linear,
                     uint32_t row, uint32_t amax)
{
    const struct cpu_engine *engine = step->engine;
    const struct cpu_scratch *s = &engine->scratch;
    struct factors factors = factors_of(amax);
    s->operand_scales[row] = factors.scale;
    const struct cpu_check check = {
        .checks = linear->checks,
        .n_projections = linear->projections,
        .products = s->products + (size_t)row * CPU_PROJECTIONS,
        .planes = cpu_planes_of(engine->base.image, linear),
    };
    engine->kernels.quantise(operands, x, factors.inverse, linear->in, step->verify ? &check : NULL);
}

/* A block of rows, with `count` outputs of a linear layer from `output`, a panel's first, on. */
static struct cpu_gemm gemm_of(const struct cpu_engine *engine, const struct image_linear *linear, const void *operands,
                               size_t stride, uint32_t rows, uint32_t output, uint32_t count)
{
    const size_t panel = output / IMAGE_PANEL, panel_size = (size_t)linear->in_padded * IMAGE_PANEL;
    const struct cpu_clipped clipped = cpu_clipped_of(engine->base.image, linear);
    return (struct cpu_gemm){
        .rows = operands,
        .row_stride = stride,
        .weights = linear->weights + panel * panel_size,
        .panel_stride = panel_size,
        .n_blocks = 1,
        .block_groups = linear->in_padded / IMAGE_GROUP,
        .row_sums = linear->row_sums + output,
        .acc = engine->scratch.acc,
        .acc_stride = engine->scratch.acc_stride,
        .n_rows = rows,
        .n_panels = (count + IMAGE_PANEL - 1) / IMAGE_PANEL,
        .clipped = cpu_clipped_from(&clipped, linear, panel),
        .work = engine->scratch.work,
    };
}

/* Once for all that is made of a block of operands. */
static void prepare(const struct cpu_engine *engine, const struct image_linear *linear, const void *operands,
                    size_t stride, uint32_t rows)
{
    const struct cpu_gemm gemm = gemm_of(engine, linear, operands, stride, rows, 0, linear->out);
    cpu_gemm_prepare(engine, &gemm);
}

static void accumulate(struct cpu_engine *engine, const struct image_linear *linear, const void *operands,
                       size_t stride, uint32_t rows, uint32_t output, uint32_t count)
{
    const struct cpu_gemm gemm = gemm_of(engine, linear, operands, stride, rows, output, count);
    cpu_gemm_linear(engine, &gemm, linear->in, count);
}

static struct cpu_epilogue epilogue(const struct cpu_engine *engine, const struct image_linear *linear, uint32_t row,
                                    uint32_t output)
{
    return (struct cpu_epilogue){linear->scales + output, linear->bias + output, engine->scratch.operand_scales[row]};
}

/* hidden rows -> operands. */
static enum status quantise_hidden(const struct cpu_step *step, const struct image_linear *linear, uint32_t begin,
                                   uint32_t rows)
{
    const struct cpu_kernels *k = &step->engine->kernels;
    struct cpu_scratch *s = &step->engine->scratch;
    for (uint32_t r = 0; r < rows; r++) {
        enum status status = check_hidden(step, begin + r);
        if (status)
            return status;
        uint32_t amax = k->rotate(s->row, hidden_row(step, begin + r), linear->in, linear->rotation);
        status = check_finite(step, amax, begin + r);
        if (status)
            return status;
        quantise(step, (char *)s->operands + r * s->hidden_stride, s->row, linear, r, amax);
    }
    prepare(step->engine, linear, s->operands, s->hidden_stride, rows);
    return STATUS_OK;
}

/* Operands -> accumulators of Q, K or V. */
static void accumulate_projection(const struct cpu_step *step, int projection, uint32_t rows)
{
    struct cpu_engine *engine = step->engine;
    accumulate(engine, &step->layer->qkv, engine->scratch.operands, engine->scratch.hidden_stride, rows,
               image_qkv_offset(engine->base.image, projection), engine->base.image->shape.hidden);
}

/* Accumulators of row `row` of a block of Q, K or V, which is the job's row `job_row` -> values in scratch.row. */
static enum status dequantise_projection(const struct cpu_step *step, int projection, uint32_t row, uint32_t job_row)
{
    static const char *const names[CPU_PROJECTIONS] = {"queries", "keys", "values"};
    const struct cpu_engine *engine = step->engine;
    const struct cpu_scratch *s = &engine->scratch;
    const struct cpu_epilogue e =
        epilogue(engine, &step->layer->qkv, row, image_qkv_offset(engine->base.image, projection));
    uint32_t sum =
        engine->kernels.dequantise(s->row, s->acc + row * s->acc_stride, &e, engine->base.image->shape.hidden);
    return cpu_check_product(step, names[projection], job_row, sum,
                             s->products[(size_t)row * CPU_PROJECTIONS + (size_t)projection]);
}

static enum status put_queries(const struct cpu_step *step, size_t query, uint32_t begin, uint32_t rows)
{
    const struct cpu_kernels *k = &step->engine->kernels;
    const struct cpu_sequences *to = &step->engine->sequences;
    const struct image *image = step->engine->base.image;
    const size_t heads = image->shape.heads;
    for (uint32_t r = 0; r < rows; r++, query++) {
        enum status status = dequantise_projection(step, PROJECTION_QUERY, r, begin + r);
        if (status)
            return status;
        uint32_t amax =
            k->quantise_heads((char *)to->queries + query * to->query_stride, to->query_scales + query * heads,
                              step->engine->scratch.row, heads, image->head_dim);
        status = check_finite(step, amax, begin + r);
        if (status)
            return status;
    }
    return STATUS_OK;
}

/* Accumulators of one row of K or V -> bytes, and scales into kv. */
static enum status quantise_token(const struct cpu_step *step, int projection, const struct cpu_kv *kv,
                                  const struct cpu_segment *segment, uint32_t token, uint32_t row, int8_t *bytes)
{
    const struct cpu_scratch *s = &step->engine->scratch;
    const struct image *image = step->engine->base.image;
    float *scales = projection == PROJECTION_KEY ? kv->key_scales : kv->value_scales;
    const uint32_t job_row = segment->row + (token - segment->token);
    enum status status = dequantise_projection(step, projection, row, job_row);
    if (status)
        return status;
    uint32_t amax =
        step->engine->kernels.quantise_head_bytes(bytes, s->head_scales, s->row, image->shape.heads, image->head_dim);
    for (uint32_t h = 0; h < image->shape.heads; h++)
        scales[cpu_kv_scale_index(kv, image, segment, h, token)] = s->head_scales[h];
    return check_finite(step, amax, job_row);
}

static enum status put_keys(const struct cpu_step *step, const struct cpu_kv *kv, const struct cpu_segment *segment,
                            uint32_t row)
{
    const struct image *image = step->engine->base.image;
    int8_t *bytes = step->engine->scratch.bytes;
    for (uint32_t i = 0; i < segment->rows; i++) {
        uint32_t token = segment->token + i;
        enum status status = quantise_token(step, PROJECTION_KEY, kv, segment, token, row + i, bytes);
        if (status)
            return status;
        cpu_kv_put_key(kv, image, segment, token, bytes);
    }
    return STATUS_OK;
}

/* Four tokens of a group at a time where all four are here. */
static enum status put_values(const struct cpu_step *step, const struct cpu_kv *kv, const struct cpu_segment *segment,
                              uint32_t row)
{
    const struct image *image = step->engine->base.image;
    const size_t stride = (size_t)image->shape.heads * image->head_dim_padded;
    int8_t *bytes = step->engine->scratch.bytes;
    uint32_t end = segment->token + segment->rows;
    for (uint32_t token = segment->token, count; token < end; token += count, row += count) {
        uint32_t next = (token / IMAGE_GROUP + 1) * IMAGE_GROUP;
        count = (next < end ? next : end) - token;
        for (uint32_t i = 0; i < count; i++) {
            enum status status =
                quantise_token(step, PROJECTION_VALUE, kv, segment, token + i, row + i, bytes + i * stride);
            if (status)
                return status;
        }
        cpu_kv_put_values(kv, image, segment, token, count, bytes);
    }
    return STATUS_OK;
}

static enum status put_keys_or_values(const struct cpu_step *step, int projection, const struct cpu_kv *kv,
                                      uint32_t begin, uint32_t rows)
{
    struct cpu_segment segment;
    accumulate_projection(step, projection, rows);
    for (uint32_t row = begin; row < begin + rows; row += segment.rows) {
        segment = cpu_segment_at(step->job, row, begin + rows);
        enum status status = (projection == PROJECTION_KEY ? put_keys : put_values)(step, kv, &segment, row - begin);
        if (status)
            return status;
    }
    return STATUS_OK;
}

/* Blocks of about the same size, so that no small one reads all the weights for itself. */
static uint32_t block_rows(const struct cpu_step *step, uint32_t left)
{
    return (uint32_t)cpu_tile_rows(left, step->engine->scratch.block_rows);
}

enum status cpu_layer_project(const struct cpu_step *step, const struct cpu_kv *kv, bool with_queries,
                              uint32_t row_begin, uint32_t row_end)
{
    for (uint32_t row = row_begin, rows; row < row_end; row += rows) {
        rows = block_rows(step, row_end - row);
        enum status status = quantise_hidden(step, &step->layer->qkv, row, rows);
        if (!status && with_queries) {
            accumulate_projection(step, PROJECTION_QUERY, rows);
            status = put_queries(step, row - row_begin, row, rows);
        }
        if (!status)
            status = put_keys_or_values(step, PROJECTION_KEY, kv, row, rows);
        if (!status)
            status = put_keys_or_values(step, PROJECTION_VALUE, kv, row, rows);
        if (status)
            return status;
    }
    return STATUS_OK;
}

/* hidden += accumulators, then LayerNorm. */
static enum status add_and_norm(const struct cpu_step *step, const char *product, const struct image_linear *linear,
                                const struct image_norm *norm, uint32_t begin, uint32_t rows)
{
    const struct cpu_engine *engine = step->engine;
    const struct cpu_scratch *s = &engine->scratch;
    const struct image_shape *shape = &engine->base.image->shape;
    for (uint32_t r = 0; r < rows; r++) {
        const struct cpu_epilogue e = epilogue(engine, linear, r, 0);
        enum status status = check_hidden(step, begin + r);
        if (status)
            return status;
        uint32_t sum = engine->kernels.add(hidden_row(step, begin + r), s->acc + r * s->acc_stride, &e, shape->hidden);
        status = cpu_check_product(step, product, begin + r, sum, s->products[(size_t)r * CPU_PROJECTIONS]);
        if (status)
            return status;
    }
    size_t good =
        engine->kernels.norm(hidden_row(step, begin), shape->hidden, norm, shape->layer_norm_eps, shape->hidden, rows);
    if (good < rows)
        return not_finite(step, begin + (uint32_t)good);
    leave_hidden(step, begin, rows);
    return STATUS_OK;
}

/* Attention's output in scratch.mixed -> hidden. */
static enum status output_projection(const struct cpu_step *step, uint32_t begin, uint32_t rows)
{
    const struct cpu_kernels *k = &step->engine->kernels;
    struct cpu_scratch *s = &step->engine->scratch;
    const struct image_linear *linear = &step->layer->output;
    for (uint32_t r = 0; r < rows; r++) {
        const float *x = s->mixed + (size_t)r * linear->in;
        uint32_t amax = k->amax(x, linear->in);
        enum status status = check_finite(step, amax, begin + r);
        if (status)
            return status;
        quantise(step, (char *)s->operands + r * s->hidden_stride, x, linear, r, amax);
    }
    prepare(step->engine, linear, s->operands, s->hidden_stride, rows);
    accumulate(step->engine, linear, s->operands, s->hidden_stride, rows, 0, linear->out);
    return add_and_norm(step, "the output projection", linear, &step->layer->attention_norm, begin, rows);
}

/* FFN1's outputs from `output` on: accumulators -> activated and rotated values in scratch.inner, and their amax. */
static void activate_chunk(const struct cpu_step *step, uint32_t output, uint32_t count, uint32_t rows)
{
    const struct cpu_engine *engine = step->engine;
    const struct cpu_scratch *s = &engine->scratch;
    const struct image_linear *linear = &step->layer->ffn1;
    for (uint32_t r = 0; r < rows; r++) {
        const struct cpu_epilogue e = epilogue(engine, linear, r, output);
        float *y = s->inner + (size_t)r * linear->out + output;
        s->sums[r] +=
            engine->kernels.activate(y, s->acc + r * s->acc_stride, &e, engine->base.image->shape.activation, count);
        uint32_t amax = engine->kernels.rotate(y, y, count, step->layer->ffn2.rotation);
        if (amax > s->inner_amax[r])
            s->inner_amax[r] = amax;
    }
}

static enum status feed_forward(const struct cpu_step *step, uint32_t begin, uint32_t rows)
{
    struct cpu_scratch *s = &step->engine->scratch;
    const struct image_linear *first = &step->layer->ffn1, *second = &step->layer->ffn2;
    enum status status = quantise_hidden(step, first, begin, rows);
    if (status)
        return status;
    for (uint32_t r = 0; r < rows; r++)
        s->inner_amax[r] = s->sums[r] = 0;
    for (uint32_t output = 0; output < first->out; output += CPU_CHUNK) {
        uint32_t count = first->out - output < CPU_CHUNK ? first->out - output : CPU_CHUNK;
        accumulate(step->engine, first, s->operands, s->hidden_stride, rows, output, count);
        activate_chunk(step, output, count, rows);
    }
    for (uint32_t r = 0; r < rows; r++) {
        status = cpu_check_product(step, "ffn1", begin + r, s->sums[r], s->products[(size_t)r * CPU_PROJECTIONS]);
        if (!status)
            status = check_finite(step, s->inner_amax[r], begin + r);
        if (status)
            return status;
        quantise(step, (char *)s->inner_operands + r * s->inner_stride, s->inner + (size_t)r * second->in, second, r,
                 s->inner_amax[r]);
    }
    prepare(step->engine, second, s->inner_operands, s->inner_stride, rows);
    accumulate(step->engine, second, s->inner_operands, s->inner_stride, rows, 0, second->out);
    return add_and_norm(step, "ffn2", second, &step->layer->output_norm, begin, rows);
}

enum status cpu_layer_finish(const struct cpu_step *step, const struct cpu_kv *kv, bool make_queries,
                             uint32_t row_begin, uint32_t row_end)
{
    for (uint32_t row = row_begin, rows; row < row_end; row += rows) {
        rows = block_rows(step, row_end - row);
        enum status status = STATUS_OK;
        if (make_queries) {
            status = quantise_hidden(step, &step->layer->qkv, row, rows);
            if (!status) {
                accumulate_projection(step, PROJECTION_QUERY, rows);
                status = put_queries(step, 0, row, rows);
            }
        }
        if (!status)
            status = cpu_attention(step, kv, make_queries ? 0 : row - row_begin, row, row + rows);
        if (!status)
            status = output_projection(step, row, rows);
        if (!status)
            status = feed_forward(step, row, rows);
        if (status)
            return status;
    }
    return STATUS_OK;
}
