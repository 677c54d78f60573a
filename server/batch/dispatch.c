#include "server/batch/dispatch.h"

#include <string.h>

#include "server/base/mem.h"
#include "server/batch/pooling.h"

enum { ALIGN = 64 };

static size_t round_up(size_t size)
{
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

/* Hand out the next part of one allocation. */
static void *carve(unsigned char **at, size_t size)
{
    void *part = *at;
    *at += round_up(size);
    return part;
}

static bool any_types(const struct queue_entry *entries, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (entries[i].item->type_ids)
            return true;
    return false;
}

static void fill_rows(struct dispatch *dispatch, uint32_t *cu_seqlens, uint32_t *ids, uint8_t *types)
{
    uint32_t row = 0;
    for (uint32_t i = 0; i < dispatch->n_entries; i++) {
        const struct batch_item *item = dispatch->entries[i].item;
        cu_seqlens[i] = row;
        memcpy(ids + row, item->ids, item->n_tokens * sizeof *ids);
        if (types && item->type_ids)
            memcpy(types + row, item->type_ids, item->n_tokens);
        else if (types)
            memset(types + row, 0, item->n_tokens);
        row += item->n_tokens;
    }
    cu_seqlens[dispatch->n_entries] = row;
}

struct dispatch *dispatch_create(const struct image *image, const struct queue_entry *entries, uint32_t n)
{
    size_t rows = 0;
    for (uint32_t i = 0; i < n; i++)
        rows += entries[i].item->n_tokens;
    size_t hidden_size = rows * image->shape.hidden * sizeof(float);
    bool types = any_types(entries, n);
    size_t size = round_up(sizeof(struct dispatch)) + round_up(n * sizeof *entries) +
                  round_up((n + 1) * sizeof(uint32_t)) + round_up(rows * sizeof(uint32_t)) +
                  (types ? round_up(rows) : 0) + round_up(hidden_size);
    unsigned char *at = mem_alloc_aligned(ALIGN, size);
    if (!at)
        return NULL;
    struct dispatch *dispatch = carve(&at, sizeof *dispatch);
    memset(dispatch, 0, sizeof *dispatch);
    dispatch->n_entries = n;
    dispatch->entries = carve(&at, n * sizeof *entries);
    memcpy(dispatch->entries, entries, n * sizeof *entries);
    uint32_t *cu_seqlens = carve(&at, (n + 1) * sizeof *cu_seqlens);
    uint32_t *ids = carve(&at, rows * sizeof *ids);
    uint8_t *type_ids = types ? carve(&at, rows) : NULL;
    fill_rows(dispatch, cu_seqlens, ids, type_ids);
    dispatch->job = (struct board_job){.image = image,
                                       .n_seqs = n,
                                       .n_rows = (uint32_t)rows,
                                       .cu_seqlens = cu_seqlens,
                                       .ids = ids,
                                       .type_ids = type_ids,
                                       .hidden = carve(&at, hidden_size)};
    dispatch->task = (struct board_task){
        .job = &dispatch->job, .kind = BOARD_RUN, .layer_end = image->shape.layers, .row_end = (uint32_t)rows};
    return dispatch;
}

void dispatch_destroy(struct dispatch **dispatch)
{
    mem_free(*dispatch);
    *dispatch = NULL;
}

void dispatch_deliver(struct dispatch *dispatch, uint64_t now_ns)
{
    const struct board_job *job = &dispatch->job;
    uint32_t width = job->image->shape.hidden;
    for (uint32_t i = 0; i < dispatch->n_entries; i++) {
        struct batch_item *item = dispatch->entries[i].item;
        const float *rows = job->hidden + (size_t)job->cu_seqlens[i] * width;
        batch_pool_rows(item->pooling, rows, item->n_tokens, width, item->out);
        item->queue_ns = dispatch->started_ns - dispatch->entries[i].work->submitted_ns;
        item->inference_ns = now_ns - dispatch->started_ns;
    }
}
