#include <string.h>

#include "accel/engine.h"
#include "accel/functions.h"
#include "accel/ref/ref.h"
#include "server/base/mem.h"

struct ref {
    struct engine base;
    float *wide;     /* [max(hidden, intermediate), padded] values on their way to a linear */
    float *wide_out; /* the same, on their way out of one */
    float *x1;       /* [hidden] after attention */
    int8_t *q;       /* [max(hidden, intermediate), padded] a quantised row */
    int32_t *p;      /* [IMAGE_MAX_SEQUENCE] */
    float *scores;   /* [IMAGE_MAX_SEQUENCE] */
    float *scales;   /* [IMAGE_MAX_SEQUENCE] value scales */
    /* Keys and values of one sequence, for RUN. */
    struct board_kv kv;
    void *kv_memory;
    size_t kv_size;
    uint32_t kv_blocks[2];
};

/* One row on its way through one layer. */
struct row {
    struct ref *ref;
    const struct image_layer *layer;
    struct ref_head head; /* its sequence; head.head varies */
    uint32_t index;       /* in the job */
    uint32_t token;       /* in the sequence */
    float *x;             /* [hidden] */
};

static enum status ref_create(struct engine **ret, const struct image *image, struct error *err)
{
    uint32_t h = image->shape.hidden, m = image->shape.intermediate;
    size_t wide = (h > m ? h : m) + (size_t)IMAGE_PANEL;
    struct ref *ref = mem_calloc(1, sizeof *ref);
    if (ref) {
        ref->base = (struct engine){&ref_engine, image};
        ref->wide = mem_calloc(wide, sizeof(float));
        ref->wide_out = mem_calloc(wide, sizeof(float));
        ref->x1 = mem_calloc(h, sizeof(float));
        ref->q = mem_calloc(wide, 1);
        ref->p = mem_calloc(IMAGE_MAX_SEQUENCE, sizeof(int32_t));
        ref->scores = mem_calloc(IMAGE_MAX_SEQUENCE, sizeof(float));
        ref->scales = mem_calloc(IMAGE_MAX_SEQUENCE, sizeof(float));
        if (ref->wide && ref->wide_out && ref->x1 && ref->q && ref->p && ref->scores && ref->scales) {
            *ret = &ref->base;
            return STATUS_OK;
        }
        ref_engine.destroy(&ref->base);
    }
    return error_set(err, STATUS_NO_MEMORY, "no memory for the reference engine");
}

static void ref_destroy(struct engine *engine)
{
    struct ref *ref = (struct ref *)engine;
    mem_free(ref->wide);
    mem_free(ref->wide_out);
    mem_free(ref->x1);
    mem_free(ref->q);
    mem_free(ref->p);
    mem_free(ref->scores);
    mem_free(ref->scales);
    mem_free(ref->kv_memory);
    mem_free(ref);
}

/* quantise(FWHT(x)), where the linear rotates. `x` is overwritten. */
static bool to_operand(struct ref *ref, const struct image_linear *linear, float *x, float *ret_scale)
{
    ref_fwht(x, linear->in, linear->rotation);
    memset(ref->q + linear->in, 0, linear->in_padded - linear->in);
    return ref_quantise(ref->q, ret_scale, x, linear->in);
}

static bool quantise_x(const struct row *row, float *ret_scale)
{
    const struct image_linear *linear = &row->layer->qkv;
    memcpy(row->ref->wide, row->x, linear->in * sizeof(float));
    return to_operand(row->ref, linear, row->ref->wide, ret_scale);
}

/* One part of qkv from the quantised row -> wide_out [hidden]. */
static void linear_part(const struct row *row, int part, float scale)
{
    const struct image *image = row->ref->base.image;
    ref_linear(row->ref->wide_out, &row->layer->qkv, image_qkv_offset(image, part), image->shape.hidden, row->ref->q,
               scale);
}

static bool project(const struct row *row)
{
    const struct image *image = row->ref->base.image;
    int8_t *slice = (int8_t *)row->ref->wide; /* free once the row is quantised */
    struct ref_head head = row->head;
    float scale;
    if (!quantise_x(row, &scale))
        return false;
    for (int part = 1; part <= 2; part++) {
        linear_part(row, part, scale);
        for (head.head = 0; head.head < image->shape.heads; head.head++) {
            float *slice_scale = part == 1 ? ref_key_scale(&head, row->token) : ref_value_scale(&head, row->token);
            const float *values = row->ref->wide_out + (size_t)head.head * image->head_dim;
            if (!ref_quantise(slice, slice_scale, values, image->head_dim))
                return false;
            for (uint32_t d = 0; d < image->head_dim; d++)
                *(part == 1 ? ref_key(&head, row->token, d) : ref_value(&head, row->token, d)) = slice[d];
        }
    }
    return true;
}

/* wide_out [hidden]: queries in, context out. */
static bool attend(const struct row *row)
{
    struct ref *ref = row->ref;
    uint32_t head_dim = ref->base.image->head_dim;
    struct ref_head head = row->head;
    for (head.head = 0; head.head < ref->base.image->shape.heads; head.head++) {
        float *slice = ref->wide_out + (size_t)head.head * head_dim;
        float scale, factor;
        if (!ref_quantise(ref->q, &scale, slice, head_dim))
            return false;
        ref_scores(ref->scores, &head, ref->q, scale);
        for (uint32_t j = 0; j < head.tokens; j++)
            ref->scales[j] = *ref_value_scale(&head, j);
        if (!ref_softmax(ref->p, &factor, ref->scores, ref->scales, head.tokens))
            return false;
        ref_context(slice, &head, ref->p, factor);
    }
    return true;
}

