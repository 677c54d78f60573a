/* The steps of a layer over blocks of rows. Row r of a block is the job's row `begin + r`. */
#include "accel/cpu/cpu_engine.h"
#include "accel/cpu/tiles.h"
#include "base/round_up.h"

enum { PROJECTION_QUERY, PROJECTION_KEY, PROJECTION_VALUE };

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

enum status cpu_check_product(const struct cpu_step *step, const char *product, uint32_t row, uint32_t sum,
                              uint32_t expected)
{
    if (sum == expected || !step->verify)
        return STATUS_OK;
    if (step->wrong_row)
        *step->wrong_row = row;
    return error_set(step->err, STATUS_BACKEND, "checksum of %s, layer %u, row %u: %#x, but its operands give %#x",
                     product, step->index, row, sum, expected);
}

struct cpu_share cpu_share_whole(const struct image *image)
{
    const struct image_shape *shape = &image->shape;
    return (struct cpu_share){
        .heads = {0, shape->heads}, .hidden_end = shape->hidden, .inner_end = shape->intermediate};
}

/* Where the operands of a linear layer are, and how far apart. */
struct operands {
    char *rows;
    size_t stride;
};

static struct operands operands_of(const struct cpu_step *step, const struct image_linear *linear)
{
    const struct cpu_scratch *s = step->scratch;
    return linear == &step->layer->ffn2 ? (struct operands){s->inner_operands, s->inner_stride}
                                        : (struct operands){s->operands, s->hidden_stride};
}

/* Row r of a block -> operands, and the sums that are expected of what will be made of it. */
static void quantise(const struct cpu_step *step, const float *x, const struct image_linear *linear, uint32_t row,
                     uint32_t amax)
{
    const struct operands to = operands_of(step, linear);
    struct cpu_quantised *quantised = &step->scratch->quantised[row];
    struct factors factors = factors_of(amax);
    quantised->scale = factors.scale;
    const struct cpu_check check = {
        .checks = linear->checks,
        .n_projections = linear->projections,
        .products = quantised->expected,
        .planes = cpu_planes_of(step->engine->base.image, linear),
    };
    step->engine->kernels.quantise(to.rows + row * to.stride, x, factors.inverse, linear->in,
                                   step->verify ? &check : NULL);
}

static void suffer_faults(const struct cpu_step *step, const struct image_linear *linear, uint32_t from, uint32_t to)
{
    const struct operands operands = operands_of(step, linear);
    cpu_faults_operands(step->engine, operands.rows + from * operands.stride, operands.stride, to - from, linear->in);
}

/* A block of rows, with `count` outputs of a linear layer from `output`, a panel's first, on. */
static struct cpu_gemm gemm_of(const struct cpu_step *step, const struct image_linear *linear, int32_t *acc,
                               uint32_t rows, uint32_t output, uint32_t count)
{
    const struct operands operands = operands_of(step, linear);
    const size_t panel = output / IMAGE_PANEL, panel_size = (size_t)linear->in_padded * IMAGE_PANEL;
    const struct cpu_clipped clipped = cpu_clipped_of(step->engine->base.image, linear);
    return (struct cpu_gemm){
        .rows = operands.rows,
        .row_stride = operands.stride,
        .weights = linear->weights + panel * panel_size,
        .panel_stride = panel_size,
        .groups = linear->in_padded / IMAGE_GROUP,
        .row_sums = linear->row_sums + output,
        .acc = acc,
        .acc_stride = step->scratch->acc_stride,
        .n_rows = rows,
        .n_panels = (count + IMAGE_PANEL - 1) / IMAGE_PANEL,
        .clipped = cpu_clipped_from(&clipped, linear, panel),
        .work = step->scratch->work,
    };
}

/* Once for all that is made of a block of operands. */
static void prepare(const struct cpu_step *step, const struct image_linear *linear, uint32_t rows)
{
    const struct cpu_gemm gemm = gemm_of(step, linear, step->scratch->acc, rows, 0, linear->out);
    cpu_gemm_prepare(step->engine, &gemm);
}

