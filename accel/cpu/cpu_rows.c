#include "accel/cpu/cpu_rows.h"

#include "accel/cpu/cpu_flags.h"
#include "accel/cpu/kernels.h"

enum status cpu_rows_embed(const struct board_job *job, uint32_t begin, uint32_t end, struct error *err)
{
    const struct image *image = job->image;
    const size_t n = image->shape.hidden;
    struct cpu_kernels k;
    cpu_kernels_init(&k, cpu_flags());
    uint32_t seq = 0;
    for (uint32_t row = begin; row < end; row++) {
        while (row >= job->cu_seqlens[seq + 1])
            seq++;
        float *x = job->hidden + row * n;
        size_t position = row - job->cu_seqlens[seq], type = job->type_ids ? job->type_ids[row] : 0;
        k.embed(x, image->word_embeddings + job->ids[row] * n, image->position_embeddings + position * n,
                image->type_embeddings + type * n, n);
        if (k.norm(x, n, &image->embedding_norm, image->shape.layer_norm_eps, n, 1, NULL) < 1)
            return error_set(err, STATUS_BACKEND, "layer 0, row %u: a value is not finite", row);
    }
    return STATUS_OK;
}

void cpu_rows_sum(uint32_t *ret, const float *x, uint32_t rows, uint32_t width)
{
    struct cpu_kernels k;
    cpu_kernels_init(&k, cpu_flags());
    for (uint32_t row = 0; row < rows; row++)
        ret[row] = k.sum_bits(x + (size_t)row * width, width);
}
