/* A task as a row of commands, and what each needs and gives. */
#include "accel/card/card.h"
#include "accel/cpu/cpu_rows.h"

static enum status too_long(const struct board_job *job, uint32_t seq, struct error *err)
{
    return error_set(err, STATUS_BACKEND, "sequence %u has %u tokens; the engine takes up to %d", seq,
                     job->cu_seqlens[seq + 1] - job->cu_seqlens[seq], CARD_MAX_TOKENS);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

enum status card_next_span(struct card_span *span, const struct board_task *task, struct error *err)
{
    const struct board_job *job = task->job;
    uint32_t row = span->end ? span->first + span->end : task->row_begin, seq = span->end ? span->seq : 0;
    *span = (struct card_span){0};
    if (row >= task->row_end)
        return STATUS_OK;
    while (job->cu_seqlens[seq + 1] <= row)
        seq++;
    bool whole = task->kind == BOARD_RUN;
    uint32_t first = job->cu_seqlens[seq], n = card_sequences(job->cu_seqlens, seq, whole ? job->n_seqs : seq + 1);
    while (whole && n > 0 && job->cu_seqlens[seq + n] > task->row_end)
        n--;
    if (n == 0)
        return too_long(job, seq, err);
    *span = (struct card_span){.seq = seq,
                               .first = first,
                               .begin = row - first,
                               .end = least(job->cu_seqlens[seq + n], task->row_end) - first};
    span->command = (struct card_command){.kind = task->kind,
                                          .layer_begin = task->layer_begin,
                                          .layer_end = task->layer_end,
                                          .cu_seqlens = job->cu_seqlens + seq,
                                          .n_seqs = n,
                                          .begin = span->begin,
                                          .end = span->end};
    return STATUS_OK;
}

static float *rows_of(const struct board_job *job, const struct card_span *span)
{
    return job->hidden + (size_t)(span->first + span->begin) * job->image->shape.hidden;
}

static enum status check_sums(const struct board_job *job, const struct card_span *span, struct error *err)
{
    uint32_t sums[CARD_MAX_TOKENS], from = span->first + span->begin, rows = span->end - span->begin;
    cpu_rows_sum(sums, rows_of(job, span), rows, job->image->shape.hidden);
    for (uint32_t i = 0; i < rows; i++)
        if (sums[i] != job->hidden_sums[from + i])
            return error_set(err, STATUS_BACKEND, "checksum of the hidden state before layer %u, row %u: %#x, not %#x",
                             span->command.layer_begin, from + i, sums[i], job->hidden_sums[from + i]);
    return STATUS_OK;
}

static void put_sums(const struct board_job *job, const struct card_span *span)
{
    cpu_rows_sum(job->hidden_sums + span->first + span->begin, rows_of(job, span), span->end - span->begin,
                 job->image->shape.hidden);
}

enum status card_put_span(const struct card *card, void *memory, const struct board_job *job,
                          const struct card_span *span, bool verify, struct error *err)
{
    const struct card_command *command = &span->command;
    bool embeds = command->layer_begin == 0 && command->kind != BOARD_FINISH;
    enum status status = STATUS_OK;
    if (embeds)
        status = cpu_rows_embed(job, span->first + span->begin, span->first + span->end, err);
    else if (verify && job->hidden_sums)
        status = check_sums(job, span, err);
    if (status)
        return status;
    if (embeds && command->kind == BOARD_PROJECT && job->hidden_sums)
        put_sums(job, span);
    card_put_rows(card, memory, rows_of(job, span), span->begin, span->end);
    if (command->kind == BOARD_FINISH)
        card_put_kv(card, memory, job->kv, command->layer_begin % 2, span->seq, 0,
                    command->cu_seqlens[1] - command->cu_seqlens[0]);
    card_put_command(card, memory, 0, command);
    card_clear_record(card, memory);
    return STATUS_OK;
}

/* What a record of wrong checksums tells more: the engine holds against each other what it wrote and what it read. */
static const char *changed(uint32_t seen)
{
    if (seen & ACCEL_SEEN_MEMORY)
        return ": a word of the engine's memories has changed";
    return seen & ACCEL_SEEN_OPERANDS ? ": what was multiplied is not what was made" : "";
}

static enum status check_record(const struct card *card, const void *memory, const struct card_span *span,
                                struct error *err)
{
    static const char *const troubles[] = {"nothing", "the command is malformed", "the memory answered with an error",
                                           "a checksum of a product is wrong", "a value is not finite"};
    enum { N_TROUBLES = sizeof troubles / sizeof troubles[0] };
    uint32_t from = span->first + span->begin, to = span->first + span->end;
    struct card_record record;
    if (!card_get_record(card, memory, &record))
        return error_set(err, STATUS_BACKEND,
                         "layers %u to %u, rows %u to %u: there is no record of how it ended: the engine does not "
                         "reach its memory",
                         span->command.layer_begin, span->command.layer_end, from, to);
    if (record.version != ACCEL_ENGINE_VERSION)
        return error_set(err, STATUS_BACKEND, "the engine on the card has version %u; this program was written for %d",
                         record.version, ACCEL_ENGINE_VERSION);
    if (record.status == ACCEL_ENGINE_OK)
        return STATUS_OK;
    return error_set(err, STATUS_BACKEND, "layer %u, rows %u to %u: %s%s", span->command.layer_begin + record.layer,
                     from, to, record.status < N_TROUBLES ? troubles[record.status] : "unknown status",
                     record.status == ACCEL_ENGINE_CHECKSUM ? changed(record.seen) : "");
}

enum status card_get_span(const struct card *card, const void *memory, const struct board_job *job,
                          const struct card_span *span, struct error *err)
{
    enum status status = check_record(card, memory, span, err);
    if (status)
        return status;
    if (span->command.kind == BOARD_PROJECT) {
        card_get_kv(card, memory, job->kv, span->command.layer_begin % 2, span->seq, span->begin, span->end);
        return STATUS_OK;
    }
    card_get_rows(card, memory, rows_of(job, span), span->begin, span->end);
    if (job->hidden_sums)
        put_sums(job, span);
    return STATUS_OK;
}