static void accumulate(const struct cpu_step *step, const struct image_linear *linear, int32_t *acc, uint32_t rows,
                       uint32_t output, uint32_t count)
{
    if (count == 0)
        return;
    const struct cpu_gemm gemm = gemm_of(step, linear, acc, rows, output, count);
    cpu_gemm_linear(step->engine, &gemm, linear->in, count);
}

static struct cpu_epilogue epilogue(const struct cpu_step *step, const struct image_linear *linear, uint32_t row,
                                    uint32_t output)
{
    return (struct cpu_epilogue){linear->scales + output, linear->bias + output, step->scratch->quantised[row].scale};
}

enum status cpu_step_quantise_hidden(const struct cpu_step *step, const struct image_linear *linear, uint32_t begin,
                                     uint32_t from, uint32_t to)
{
    const struct cpu_scratch *s = step->scratch;
    for (uint32_t r = from; r < to; r++) {
        uint32_t sum, amax = step->engine->kernels.rotate(s->row, cpu_hidden_row(step, begin + r), linear->in,
                                                          linear->rotation, &sum);
        enum status status = cpu_hidden_check(step, begin + r, sum);
        if (!status)
            status = cpu_check_finite(step, amax, begin + r);
        if (status)
            return status;
        quantise(step, s->row, linear, r, amax);
    }
    suffer_faults(step, linear, from, to);
    return STATUS_OK;
}

/* The first output of the step's heads in the matrix of Q, K and V, and how many they are. */
static uint32_t projection_begin(const struct cpu_step *step, int projection)
{
    const struct image *image = step->engine->base.image;
    return image_qkv_offset(image, projection) + step->share.heads.begin * image->head_dim;
}

static uint32_t heads_of(const struct cpu_step *step)
{
    return step->share.heads.end - step->share.heads.begin;
}

/* Operands -> accumulators of Q, K or V. */
static void accumulate_projection(const struct cpu_step *step, int projection, uint32_t rows)
{
    accumulate(step, &step->layer->qkv, step->scratch->acc, rows, projection_begin(step, projection),
               heads_of(step) * step->engine->base.image->head_dim);
}

/* Accumulators of row `row` of a block of Q, K or V, which is the job's row `job_row` -> values in scratch.row. */
static enum status dequantise_projection(const struct cpu_step *step, int projection, uint32_t row, uint32_t job_row)
{
    static const char *const names[CPU_PROJECTIONS] = {"queries", "keys", "values"};
    const struct cpu_scratch *s = step->scratch;
    const struct cpu_epilogue e = epilogue(step, &step->layer->qkv, row, projection_begin(step, projection));
    uint32_t sum = step->engine->kernels.dequantise(s->row, s->acc + row * s->acc_stride, &e,
                                                    heads_of(step) * step->engine->base.image->head_dim);
    if (s->share_sums) {
        s->share_sums[row * CPU_PROJECTIONS + (uint32_t)projection] = sum;
        return STATUS_OK;
    }
    return cpu_check_product(step, names[projection], job_row, sum, s->quantised[row].expected[projection]);
}

static enum status put_queries(const struct cpu_step *step, size_t query, uint32_t begin, uint32_t rows)
{
    const struct cpu_kernels *k = &step->engine->kernels;
    const struct cpu_sequences *to = &step->engine->sequences;
    const struct image *image = step->engine->base.image;
    const size_t first = step->share.heads.begin, at = first * image->head_dim_padded * k->operand.size;
    for (uint32_t r = 0; r < rows; r++, query++) {
        enum status status = dequantise_projection(step, PROJECTION_QUERY, r, begin + r);
        if (status)
            return status;
        uint32_t amax = k->quantise_heads((char *)to->queries + query * to->query_stride + at,
                                          to->query_scales + query * image->shape.heads + first, step->scratch->row,
                                          heads_of(step), image->head_dim);
        status = cpu_check_finite(step, amax, begin + r);
        if (status)
            return status;
    }
    return STATUS_OK;
}

