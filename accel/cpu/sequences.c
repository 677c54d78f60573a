/* Which whole sequences go through a layer together.
 *
 * Their rows take the steps in blocks, and each block reads all weights. A block may begin and end within sequences, so
 * that sequences whose lengths do not add up to a block fill several.
 */
#include "accel/cpu/cpu_engine.h"

enum { BLOCK_ROWS = 2 }; /* of short sequences: so many rows of a block may have a block of tokens */

static size_t token_blocks(const struct board_job *job, uint32_t seq)
{
    return (job->cu_seqlens[seq + 1] - job->cu_seqlens[seq] + IMAGE_PANEL - 1) / IMAGE_PANEL;
}

/* What some sequences fill. */
struct filling {
    size_t rows;
    size_t most; /* that as many blocks could have */
    size_t token_blocks;
};

static struct filling fill(struct filling filling, const struct board_job *job, uint32_t seq, size_t block_rows)
{
    filling.rows += job->cu_seqlens[seq + 1] - job->cu_seqlens[seq];
    filling.most = (filling.rows + block_rows - 1) / block_rows * block_rows;
    filling.token_blocks += token_blocks(job, seq);
    return filling;
}

/* The sequences from `seq` on that go together: all that are left, where there is room; else those that fill their
 * blocks best, but at least one. Returns the last plus one. */
static uint32_t group_end(const struct cpu_step *step, uint32_t seq, uint32_t row_end, size_t *ret_token_blocks)
{
    const struct board_job *job = step->job;
    const size_t most = step->engine->scratch.group_rows, block_rows = step->scratch->block_rows;
    struct filling all = fill((struct filling){0}, job, seq, block_rows), best = all;
    uint32_t end = ++seq;
    for (; job->cu_seqlens[seq] < row_end; seq++) {
        all = fill(all, job, seq, block_rows);
        if (all.rows > most || all.token_blocks > step->engine->scratch.block_rows / BLOCK_ROWS)
            break;
        const bool last = job->cu_seqlens[seq + 1] == row_end;
        if (!last && all.rows * best.most < best.rows * all.most)
            continue;
        best = all;
        end = seq + 1;
    }
    *ret_token_blocks = best.token_blocks;
    return end;
}

enum status cpu_sequences_begin(const struct cpu_step *step, uint32_t row, uint32_t row_end, uint32_t *ret_next)
{
    const struct board_job *job = step->job;
    struct cpu_sequences *sequences = &step->engine->sequences;
    size_t blocks;
    uint32_t seq = cpu_segment_at(job, row, row_end).seq, end = group_end(step, seq, row_end, &blocks);
    enum status status = cpu_sequences_reserve(step->engine, job->cu_seqlens[end] - row, blocks, step->err);
    if (status)
        return status;
    sequences->kv.first_seq = seq;
    sequences->block_begin[0] = 0;
    for (uint32_t s = seq; s < end; s++)
        sequences->block_begin[s - seq + 1] = sequences->block_begin[s - seq] + (uint32_t)token_blocks(job, s);
    *ret_next = job->cu_seqlens[end];
    return STATUS_OK;
}
