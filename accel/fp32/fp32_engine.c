/* The encoder in binary32 on OpenBLAS, as PyTorch computes it: to verify the integer boards. It runs whole layers only;
 * the keys and values that boards exchange are int8, and it has none. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "accel/engine.h"
#include "accel/float_mode.h"
#include "base/mem.h"

/* Rows that go through a layer together: whole sequences, up to this many. */
enum { CHUNK = IMAGE_MAX_SEQUENCE };

struct fp32 {
    struct engine base;
    uint32_t qkv_width;
    float *qkv;    /* [CHUNK][qkv_width] */
    float *ctx;    /* [CHUNK][hidden] */
    float *y;      /* [CHUNK][hidden] what comes out of a linear, before the residual */
    float *wide;   /* [CHUNK][intermediate] */
    float *scores; /* [IMAGE_MAX_SEQUENCE][IMAGE_MAX_SEQUENCE] */
};

static enum status fp32_create(struct engine **ret, const struct image *image, bool verify, struct error *err)
{
    size_t h = image->shape.hidden, m = image->shape.intermediate;
    struct fp32 *fp32 = mem_calloc(1, sizeof *fp32);
    if (fp32) {
        fp32->base = (struct engine){&fp32_engine, image, verify};
        fp32->qkv_width = image_qkv_offset(image, 3);
        fp32->qkv = mem_alloc_aligned(64, CHUNK * fp32->qkv_width * sizeof(float));
        fp32->ctx = mem_alloc_aligned(64, CHUNK * h * sizeof(float));
        fp32->y = mem_alloc_aligned(64, CHUNK * h * sizeof(float));
        fp32->wide = mem_alloc_aligned(64, CHUNK * m * sizeof(float));
        fp32->scores = mem_alloc_aligned(64, (size_t)IMAGE_MAX_SEQUENCE * IMAGE_MAX_SEQUENCE * sizeof(float));
        if (fp32->qkv && fp32->ctx && fp32->y && fp32->wide && fp32->scores) {
            openblas_set_num_threads(1); /* a board is one thread */
            *ret = &fp32->base;
            return STATUS_OK;
        }
        fp32_engine.destroy(&fp32->base);
    }
    return error_set(err, STATUS_NO_MEMORY, "no memory for the fp32 engine");
}

static void fp32_destroy(struct engine *engine)
{
    struct fp32 *fp32 = (struct fp32 *)engine;
    mem_free(fp32->qkv);
    mem_free(fp32->ctx);
    mem_free(fp32->y);
    mem_free(fp32->wide);
    mem_free(fp32->scores);
    mem_free(fp32);
}

/* y [rows][out] = x [rows][in] W^T + b */
static void linear_rows(float *y, const float *x, const struct image_linear *linear, uint32_t rows)
{
    int in = (int)linear->in, out = (int)linear->out;
    for (uint32_t r = 0; r < rows; r++)
        memcpy(y + (size_t)r * linear->out, linear->bias, linear->out * sizeof(float));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, out, in, 1, x, in, linear->weights_f32, in, 1, y,
                out);
}

static void softmax_row(float *x, uint32_t n)
{
    float top = -INFINITY;
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    for (uint32_t i = 0; i < n; i++)
        sum += x[i] = expf(x[i] - top);
    for (uint32_t i = 0; i < n; i++)
        x[i] = (float)(x[i] / sum);
}

/* All heads of one sequence: qkv [n][qkv_width] -> ctx [n][hidden]. */
static void attend(struct fp32 *fp32, const float *qkv, float *ctx, uint32_t n)
{
    const struct image *image = fp32->base.image;
    int tokens = (int)n, dim = (int)image->head_dim, width = (int)fp32->qkv_width, hidden = (int)image->shape.hidden;
    for (uint32_t head = 0; head < image->shape.heads; head++) {
        size_t slice = (size_t)head * image->head_dim;
        const float *q = qkv + image_qkv_offset(image, 0) + slice;
        const float *k = qkv + image_qkv_offset(image, 1) + slice;
        const float *v = qkv + image_qkv_offset(image, 2) + slice;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, tokens, tokens, dim, 1, q, width, k, width, 0,
                    fp32->scores, tokens);
        for (uint32_t i = 0; i < n; i++)
            softmax_row(fp32->scores + (size_t)i * n, n);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, tokens, dim, tokens, 1, fp32->scores, tokens, v, width,
                    0, ctx + slice, hidden);
    }
}

/* x [rows][n] = LayerNorm(x + y), y NULL: 0. Returns the first row whose result is not finite, or `rows`. */
static uint32_t add_norm(float *x, const float *y, const struct image_norm *norm, uint32_t n, float eps, uint32_t rows)
{
    for (uint32_t r = 0; r < rows; r++, x += n) {
        double sum = 0, squares = 0;
        for (uint32_t i = 0; i < n; i++) {
            x[i] += y ? y[(size_t)r * n + i] : 0;
            sum += x[i];
        }
        double mean = sum / n;
        for (uint32_t i = 0; i < n; i++)
            squares += (x[i] - mean) * (x[i] - mean);
        double scale = 1 / sqrt(squares / n + (double)eps);
        if (!isfinite(squares))
            return r;
        for (uint32_t i = 0; i < n; i++)
            x[i] = (float)((x[i] - mean) * scale) * norm->gamma[i] + norm->beta[i];
    }
    return rows;
}