/* Accumulators of one row of K or V -> bytes, and scales into kv. */
static enum status quantise_token(const struct cpu_step *step, int projection, const struct cpu_kv *kv,
                                  const struct cpu_segment *segment, uint32_t token, uint32_t row, int8_t *bytes)
{
    const struct cpu_scratch *s = step->scratch;
    const struct image *image = step->engine->base.image;
    const struct cpu_heads heads = step->share.heads;
    float *scales = projection == PROJECTION_KEY ? kv->key_scales : kv->value_scales;
    const uint32_t job_row = segment->row + (token - segment->token);
    enum status status = dequantise_projection(step, projection, row, job_row);
    if (status)
        return status;
    uint32_t amax = step->engine->kernels.quantise_head_bytes(bytes + (size_t)heads.begin * image->head_dim_padded,
                                                              s->head_scales, s->row, heads_of(step), image->head_dim);
    for (uint32_t h = heads.begin; h < heads.end; h++)
        scales[cpu_kv_scale_index(kv, image, segment, h, token)] = s->head_scales[h - heads.begin];
    return cpu_check_finite(step, amax, job_row);
}

static enum status put_keys(const struct cpu_step *step, const struct cpu_kv *kv, const struct cpu_segment *segment,
                            uint32_t row)
{
    const struct image *image = step->engine->base.image;
    int8_t *bytes = step->scratch->bytes;
    for (uint32_t i = 0; i < segment->rows; i++) {
        uint32_t token = segment->token + i;
        enum status status = quantise_token(step, PROJECTION_KEY, kv, segment, token, row + i, bytes);
        if (status)
            return status;
        cpu_kv_put_key(kv, image, segment, step->share.heads, token, bytes);
    }
    return STATUS_OK;
}

