#include <string.h>

#include "accel/engine_faults.h"
#include "accel/float_mode.h"
#include "accel/functions.h"
#include "accel/ref/ref.h"
#include "base/mem.h"

struct ref {
    struct engine base;
    struct engine_faults faults;
    float *wide;     /* [max(hidden, intermediate), padded] values on their way to a linear */
    float *wide_out; /* the same, on their way out of one */
    float *x1;       /* [hidden] after attention */
    int32_t *acc;    /* the same, accumulators */
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
    const struct board_job *job;
    const struct image_layer *layer;
    uint32_t layer_index;
    struct ref_head head; /* its sequence; head.head varies */
    uint32_t index;       /* in the job */
    uint32_t token;       /* in the sequence */
    float *x;             /* [hidden] */
    struct error *err;
};

static enum status ref_create(struct engine **ret, const struct image *image, bool verify, struct error *err)
{
    uint32_t h = image->shape.hidden, m = image->shape.intermediate;
    size_t wide = (h > m ? h : m) + (size_t)IMAGE_PANEL;
    struct ref *ref = mem_calloc(1, sizeof *ref);
    if (ref) {
        ref->base = (struct engine){&ref_engine, image, verify};
        ref->wide = mem_calloc(wide, sizeof(float));
        ref->wide_out = mem_calloc(wide, sizeof(float));
        ref->acc = mem_calloc(wide, sizeof(int32_t));
        ref->x1 = mem_calloc(h, sizeof(float));
        ref->q = mem_calloc(wide, 1);
        ref->p = mem_calloc(IMAGE_MAX_SEQUENCE, sizeof(int32_t));
        ref->scores = mem_calloc(IMAGE_MAX_SEQUENCE, sizeof(float));
        ref->scales = mem_calloc(IMAGE_MAX_SEQUENCE, sizeof(float));
        if (ref->wide && ref->wide_out && ref->acc && ref->x1 && ref->q && ref->p && ref->scores && ref->scales) {
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
    mem_free(ref->acc);
    mem_free(ref->x1);
    mem_free(ref->q);
    mem_free(ref->p);
    mem_free(ref->scores);
    mem_free(ref->scales);
    mem_free(ref->kv_memory);
    mem_free(ref);
}

static enum status not_finite(const struct row *row)
{
    return error_set(row->err, STATUS_BACKEND, "layer %u, row %u: a value is not finite", row->layer_index, row->index);
}

static enum status wrong_sum(const struct row *row, const char *what)
{
    return error_set(row->err, STATUS_BACKEND, "checksum of %s, layer %u, row %u", what, row->layer_index, row->index);
}

/* For check_hidden: the row of hidden states has been written. */
static void leave_hidden(const struct row *row)
{
    uint32_t n = row->ref->base.image->shape.hidden;
    if (row->job->hidden_sums && row->ref->base.verify)
        row->job->hidden_sums[row->index] = ref_sum_bits(row->x, n);
    engine_faults_hidden(&row->ref->faults, row->x, n);
}

/* The row of hidden states is about to be read: it is as leave_hidden saw it. */
static enum status check_hidden(const struct row *row)
{
    const uint32_t *sums = row->job->hidden_sums;
    if (!sums || !row->ref->base.verify || sums[row->index] == ref_sum_bits(row->x, row->ref->base.image->shape.hidden))
        return STATUS_OK;
    return wrong_sum(row, "the hidden state before it");
}

/* quantise(FWHT(x)), where the linear rotates. `x` is overwritten. */
static enum status to_operand(const struct row *row, const struct image_linear *linear, float *x, float *ret_scale)
{
    int8_t *q = row->ref->q;
    ref_fwht(x, linear->in, linear->rotation);
    memset(q + linear->in, 0, linear->in_padded - linear->in);
    return ref_quantise(q, ret_scale, x, linear->in) ? STATUS_OK : not_finite(row);
}

static enum status quantise_x(const struct row *row, float *ret_scale)
{
    const struct image_linear *linear = &row->layer->qkv;
    enum status status = check_hidden(row);
    if (status)
        return status;
    memcpy(row->ref->wide, row->x, linear->in * sizeof(float));
    return to_operand(row, linear, row->ref->wide, ret_scale);
}

static void flip_bit(void *bytes, size_t size, struct engine_faults *faults)
{
    ((unsigned char *)bytes)[engine_faults_below(faults, size)] ^=
        (unsigned char)(1u << engine_faults_below(faults, 8));
}

/* What a flipped bit of a weight changes in the accumulators of outputs [first, first + n). */
static void flip_weight(struct ref *ref, const struct image_linear *linear, uint32_t first, uint32_t n)
{
    uint32_t o = (uint32_t)engine_faults_below(&ref->faults, n),
             i = (uint32_t)engine_faults_below(&ref->faults, linear->in);
    int8_t weight = image_weight(linear, first + o, i), flipped = weight;
    flip_bit(&flipped, sizeof flipped, &ref->faults);
    ref->acc[o] += (flipped - weight) * ref->q[i];
}

/* y [n] = a projection of a linear, from the quantised row. */
static enum status multiply(const struct row *row, const char *name, const struct image_linear *linear,
                            uint32_t projection, uint32_t n, float scale, float *y)
{
    struct ref *ref = row->ref;
    const uint32_t first = image_qkv_offset(ref->base.image, (int)projection);
    const uint32_t expected = ref_check(linear, projection, ref->q);
    const unsigned faults = engine_faults_due(&ref->faults, ENGINE_FLIP_ALL & ~(unsigned)ENGINE_FLIP_HIDDEN);
    if (faults & ENGINE_FLIP_ACTIVATION)
        flip_bit(ref->q, linear->in, &ref->faults);
    ref_accumulate(ref->acc, linear, first, n, ref->q);
    if (faults & ENGINE_FLIP_WEIGHT)
        flip_weight(ref, linear, first, n);
    if (faults & ENGINE_FLIP_ACCUMULATOR)
        flip_bit(ref->acc, n * sizeof *ref->acc, &ref->faults);
    if (ref->base.verify && ref_sum_checked(ref->acc, n) != expected)
        return wrong_sum(row, name);
    ref_dequantise(y, linear, first, n, ref->acc, scale);
    return STATUS_OK;
}

/* One projection of qkv from the quantised row -> wide_out [hidden]. */
static enum status project_row(const struct row *row, uint32_t projection, float scale)
{
    static const char *const names[] = {"queries", "keys", "values"};
    return multiply(row, names[projection], &row->layer->qkv, projection, row->ref->base.image->shape.hidden, scale,
                    row->ref->wide_out);
}

static enum status project(const struct row *row)
{
    const struct image *image = row->ref->base.image;
    int8_t *slice = (int8_t *)row->ref->wide; /* free once the row is quantised */
    struct ref_head head = row->head;
    float scale;
    enum status status = quantise_x(row, &scale);
    for (uint32_t projection = 1; projection <= 2; projection++) {
        if (!status)
            status = project_row(row, projection, scale);
        if (status)
            return status;
        for (head.head = 0; head.head < image->shape.heads; head.head++) {
            float *slice_scale =
                projection == 1 ? ref_key_scale(&head, row->token) : ref_value_scale(&head, row->token);
            const float *values = row->ref->wide_out + (size_t)head.head * image->head_dim;
            if (!ref_quantise(slice, slice_scale, values, image->head_dim))
                return not_finite(row);
            for (uint32_t d = 0; d < image->head_dim; d++)
                *(projection == 1 ? ref_key(&head, row->token, d) : ref_value(&head, row->token, d)) = slice[d];
        }
    }
    return STATUS_OK;
}

/* wide_out [hidden]: queries in, context out. */
static enum status attend(const struct row *row)
{
    struct ref *ref = row->ref;
    uint32_t head_dim = ref->base.image->head_dim;
    struct ref_head head = row->head;
    for (head.head = 0; head.head < ref->base.image->shape.heads; head.head++) {
        float *slice = ref->wide_out + (size_t)head.head * head_dim;
        float scale, factor;
        if (!ref_quantise(ref->q, &scale, slice, head_dim))
            return not_finite(row);
        ref_scores(ref->scores, &head, ref->q, scale);
        for (uint32_t j = 0; j < head.tokens; j++)
            ref->scales[j] = *ref_value_scale(&head, j);
        if (!ref_softmax(ref->p, &factor, ref->scores, ref->scales, head.tokens))
            return not_finite(row);
        ref_context(slice, &head, ref->p, factor);
    }
    return STATUS_OK;
}

/* y = linear(quantise(FWHT(x))), x in wide_out, y in wide. */
static enum status linear_row(const struct row *row, const char *name, const struct image_linear *linear)
{
    float scale;
    enum status status = to_operand(row, linear, row->ref->wide_out, &scale);
    return status ? status : multiply(row, name, linear, 0, linear->out, scale, row->ref->wide);
}

/* y = LayerNorm(wide + residual) */
static enum status add_norm(const struct row *row, float *y, const float *residual, const struct image_norm *norm)
{
    struct ref *ref = row->ref;
    const struct image_shape *shape = &ref->base.image->shape;
    for (uint32_t i = 0; i < shape->hidden; i++)
        ref->wide[i] += residual[i];
    return ref_layernorm(y, ref->wide, norm, shape->hidden, shape->layer_norm_eps) ? STATUS_OK : not_finite(row);
}

/* The row from its queries' operand on: attention and its output projection -> x1. */
static enum status attention(const struct row *row)
{
    float scale;
    enum status status = quantise_x(row, &scale);
    if (!status)
        status = project_row(row, 0, scale);
    if (!status)
        status = attend(row);
    if (!status)
        status = linear_row(row, "the output projection", &row->layer->output);
    return status ? status : add_norm(row, row->ref->x1, row->x, &row->layer->attention_norm);
}

static enum status finish(const struct row *row)
{
    struct ref *ref = row->ref;
    const struct image_layer *layer = row->layer;
    const struct image_shape *shape = &ref->base.image->shape;
    enum status status = attention(row);
    if (status)
        return status;
    memcpy(ref->wide_out, ref->x1, shape->hidden * sizeof(float));
    status = linear_row(row, "ffn1", &layer->ffn1);
    for (uint32_t i = 0; i < shape->intermediate && !status; i++)
        ref->wide_out[i] = function_activation(shape->activation, ref->wide[i]);
    if (!status)
        status = linear_row(row, "ffn2", &layer->ffn2);
    if (!status)
        status = add_norm(row, row->x, ref->x1, &layer->output_norm);
    if (!status)
        leave_hidden(row);
    return status;
}

static enum status embed(const struct row *row)
{
    const struct board_job *job = row->job;
    uint32_t type = job->type_ids ? job->type_ids[row->index] : 0;
    if (!ref_embed(row->x, row->ref->base.image, job->ids[row->index], row->token, type))
        return not_finite(row);
    leave_hidden(row);
    return STATUS_OK;
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
        .job = job,
        .err = err,
        .layer_index = span->layer,
        .layer = &ref->base.image->layers[span->layer],
        .head = {ref->base.image, span->kv, span->layer % 2, span->kv_seq, 0, job->cu_seqlens[span->seq + 1] - first}};
    for (row.index = span->row_begin; row.index < span->row_end; row.index++) {
        row.token = row.index - first;
        row.x = job->hidden + (size_t)row.index * ref->base.image->shape.hidden;
        enum status status = kind == BOARD_PROJECT && span->layer == 0 ? embed(&row) : STATUS_OK;
        if (!status)
            status = kind == BOARD_PROJECT ? project(&row) : finish(&row);
        if (status)
            return status;
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
    float_mode_set();
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

static bool ref_inject(struct engine *engine, unsigned faults, uint64_t seed)
{
    engine_faults_arm(&((struct ref *)engine)->faults, faults, seed);
    return true;
}

const struct engine_ops ref_engine = {.name = "ref",
                                      .precision = IMAGE_INT8,
                                      .create = ref_create,
                                      .destroy = ref_destroy,
                                      .run = ref_run,
                                      .inject = ref_inject};