/* y = linear(quantise(FWHT(x))), x in wide_out, y in wide. */
static bool linear_row(struct ref *ref, const struct image_linear *linear)
{
    float scale;
    if (!to_operand(ref, linear, ref->wide_out, &scale))
        return false;
    ref_linear(ref->wide, linear, 0, linear->out, ref->q, scale);
    return true;
}

/* y = LayerNorm(wide + residual) */
static bool add_norm(struct ref *ref, float *y, const float *residual, const struct image_norm *norm)
{
    const struct image_shape *shape = &ref->base.image->shape;
    for (uint32_t i = 0; i < shape->hidden; i++)
        ref->wide[i] += residual[i];
    return ref_layernorm(y, ref->wide, norm, shape->hidden, shape->layer_norm_eps);
}

static bool finish(const struct row *row)
{
    struct ref *ref = row->ref;
    const struct image_layer *layer = row->layer;
    const struct image_shape *shape = &ref->base.image->shape;
    float scale;
    if (!quantise_x(row, &scale))
        return false;
    linear_part(row, 0, scale);
    if (!attend(row) || !linear_row(ref, &layer->output))
        return false;
    if (!add_norm(ref, ref->x1, row->x, &layer->attention_norm))
        return false;
    memcpy(ref->wide_out, ref->x1, shape->hidden * sizeof(float));
    if (!linear_row(ref, &layer->ffn1))
        return false;
    for (uint32_t i = 0; i < shape->intermediate; i++)
        ref->wide_out[i] = function_activation(shape->activation, ref->wide[i]);
    return linear_row(ref, &layer->ffn2) && add_norm(ref, row->x, ref->x1, &layer->output_norm);
}

static bool embed(const struct row *row, const struct board_job *job)
{
    uint32_t type = job->type_ids ? job->type_ids[row->index] : 0;
    return ref_embed(row->x, row->ref->base.image, job->ids[row->index], row->token, type);
}

struct span {
    const struct board_job *job;
    const struct board_kv *kv;
    uint32_t kv_seq; /* the sequence's number in kv */
    uint32_t layer;
    uint32_t seq; /* the sequence's number in the job */
    uint32_t row_begin, row_end;
};

/* Rows of one sequence through one step. */
static enum status run_rows(struct ref *ref, const struct span *span, enum board_task_kind kind, struct error *err)
{
    const struct board_job *job = span->job;
    uint32_t first = job->cu_seqlens[span->seq];
    struct row row = {
        .ref = ref,
        .layer = &ref->base.image->layers[span->layer],
        .head = {ref->base.image, span->kv, span->layer % 2, span->kv_seq, 0, job->cu_seqlens[span->seq + 1] - first}};
    for (row.index = span->row_begin; row.index < span->row_end; row.index++) {
        row.token = row.index - first;
        row.x = job->hidden + (size_t)row.index * ref->base.image->shape.hidden;
        bool finite = true;
        if (kind == BOARD_PROJECT)
            finite = (span->layer > 0 || embed(&row, job)) && project(&row);
        else
            finite = finish(&row);
        if (!finite)
            return error_set(err, STATUS_BACKEND, "layer %u, row %u: a value is not finite", span->layer, row.index);
    }
    return STATUS_OK;
}

/* Keys and values for one sequence of `tokens`, in `ref`. */
static enum status own_kv(struct ref *ref, uint32_t tokens, struct error *err)
{
    uint32_t cu_seqlens[2] = {0, tokens};
    size_t size = board_kv_size(ref->base.image, cu_seqlens, 1);
    if (size > ref->kv_size) {
        void *memory = mem_alloc_aligned(64, size);
        if (!memory)
            return error_set(err, STATUS_NO_MEMORY, "no memory for the keys and values of %u tokens", tokens);
        memset(memory, 0, size);
        mem_free(ref->kv_memory);
        ref->kv_memory = memory;
        ref->kv_size = size;
    }
    board_kv_init(&ref->kv, ref->base.image, cu_seqlens, 1, ref->kv_memory, ref->kv_blocks);
    return STATUS_OK;
}

static enum status ref_run(struct engine *engine, const struct board_job *job, enum board_task_kind kind,
                           uint32_t layer, uint32_t row_begin, uint32_t row_end, struct error *err)
{
    struct ref *ref = (struct ref *)engine;
    engine_set_float_mode();
    enum status status = STATUS_OK;
    for (uint32_t s = 0; s < job->n_seqs && !status; s++) {
        uint32_t first = job->cu_seqlens[s], end = job->cu_seqlens[s + 1];
        struct span span = {.job = job, .kv = job->kv, .kv_seq = s, .layer = layer, .seq = s};
        span.row_begin = row_begin > first ? row_begin : first;
        span.row_end = row_end < end ? row_end : end;
        if (span.row_begin >= span.row_end)
            continue;
        if (kind != BOARD_RUN) {
            status = run_rows(ref, &span, kind, err);
            continue;
        }
        span.kv = &ref->kv;
        span.kv_seq = 0;
        status = own_kv(ref, end - first, err);
        if (!status)
            status = run_rows(ref, &span, BOARD_PROJECT, err);
        if (!status)
            status = run_rows(ref, &span, BOARD_FINISH, err);
    }
    return status;
}

const struct engine_ops ref_engine = {"ref", IMAGE_INT8, ref_create, ref_destroy, ref_run, NULL};