/* Four tokens of a group at a time where all four are here. */
static enum status put_values(const struct cpu_step *step, const struct cpu_kv *kv, const struct cpu_segment *segment,
                              uint32_t row)
{
    const struct image *image = step->engine->base.image;
    const size_t stride = (size_t)image->shape.heads * image->head_dim_padded;
    int8_t *bytes = step->scratch->bytes;
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
        cpu_kv_put_values(kv, image, segment, step->share.heads, token, count, bytes);
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

uint32_t cpu_block_rows(const struct cpu_step *step, uint32_t left)
{
    const size_t most = step->scratch->block_rows < left ? step->scratch->block_rows : left;
    const size_t rows = round_up(cpu_tile_rows(left, step->scratch->block_rows), CPU_TILE_ROWS);
    return (uint32_t)(rows < most ? rows : most);
}

enum status cpu_step_project(const struct cpu_step *step, const struct cpu_kv *kv, size_t query, uint32_t begin,
                             uint32_t rows)
{
    enum status status = STATUS_OK;
    prepare(step, &step->layer->qkv, rows);
    if (query != CPU_NO_QUERIES) {
        accumulate_projection(step, PROJECTION_QUERY, rows);
        status = put_queries(step, query, begin, rows);
    }
    if (!status && kv)
        status = put_keys_or_values(step, PROJECTION_KEY, kv, begin, rows);
    if (!status && kv)
        status = put_keys_or_values(step, PROJECTION_VALUE, kv, begin, rows);
    return status;
}

enum status cpu_layer_project(const struct cpu_step *step, const struct cpu_kv *kv, bool with_queries,
                              uint32_t row_begin, uint32_t row_end)
{
    for (uint32_t row = row_begin, rows; row < row_end; row += rows) {
        rows = cpu_block_rows(step, row_end - row);
        enum status status = cpu_step_quantise_hidden(step, &step->layer->qkv, row, 0, rows);
        if (!status)
            status = cpu_step_project(step, kv, with_queries ? row - row_begin : CPU_NO_QUERIES, row, rows);
        if (status)
            return status;
    }
    return STATUS_OK;
}

enum status cpu_step_quantise_mixed(const struct cpu_step *step, uint32_t begin, uint32_t from, uint32_t to)
{
    const struct image_linear *linear = &step->layer->output;
    for (uint32_t r = from; r < to; r++) {
        const float *x = step->scratch->mixed + (size_t)r * linear->in;
        uint32_t amax = step->engine->kernels.amax(x, linear->in);
        enum status status = cpu_check_finite(step, amax, begin + r);
        if (status)
            return status;
        quantise(step, x, linear, r, amax);
    }
    suffer_faults(step, linear, from, to);
    return STATUS_OK;
}

void cpu_step_multiply(const struct cpu_step *step, const struct image_linear *linear, uint32_t rows)
{
    const struct cpu_share *share = &step->share;
    prepare(step, linear, rows);
    accumulate(step, linear, step->scratch->sum_acc + share->hidden_begin, rows, share->hidden_begin,
               share->hidden_end - share->hidden_begin);
}

/* A row of the block was added to the hidden state: by the sums of its accumulators, and of what it was before. */
static enum status check_added(const struct cpu_step *step, const struct image_linear *linear, uint32_t begin,
                               uint32_t row, uint32_t sum, uint32_t before)
{
    enum status status = cpu_hidden_check(step, begin + row, before);
    if (status)
        return status;
    return cpu_check_product(step, linear == &step->layer->ffn2 ? "ffn2" : "the output projection", begin + row, sum,
                             step->scratch->quantised[row].expected[0]);
}

static enum status norm_added(const struct cpu_step *step, const struct image_linear *linear, uint32_t row,
                              uint32_t rows)
{
    const struct image_layer *layer = step->layer;
    return cpu_hidden_norm(step, linear == &layer->ffn2 ? &layer->output_norm : &layer->attention_norm, row, rows);
}

enum status cpu_step_add(const struct cpu_step *step, const struct image_linear *linear, uint32_t begin, uint32_t from,
                         uint32_t to)
{
    const struct cpu_kernels *k = &step->engine->kernels;
    const struct cpu_scratch *s = step->scratch;
    for (uint32_t r = from; r < to; r++) {
        const struct cpu_epilogue e = epilogue(step, linear, r, 0);
        uint32_t before, sum = k->add(cpu_hidden_row(step, begin + r), s->sum_acc + r * s->acc_stride, &e,
                                      step->engine->base.image->shape.hidden, &before);
        enum status status = check_added(step, linear, begin, r, sum, before);
        if (status)
            return status;
    }
    return norm_added(step, linear, begin + from, to - from);
}

/* All outputs, in one pass where the kernels have it. */
static enum status multiply_and_add(const struct cpu_step *step, const struct image_linear *linear, uint32_t begin,
                                    uint32_t rows)
{
    const struct cpu_scratch *s = step->scratch;
    const struct cpu_gemm gemm = gemm_of(step, linear, s->acc, rows, 0, linear->out);
    const struct cpu_addition addition = {
        .scales = linear->scales,
        .bias = linear->bias,
        .row_scales = &s->quantised->scale,
        .row_scale_stride = sizeof *s->quantised / sizeof s->quantised->scale,
        .x = cpu_hidden_row(step, begin),
        .x_stride = linear->out,
        .n = linear->out,
        .sums = s->sums,
        .before = s->before,
    };
    if (!cpu_gemm_add(step->engine, &gemm, &addition)) {
        cpu_step_multiply(step, linear, rows);
        return cpu_step_add(step, linear, begin, 0, rows);
    }
    for (uint32_t r = 0; r < rows; r++) {
        enum status status = check_added(step, linear, begin, r, s->sums[r], s->before[r]);
        if (status)
            return status;
    }
    return norm_added(step, linear, begin, rows);
}

/* FFN1's outputs from `output` on: accumulators -> activated and rotated values in scratch.inner, and their amax. */
static void activate_chunk(const struct cpu_step *step, uint32_t output, uint32_t count, uint32_t rows)
{
    const struct cpu_kernels *k = &step->engine->kernels;
    const struct cpu_scratch *s = step->scratch;
    const struct image_linear *linear = &step->layer->ffn1;
    for (uint32_t r = 0; r < rows; r++) {
        const struct cpu_epilogue e = epilogue(step, linear, r, output);
        float *y = s->inner + (size_t)r * linear->out + output;
        s->sums[r] += k->activate(y, s->acc + r * s->acc_stride, &e, step->engine->base.image->shape.activation, count);
        uint32_t amax = k->rotate(y, y, count, step->layer->ffn2.rotation, NULL);
        if (amax > s->inner_amax[r])
            s->inner_amax[r] = amax;
    }
}

void cpu_step_activate(const struct cpu_step *step, uint32_t rows)
{
    const struct image_linear *linear = &step->layer->ffn1;
    const uint32_t end = step->share.inner_end;
    for (uint32_t r = 0; r < rows; r++)
        step->scratch->inner_amax[r] = step->scratch->sums[r] = 0;
    prepare(step, linear, rows);
    for (uint32_t output = step->share.inner_begin, count; output < end; output += count) {
        count = end - output < step->scratch->chunk ? end - output : step->scratch->chunk;
        accumulate(step, linear, step->scratch->acc, rows, output, count);
        activate_chunk(step, output, count, rows);
    }
}

enum status cpu_step_quantise_inner(const struct cpu_step *step, const uint32_t *sums, const uint32_t *amax,
                                    uint32_t begin, uint32_t from, uint32_t to)
{
    const struct cpu_scratch *s = step->scratch;
    const struct image_linear *linear = &step->layer->ffn2;
    for (uint32_t r = from; r < to; r++) {
        enum status status = cpu_check_product(step, "ffn1", begin + r, sums[r], s->quantised[r].expected[0]);
        if (!status)
            status = cpu_check_finite(step, amax[r], begin + r);
        if (status)
            return status;
        quantise(step, s->inner + (size_t)r * linear->in, linear, r, amax[r]);
    }
    suffer_faults(step, linear, from, to);
    return STATUS_OK;
}

/* What follows attention, whose output is in scratch.mixed. */
static enum status feed(const struct cpu_step *step, uint32_t begin, uint32_t rows)
{
    const struct cpu_scratch *s = step->scratch;
    const struct image_layer *layer = step->layer;
    enum status status = cpu_step_quantise_mixed(step, begin, 0, rows);
    if (!status)
        status = multiply_and_add(step, &layer->output, begin, rows);
    if (!status)
        status = cpu_step_quantise_hidden(step, &layer->ffn1, begin, 0, rows);
    if (!status) {
        cpu_step_activate(step, rows);
        status = cpu_step_quantise_inner(step, s->sums, s->inner_amax, begin, 0, rows);
    }
    if (!status)
        status = multiply_and_add(step, &layer->ffn2, begin, rows);
    return status;
}

enum status cpu_layer_finish(const struct cpu_step *step, const struct cpu_kv *kv, bool make_queries,
                             uint32_t row_begin, uint32_t row_end)
{
    for (uint32_t row = row_begin, rows; row < row_end; row += rows) {
        rows = cpu_block_rows(step, row_end - row);
        enum status status = STATUS_OK;
        if (make_queries) {
            status = cpu_step_quantise_hidden(step, &step->layer->qkv, row, 0, rows);
            if (!status)
                status = cpu_step_project(step, NULL, 0, row, rows);
        }
        if (!status)
            status = cpu_attention(step, kv, make_queries ? 0 : row - row_begin, row, row + rows);
        if (!status)
            status = feed(step, row, rows);
        if (status)
            return status;
    }
    return STATUS_OK;
}

uint32_t cpu_step_sum(const struct cpu_step *step, const struct image_linear *linear, const int32_t *acc, uint32_t row,
                      uint32_t output, uint32_t count)
{
    const struct cpu_scratch *s = step->scratch;
    const struct cpu_epilogue e = epilogue(step, linear, row, output);
    if (!acc) {
        struct cpu_gemm gemm = gemm_of(step, linear, s->acc, 1, output, count);
        gemm.rows = (const char *)gemm.rows + row * gemm.row_stride;
        cpu_gemm_prepare(step->engine, &gemm);
        step->engine->kernels.linear(&gemm);
        acc = s->acc;
    }
    return step->engine->kernels.dequantise(s->row, acc, &e, count);
}