static void activate(float *x, size_t n, enum image_activation activation)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i];
        if (activation == IMAGE_GELU)
            x[i] = 0.5f * v * (1 + erff(v * (float)M_SQRT1_2));
        else if (activation == IMAGE_GELU_NEW)
            x[i] = 0.5f * v * (1 + tanhf(0.79788456f * (v + 0.044715f * v * v * v)));
        else
            x[i] = v > 0 ? v : 0;
    }
}

static uint32_t embed(const struct fp32 *fp32, const struct board_job *job, uint32_t row, uint32_t token)
{
    const struct image *image = fp32->base.image;
    size_t h = image->shape.hidden, type = job->type_ids ? job->type_ids[row] : 0;
    const float *word = image->word_embeddings + job->ids[row] * h;
    const float *place = image->position_embeddings + token * h;
    const float *kind = image->type_embeddings + type * h;
    float *x = job->hidden + row * h;
    for (size_t i = 0; i < h; i++)
        x[i] = word[i] + place[i] + kind[i];
    return add_norm(x, NULL, &image->embedding_norm, (uint32_t)h, image->shape.layer_norm_eps, 1);
}

/* Sequences [seq, end) of the job through one layer. Returns the first row that is not finite, or the row behind. */
static uint32_t run_chunk(struct fp32 *fp32, const struct board_job *job, uint32_t layer_index, uint32_t seq,
                          uint32_t end)
{
    const struct image *image = fp32->base.image;
    const struct image_shape *shape = &image->shape;
    const struct image_layer *layer = &image->layers[layer_index];
    uint32_t begin = job->cu_seqlens[seq], rows = job->cu_seqlens[end] - begin, h = shape->hidden;
    float *x = job->hidden + (size_t)begin * h;
    linear_rows(fp32->qkv, x, &layer->qkv, rows);
    for (uint32_t s = seq; s < end; s++) {
        size_t first = job->cu_seqlens[s] - begin;
        attend(fp32, fp32->qkv + first * fp32->qkv_width, fp32->ctx + first * h,
               job->cu_seqlens[s + 1] - job->cu_seqlens[s]);
    }
    linear_rows(fp32->y, fp32->ctx, &layer->output, rows);
    uint32_t good = add_norm(x, fp32->y, &layer->attention_norm, h, shape->layer_norm_eps, rows);
    if (good < rows)
        return begin + good;
    linear_rows(fp32->wide, x, &layer->ffn1, rows);
    activate(fp32->wide, (size_t)rows * shape->intermediate, shape->activation);
    linear_rows(fp32->y, fp32->wide, &layer->ffn2, rows);
    return begin + add_norm(x, fp32->y, &layer->output_norm, h, shape->layer_norm_eps, rows);
}

static enum status not_finite(uint32_t layer, uint32_t row, struct error *err)
{
    return error_set(err, STATUS_BACKEND, "layer %u, row %u: a value is not finite", layer, row);
}

static enum status fp32_run(struct engine *engine, const struct board_job *job, enum board_task_kind kind,
                            uint32_t layer, uint32_t row_begin, uint32_t row_end, struct error *err)
{
    struct fp32 *fp32 = (struct fp32 *)engine;
    float_mode_set();
    if (kind != BOARD_RUN)
        return error_set(err, STATUS_BACKEND, "an fp32 board runs whole layers only; it has no int8 keys and values");
    uint32_t seq = 0;
    while (job->cu_seqlens[seq] < row_begin)
        seq++;
    while (job->cu_seqlens[seq] < row_end) {
        uint32_t first = job->cu_seqlens[seq], end = seq + 1;
        while (job->cu_seqlens[end] < row_end && job->cu_seqlens[end + 1] - first <= CHUNK)
            end++;
        for (uint32_t s = seq; s < end && layer == 0; s++)
            for (uint32_t r = job->cu_seqlens[s]; r < job->cu_seqlens[s + 1]; r++)
                if (embed(fp32, job, r, r - job->cu_seqlens[s]) == 0)
                    return not_finite(layer, r, err);
        uint32_t row = run_chunk(fp32, job, layer, seq, end);
        if (row < job->cu_seqlens[end])
            return not_finite(layer, row, err);
        seq = end;
    }
    return STATUS_OK;
}

const struct engine_ops fp32_engine = {
    .name = "fp32", .precision = IMAGE_FP32, .create = fp32_create, .destroy = fp32_destroy, .run = fp32_run};

const char *fp32_engine_instruction_set(void)
{
    return openblas_get_corename();
}
