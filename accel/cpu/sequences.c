/* Which whole sequences go through a layer together. */
#include "accel/cpu/cpu_engine.h"

enum { BLOCK_ROWS = 2 }; /* of short sequences: so many rows may have a block of tokens */

static size_t blocks_of(const struct board_job *job, uint32_t seq)
{
    return (job->cu_seqlens[seq + 1] - job->cu_seqlens[seq] + IMAGE_PANEL - 1) / IMAGE_PANEL;
}

/* The sequences from `seq` on that go together: as many as fit the limits, but at least one. Returns the last plus
 * one. */
static uint32_t group_end(const struct cpu_step *step, uint32_t seq, uint32_t row_end, size_t *ret_blocks)
{
    const struct board_job *job = step->job;
    const size_t most = step->engine->scratch.group_rows;
    const uint32_t begin = job->cu_seqlens[seq];
    *ret_blocks = blocks_of(job, seq);
    for (seq++; job->cu_seqlens[seq] < row_end; seq++) {
        size_t blocks = *ret_blocks + blocks_of(job, seq);
        if (job->cu_seqlens[seq + 1] - begin > most || blocks > most / BLOCK_ROWS)
            break;
        *ret_blocks = blocks;
    }
    return seq;
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
        sequences->block_begin[s - seq + 1] = sequences->block_begin[s - seq] + (uint32_t)blocks_of(job, s);
    *ret_next = job->cu_seqlens[end];
    return STATUS_OK;
}
