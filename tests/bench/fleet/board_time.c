#include "tests/bench/fleet/board_time.h"

#include <math.h>
#include <stdlib.h>

bool board_time_read(const char *words, struct board_time *ret)
{
    *ret = (struct board_time){0};
    for (char *end; ret->n < BOARD_TIME_MAX; words = end + 1) {
        uint32_t tokens = (uint32_t)strtoul(words, &end, 10);
        if (*end != ':' || (ret->n > 0 && tokens <= ret->tokens[ret->n - 1]))
            return false;
        ret->tokens[ret->n] = tokens;
        ret->ns[ret->n] = strtod(end + 1, &end) * 1e6;
        if (!(ret->ns[ret->n++] > 0))
            return false;
        if (*end != ',')
            return *end == '\0' && ret->n > 1;
    }
    return false;
}

double board_time_of(const struct board_time *time, uint32_t tokens)
{
    if (tokens <= time->tokens[0])
        return time->ns[0];
    uint32_t at = 1;
    while (at + 1 < time->n && tokens > time->tokens[at])
        at++;
    double slope = (time->ns[at] - time->ns[at - 1]) / (time->tokens[at] - time->tokens[at - 1]);
    return time->ns[at - 1] + slope * (tokens - time->tokens[at - 1]);
}

/* Projecting is the lesser part: three of twelve parts of the weights. */
static double share_of(enum board_task_kind kind)
{
    return kind == BOARD_PROJECT ? 0.25 : kind == BOARD_FINISH ? 0.75 : 1;
}

double board_time_of_task(const struct board_time *time, const struct board_task *task)
{
    const struct board_job *job = task->job;
    double whole_ns = 0;
    for (uint32_t s = 0; s < job->n_seqs; s++) {
        uint32_t first = job->cu_seqlens[s], last = job->cu_seqlens[s + 1], length = last - first;
        uint32_t from = first > task->row_begin ? first : task->row_begin;
        uint32_t to = last < task->row_end ? last : task->row_end;
        if (from < to)
            whole_ns += fmax(time->ns[0], board_time_of(time, length) * (to - from) / length);
    }
    uint32_t layers = task->layer_end - task->layer_begin;
    return whole_ns * share_of(task->kind) * layers / job->image->shape.layers;
}
