#include "accel/board.h"

#include <math.h>
#include <string.h>

#include "accel/backend.h"
#include "accel/worker/worker.h"

static const struct board_backend *const backends[] = {
    &worker_emu_backend, &worker_ref_backend, &worker_fp32_backend, &worker_xrt_backend,
#ifdef BERTD_RTL
    &worker_rtl_backend,
#endif
};
enum { N_BACKENDS = sizeof backends / sizeof backends[0] };

/* The backend of a kind of board, NULL: the default; NULL where there is none. */
static const struct board_backend *find(const char *kind)
{
    for (size_t i = 0; i < N_BACKENDS; i++)
        if (!kind || strcmp(kind, backends[i]->kind) == 0)
            return backends[i];
    return NULL;
}

enum status board_open(struct board **ret, const struct board_options *options, struct error *err)
{
    const struct board_backend *backend = find(options->kind);
    if (backend)
        return backend->open(ret, options, err);
    char known[64] = "";
    for (size_t i = 0; i < N_BACKENDS; i++) {
        strcat(known, i ? ", " : "");
        strcat(known, backends[i]->kind);
    }
    return error_set(err, STATUS_USAGE, "unknown kind of board \"%s\"; known are: %s", options->kind, known);
}

const struct image_sections *board_sections(const char *kind)
{
    const struct board_backend *backend = find(kind);
    return backend && backend->sections ? backend->sections() : NULL;
}

void board_close(struct board **board)
{
    struct board *closing = *board;
    *board = NULL;
    if (closing)
        closing->backend->close(closing);
}

enum status board_load(struct board *board, struct image *image, uint32_t layer_begin, uint32_t layer_end,
                       struct error *err)
{
    return board->backend->load(board, image, layer_begin, layer_end, err);
}

void board_submit(struct board *board, struct board_task *task)
{
    board->backend->submit(board, task);
}

void board_cancel(struct board *board, struct board_job *job)
{
    board->backend->cancel(board, job);
}

enum status board_reset(struct board *board, struct error *err)
{
    return board->backend->reset(board, err);
}

enum status board_selftest(struct board *board, struct error *err)
{
    return board->backend->selftest(board, err);
}

void board_stats(struct board *board, struct board_stats *ret)
{
    board->backend->stats(board, ret);
}

enum status board_scrub(struct board *board, struct error *err)
{
    return board->backend->scrub ? board->backend->scrub(board, err) : STATUS_OK;
}

enum status board_inject(struct board *board, const struct board_fault *fault, struct error *err)
{
    if ((unsigned)fault->kind >= BOARD_FAULTS)
        return error_set(err, STATUS_USAGE, "unknown kind of fault %u", (unsigned)fault->kind);
    if (fault->kind == BOARD_FAULT_SLOW && !(fault->factor >= 1 && isfinite(fault->factor)))
        return error_set(err, STATUS_USAGE, "a slow board takes at least 1 times as long, not %g", fault->factor);
    if (!board->backend->inject)
        return error_set(err, STATUS_UNSUPPORTED, "board %s: a board of kind %s has no faults to inject", board->name,
                         board->backend->kind);
    return board->backend->inject(board, fault, err);
}

size_t board_exchange_size(const struct board *board, const struct image *image, uint32_t rows, uint32_t n)
{
    return board->backend->exchange_size ? board->backend->exchange_size(image, rows, n) : 0;
}

const char *board_fault_name(enum board_fault_kind kind)
{
    static const char *const names[] = {"fail",       "hang",   "slow", "accumulator", "weight",
                                        "activation", "hidden", "load", "image"};
    return (unsigned)kind < BOARD_FAULTS ? names[kind] : "unknown";
}

const char *board_name(const struct board *board)
{
    return board->name;
}

const char *board_kind(const struct board *board)
{
    return board->backend->kind;
}

const char *board_compute_type(const struct board *board)
{
    return board->backend->compute_type;
}

uint32_t board_siblings(const struct board *board)
{
    return board->backend->siblings ? board->backend->siblings(board) : 1;
}

const char *board_instruction_set(const struct board *board)
{
    return board->backend->instruction_set();
}

/* Keys and values ------------------------------------------------------------------------------------------------- */

static uint32_t blocks_of(uint32_t tokens)
{
    return (tokens + IMAGE_PANEL - 1) / IMAGE_PANEL;
}

size_t board_kv_size(const struct image *image, const uint32_t *cu_seqlens, uint32_t n_seqs)
{
    size_t blocks = 0;
    for (uint32_t s = 0; s < n_seqs; s++)
        blocks += blocks_of(cu_seqlens[s + 1] - cu_seqlens[s]);
    size_t tokens = blocks * image->shape.heads * IMAGE_PANEL;
    return 2 * 2 * tokens * (image->head_dim_padded + sizeof(float));
}

void board_kv_init(struct board_kv *kv, const struct image *image, const uint32_t *cu_seqlens, uint32_t n_seqs,
                   void *memory, uint32_t *block_begin)
{
    block_begin[0] = 0;
    for (uint32_t s = 0; s < n_seqs; s++)
        block_begin[s + 1] = block_begin[s] + blocks_of(cu_seqlens[s + 1] - cu_seqlens[s]);
    size_t tokens = (size_t)block_begin[n_seqs] * image->shape.heads * IMAGE_PANEL;
    char *at = memory;
    kv->block_begin = block_begin;
    for (int set = 0; set < 2; set++) {
        kv->keys[set] = (int8_t *)at;
        kv->values[set] = (int8_t *)(at + tokens * image->head_dim_padded);
        at += 2 * tokens * image->head_dim_padded;
        kv->key_scales[set] = (float *)at;
        kv->value_scales[set] = (float *)at + tokens;
        at += 2 * tokens * sizeof(float);
    }
}
