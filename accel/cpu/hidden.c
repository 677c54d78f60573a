/* Rows of hidden states: their embedding, and the sums by which it is seen that they are as they were written. */
#include "accel/cpu/cpu_engine.h"

enum { AHEAD = 2 }; /* rows whose words are on their way */

enum status cpu_not_finite(const struct cpu_step *step, uint32_t row)
{
    if (step->wrong_row)
        *step->wrong_row = row;
    return error_set(step->err, STATUS_BACKEND, "layer %u, row %u: a value is not finite", step->index, row);
}

enum status cpu_check_finite(const struct cpu_step *step, uint32_t amax_bits, uint32_t row)
{
    return cpu_is_finite(amax_bits) ? STATUS_OK : cpu_not_finite(step, row);
}

float *cpu_hidden_row(const struct cpu_step *step, uint32_t row)
{
    return step->job->hidden + (size_t)row * step->engine->base.image->shape.hidden;
}

enum status cpu_hidden_norm(const struct cpu_step *step, const struct image_norm *norm, uint32_t row, uint32_t rows)
{
    const struct cpu_engine *engine = step->engine;
    const struct image_shape *shape = &engine->base.image->shape;
    float *x = cpu_hidden_row(step, row);
    uint32_t *sums = step->job->hidden_sums ? step->job->hidden_sums + row : NULL;
    size_t good = engine->kernels.norm(x, shape->hidden, norm, shape->layer_norm_eps, shape->hidden, rows, sums);
    if (good < rows)
        return cpu_not_finite(step, row + (uint32_t)good);
    engine_faults_hidden(&step->engine->faults, x, (size_t)rows * shape->hidden);
    return STATUS_OK;
}

enum status cpu_hidden_check(const struct cpu_step *step, uint32_t row, uint32_t sum)
{
    const uint32_t *sums = step->job->hidden_sums;
    if (!sums || !step->verify || sum == sums[row])
        return STATUS_OK;
    return error_set(step->err, STATUS_BACKEND, "checksum of the hidden state before layer %u, row %u: %#x, not %#x",
                     step->index, row, sum, sums[row]);
}

/* Words lie anywhere in a large table: each is asked for while those before it are added up. */
static void fetch_word(const struct cpu_step *step, uint32_t row)
{
    enum { LINE_FLOATS = 16 };
    const struct image *image = step->engine->base.image;
    const float *word = image->word_embeddings + step->job->ids[row] * (size_t)image->shape.hidden;
    for (size_t i = 0; i < image->shape.hidden; i += LINE_FLOATS)
        __builtin_prefetch(word + i);
}

enum status cpu_layer_embed(const struct cpu_step *step, uint32_t row_begin, uint32_t row_end)
{
    const struct cpu_kernels *k = &step->engine->kernels;
    const struct image *image = step->engine->base.image;
    const struct board_job *job = step->job;
    const size_t n = image->shape.hidden;
    struct cpu_segment segment;
    for (uint32_t row = row_begin; row < row_end && row < row_begin + AHEAD; row++)
        fetch_word(step, row);
    for (uint32_t row = row_begin; row < row_end; row += segment.rows) {
        segment = cpu_segment_at(job, row, row_end);
        for (uint32_t r = row; r < row + segment.rows; r++) {
            if (r + AHEAD < row_end)
                fetch_word(step, r + AHEAD);
            float *x = cpu_hidden_row(step, r);
            size_t position = segment.token + (r - row), type = job->type_ids ? job->type_ids[r] : 0;
            k->embed(x, image->word_embeddings + job->ids[r] * n, image->position_embeddings + position * n,
                     image->type_embeddings + type * n, n);
        }
        enum status status = cpu_hidden_norm(step, &image->embedding_norm, row, segment.rows);
        if (status)
            return status;
    }
    return STATUS_OK;
}
