#include "tests/accel/team_run.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"

enum { GUARD = 64 * 1024 };

struct member {
    pthread_t thread;
    struct engine *engine;
    struct board_task task;
    struct team_end *end;
};

static void *work(void *argument)
{
    struct member *member = argument;
    struct team_end *end = member->end;
    for (uint32_t layer = 0; layer < member->task.layer_end && !end->status; layer++)
        end->status = member->engine->ops->run_share(member->engine, &member->task, layer, &end->err);
    if (end->status)
        end->status = board_team_leave(member->task.team, member->task.member, end->status, &end->err);
    return NULL;
}

void team_run(struct engine *const *engines, uint32_t n, const struct board_job *job, struct team_end *ret)
{
    struct member members[BOARD_TEAM_MAX];
    struct board_team team;
    size_t size = cpu_engine.exchange_size(job->image, job->n_rows, n);
    char *exchange = mem_alloc_aligned(BOARD_TEAM_ALIGN, size + GUARD);
    cr_assert_not_null(exchange);
    memset(exchange, 0xa5, size + GUARD); /* what was there does not matter */
    board_team_init(&team, n, exchange);
    for (uint32_t m = 0; m < n; m++) {
        ret[m] = (struct team_end){0};
        members[m] = (struct member){
            .engine = engines[m],
            .task = {.job = (struct board_job *)job,
                     .kind = BOARD_TENSOR,
                     .layer_end = job->image->shape.layers,
                     .row_end = job->n_rows,
                     .team = &team,
                     .member = m},
            .end = &ret[m],
        };
        if (m > 0)
            cr_assert_eq(pthread_create(&members[m].thread, NULL, work, &members[m]), 0);
    }
    work(&members[0]);
    for (uint32_t m = 1; m < n; m++)
        pthread_join(members[m].thread, NULL);
    for (size_t i = 0; i < GUARD; i++)
        cr_assert_eq(exchange[size + i], (char)0xa5, "written past what they exchange");
    mem_free(exchange);
}
