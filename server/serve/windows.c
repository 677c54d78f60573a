#include "server/serve/windows.h"

#include <math.h>

struct serve_windows serve_windows_plan(uint32_t tokens, uint32_t room, uint32_t overlap, uint32_t max)
{
    if (overlap > room / 2)
        overlap = room / 2;
    if (tokens <= room)
        return (struct serve_windows){.n = 1, .tokens = tokens, .overlap = overlap};
    uint64_t step = room - overlap;
    uint64_t reach = max * step + overlap;
    if (tokens > reach)
        tokens = (uint32_t)reach;
    uint32_t n = tokens <= room ? 1 : (uint32_t)((tokens - overlap + step - 1) / step);
    return (struct serve_windows){.n = n, .tokens = tokens, .overlap = overlap};
}

/* Where window `index` begins; the tokens but for one overlap are shared out evenly. */
static uint32_t begin_of(const struct serve_windows *windows, uint32_t index)
{
    return (uint32_t)((uint64_t)(windows->tokens - windows->overlap) * index / windows->n);
}

struct serve_window serve_windows_at(const struct serve_windows *windows, uint32_t index)
{
    bool last = index + 1 == windows->n;
    if (windows->n == 1)
        return (struct serve_window){0, windows->tokens, 0, windows->tokens};
    uint32_t begin = begin_of(windows, index);
    uint32_t next = begin_of(windows, index + 1);
    uint32_t half = windows->overlap / 2;
    return (struct serve_window){.begin = begin,
                                 .end = next + windows->overlap,
                                 .own_begin = index == 0 ? 0 : begin + half,
                                 .own_end = last ? windows->tokens : next + half};
}

void serve_windows_pool(const struct batch_item *items, uint32_t n, uint32_t width)
{
    float *out = items[0].out;
    double weight = 0;
    for (uint32_t w = 0; w < n; w++)
        weight += items[w].n_rows;
    for (uint32_t i = 0; i < width && n > 1; i++) {
        double sum = 0;
        float most = out[i];
        for (uint32_t w = 0; w < n; w++) {
            sum += (double)items[w].out[i] * items[w].n_rows;
            most = fmaxf(most, items[w].out[i]);
        }
        out[i] = items[0].pooling == BATCH_POOL_MAX ? most : (float)(sum / weight);
    }
}
