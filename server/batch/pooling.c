#include "server/batch/pooling.h"

#include <math.h>
#include <string.h>

static void pool_mean(const float *rows, uint32_t n, uint32_t width, float *out)
{
    memcpy(out, rows, width * sizeof *out);
    for (uint32_t r = 1; r < n; r++)
        for (uint32_t i = 0; i < width; i++)
            out[i] += rows[(size_t)r * width + i];
    for (uint32_t i = 0; i < width; i++)
        out[i] /= (float)n;
}

static void pool_max(const float *rows, uint32_t n, uint32_t width, float *out)
{
    memcpy(out, rows, width * sizeof *out);
    for (uint32_t r = 1; r < n; r++)
        for (uint32_t i = 0; i < width; i++)
            out[i] = fmaxf(out[i], rows[(size_t)r * width + i]);
}

void batch_pool_rows(enum batch_pooling pooling, const float *rows, uint32_t n, uint32_t width, float *out)
{
    switch (pooling) {
    case BATCH_POOL_CLS:
        memcpy(out, rows, width * sizeof *out);
        break;
    case BATCH_POOL_MEAN:
        pool_mean(rows, n, width, out);
        break;
    case BATCH_POOL_MAX:
        pool_max(rows, n, width, out);
        break;
    case BATCH_POOL_NONE:
        memcpy(out, rows, (size_t)n * width * sizeof *out);
        break;
    }
}
