#include "accel/backend.h"

static enum status check_sequences(const struct board_job *job, struct error *err)
{
    const struct image_shape *shape = &job->image->shape;
    uint32_t longest = shape->positions < IMAGE_MAX_SEQUENCE ? shape->positions : IMAGE_MAX_SEQUENCE;
    if (job->n_seqs == 0 || job->cu_seqlens[0] != 0 || job->cu_seqlens[job->n_seqs] != job->n_rows)
        return error_set(err, STATUS_BACKEND, "the sequences of the job do not cover its %u rows", job->n_rows);
    for (uint32_t s = 0; s < job->n_seqs; s++) {
        uint32_t begin = job->cu_seqlens[s], end = job->cu_seqlens[s + 1];
        if (end <= begin)
            return error_set(err, STATUS_BACKEND, "sequence %u is empty or goes backwards", s);
        if (end - begin > longest)
            return error_set(err, STATUS_BACKEND, "sequence %u has %u tokens; the board takes up to %u", s, end - begin,
                             longest);
    }
    return STATUS_OK;
}

static bool at_boundary(const struct board_job *job, uint32_t row)
{
    uint32_t low = 0, high = job->n_seqs;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (job->cu_seqlens[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    return job->cu_seqlens[low] == row;
}

static enum status check_ids(const struct board_task *task, struct error *err)
{
    const struct board_job *job = task->job;
    const struct image_shape *shape = &job->image->shape;
    for (uint32_t r = task->row_begin; r < task->row_end; r++) {
        if (job->ids[r] >= shape->vocab)
            return error_set(err, STATUS_BACKEND, "row %u has token %u; the vocabulary has %u", r, job->ids[r],
                             shape->vocab);
        if (job->type_ids && job->type_ids[r] >= shape->types)
            return error_set(err, STATUS_BACKEND, "row %u has token type %u; the model has %u", r, job->type_ids[r],
                             shape->types);
    }
    return STATUS_OK;
}

static enum status check_team(const struct board_task *task, struct error *err)
{
    if (task->row_begin != 0 || task->row_end != task->job->n_rows)
        return error_set(err, STATUS_BACKEND, "rows %u to %u are asked for of a team, which has all %u",
                         task->row_begin, task->row_end, task->job->n_rows);
    if (!task->team || task->member >= task->team->n)
        return error_set(err, STATUS_BACKEND, "a task of a team has no place in one");
    return STATUS_OK;
}

enum status backend_check_task(const struct board_task *task, uint32_t layer_begin, uint32_t layer_end,
                               struct error *err)
{
    const struct board_job *job = task->job;
    if (task->layer_begin >= task->layer_end || task->layer_begin < layer_begin || task->layer_end > layer_end)
        return error_set(err, STATUS_BACKEND, "layers %u to %u are asked for; the board holds %u to %u",
                         task->layer_begin, task->layer_end, layer_begin, layer_end);
    enum status status = check_sequences(job, err);
    if (status)
        return status;
    if (task->row_begin >= task->row_end || task->row_end > job->n_rows)
        return error_set(err, STATUS_BACKEND, "rows %u to %u are asked for; the job has %u", task->row_begin,
                         task->row_end, job->n_rows);
    if ((unsigned)task->kind > BOARD_TENSOR)
        return error_set(err, STATUS_BACKEND, "unknown kind of task %u", (unsigned)task->kind);
    if (task->kind == BOARD_RUN && !(at_boundary(job, task->row_begin) && at_boundary(job, task->row_end)))
        return error_set(err, STATUS_BACKEND, "rows %u to %u are not whole sequences", task->row_begin, task->row_end);
    if (task->kind == BOARD_TENSOR)
        status = check_team(task, err);
    if (status)
        return status;
    const bool part = task->kind == BOARD_PROJECT || task->kind == BOARD_FINISH;
    if (part && task->layer_end - task->layer_begin != 1)
        return error_set(err, STATUS_BACKEND, "a part of a layer is asked for over %u layers",
                         task->layer_end - task->layer_begin);
    if (part && !job->kv)
        return error_set(err, STATUS_BACKEND, "a part of a layer is asked for without room for keys and values");
    return task->layer_begin == 0 && task->kind != BOARD_FINISH ? check_ids(task, err) : STATUS_OK;
}
