/* What boards cost, measured on boards that only move a clock on. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "accel/backend.h"
#include "base/mem.h"
#include "server/batch/calibrate.h"
#include "tests/batch/zero_image.h"

enum { LAYERS = 6, POSITIONS = 512, N_BOARDS = 4, MAX_LAUNCHES = 400 };

static uint64_t now_ns = 1000;

uint64_t __wrap_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void)
{
    return now_ns;
}

/* A pool whose boards answer at once, one after another: what a launch takes is the sum of its tasks' times. */
struct timed_board {
    struct board base;
    uint32_t tasks;
    uint32_t fails_from; /* the number of its first task that fails; 0: none */
};

static struct {
    double layer_ns, row_ns;
    double shared; /* tasks of a split take so much of what their rows take alone */
    double barrier_ns;
    uint32_t stalls; /* of tasks one of so many, which takes ten times as long; 0: none */
    uint32_t tasks;
} machine;

static void close_timed(struct board *board)
{
    free(board);
}

static void submit_timed(struct board *base, struct board_task *task)
{
    struct timed_board *board = (struct timed_board *)base;
    struct error err = {.status = STATUS_BACKEND};
    uint32_t rows = task->row_end - task->row_begin, layers = task->layer_end - task->layer_begin;
    double ns = (machine.layer_ns + machine.row_ns * rows) * layers;
    if (task->kind != BOARD_RUN)
        ns *= (task->kind == BOARD_PROJECT ? 0.25 : 0.75) * machine.shared;
    if (task->kind == BOARD_FINISH && task->row_begin == 0)
        ns += machine.barrier_ns;
    if (machine.stalls > 0 && machine.tasks++ % machine.stalls == 0)
        ns *= 10;
    now_ns += (uint64_t)ns;
    bool fails = board->fails_from > 0 && ++board->tasks >= board->fails_from;
    task->on_done(task, fails ? STATUS_BACKEND : STATUS_OK, &err);
}

static const struct board_backend timed_backend = {.kind = "timed", .close = close_timed, .submit = submit_timed};

struct pool {
    struct board *boards[N_BOARDS];
    struct image *image;
    struct cost_model cost;
    struct bandit bandit;
};

static struct pool open_pool(uint32_t positions)
{
    struct pool pool = {.image = zero_image(LAYERS, positions)};
    for (int b = 0; b < N_BOARDS; b++) {
        struct timed_board *board = calloc(1, sizeof *board);
        board->base.backend = &timed_backend;
        pool.boards[b] = &board->base;
    }
    cost_init(&pool.cost);
    return pool;
}

static void close_pool(struct pool *pool)
{
    for (int b = 0; b < N_BOARDS; b++)
        board_close(&pool->boards[b]);
    image_release(&pool->image);
}

static const struct planner_board all_layers = {0, LAYERS};

/* As the scheduler does; returns the nanoseconds it took. */
static double calibrate(struct pool *pool, uint32_t boards)
{
    uint64_t begin_ns = now_ns;
    cr_assert_eq(calibrate_cost(&pool->cost, pool->image, pool->boards[0], all_layers, NULL), STATUS_OK);
    cr_assert_eq(calibrate_sharing(&pool->bandit, &pool->cost, pool->image, pool->boards, boards, NULL), STATUS_OK);
    return (double)(now_ns - begin_ns);
}

static struct cost_load text(uint32_t tokens)
{
    return cost_add((struct cost_load){0}, tokens);
}

static struct bandit_choice choose(const struct pool *pool, uint32_t tokens, uint32_t boards)
{
    return bandit_choose(&pool->bandit, &pool->cost, text(tokens), LAYERS, boards);
}

Test(calibrate, finds_what_a_board_takes)
{
    struct pool pool = open_pool(POSITIONS);
    machine.layer_ns = 40e3;
    machine.row_ns = 3e3;
    calibrate(&pool, 1);
    for (uint32_t tokens = 4; tokens <= 512; tokens *= 2) {
        double truth_ns = LAYERS * (machine.layer_ns + machine.row_ns * tokens);
        cr_expect_float_eq(cost_whole(&pool.cost, text(tokens), LAYERS) / truth_ns, 1, 0.05, "%u tokens", tokens);
    }
    cr_assert_leq(pool.cost.task_ns, 2000, "a launch costs nothing here");
    close_pool(&pool);
}

Test(calibrate, is_not_mistaken_for_stalls)
{
    struct pool pool = open_pool(POSITIONS);
    machine.layer_ns = 40e3;
    machine.row_ns = 3e3;
    machine.stalls = 4;
    cr_assert_eq(calibrate_cost(&pool.cost, pool.image, pool.boards[0], all_layers, NULL), STATUS_OK);
    double truth_ns = LAYERS * (machine.layer_ns + machine.row_ns * 128);
    cr_assert_float_eq(cost_whole(&pool.cost, text(128), LAYERS) / truth_ns, 1, 0.05);
    cr_assert_leq(pool.cost.task_ns, 2000);
    close_pool(&pool);
}

Test(calibrate, finds_that_sharing_pays)
{
    struct pool pool = open_pool(POSITIONS);
    machine.layer_ns = 40e3;
    machine.row_ns = 3e3;
    machine.shared = 0.4;
    machine.barrier_ns = 1e3;
    calibrate(&pool, 2);
    for (uint32_t tokens = 8; tokens <= 128; tokens *= 2) {
        struct bandit_choice choice = choose(&pool, tokens, 2);
        double truth_ns = LAYERS * (machine.shared * (2 * machine.layer_ns + machine.row_ns * tokens) + 1e3);
        cr_expect_eq(choice.boards, 2, "%u tokens", tokens);
        cr_expect_eq(choice.placement, BATCH_SPLIT);
        cr_expect_not(choice.exploring, "that is known");
        double predicted_ns = bandit_predict(&pool.bandit, &pool.cost, text(tokens), LAYERS, choice);
        cr_expect_float_eq(predicted_ns / truth_ns, 1, 0.02, "%u tokens: %.0f ns, not %.0f", tokens, predicted_ns,
                           truth_ns);
    }
    close_pool(&pool);
}

Test(calibrate, finds_that_sharing_does_not_pay)
{
    struct pool pool = open_pool(POSITIONS);
    machine.layer_ns = 40e3;
    machine.row_ns = 3e3;
    machine.shared = 0.5;
    machine.barrier_ns = 2e6;
    calibrate(&pool, N_BOARDS);
    for (uint32_t tokens = 8; tokens <= 512; tokens *= 2) {
        struct bandit_choice choice = choose(&pool, tokens, N_BOARDS);
        cr_expect(choice.boards == 1 || choice.exploring, "%u tokens over %u boards", tokens, choice.boards);
    }
    cr_assert_float_eq(pool.cost.barrier_ns / machine.barrier_ns, 1, 0.1, "other sizes need not find it out");
    close_pool(&pool);
}

Test(calibrate, takes_a_twentieth_of_a_second_for_sharing_and_none_of_slow_boards)
{
    for (double layer_ns = 1e6; layer_ns < 3e8; layer_ns *= 4) {
        struct pool pool = open_pool(POSITIONS);
        machine.layer_ns = layer_ns;
        machine.row_ns = layer_ns / 100;
        machine.shared = 0.5;
        machine.barrier_ns = 1e3;
        cr_assert_eq(calibrate_cost(&pool.cost, pool.image, pool.boards[0], all_layers, NULL), STATUS_OK);
        uint64_t begin_ns = now_ns;
        cr_assert_eq(calibrate_sharing(&pool.bandit, &pool.cost, pool.image, pool.boards, 2, NULL), STATUS_OK);
        double took_ns = (double)(now_ns - begin_ns);
        cr_expect_leq(took_ns, 5e7, "%.0f ns a layer: %.0f", layer_ns, took_ns);
        cr_expect_eq(took_ns > 0, layer_ns < 5e6, "%.0f ns a layer: %.0f", layer_ns, took_ns);
        close_pool(&pool);
    }
}

Test(calibrate, goes_on_without_a_board_that_fails)
{
    struct pool pool = open_pool(POSITIONS);
    ((struct timed_board *)pool.boards[1])->fails_from = 1;
    machine.layer_ns = 40e3;
    machine.row_ns = 3e3;
    machine.shared = 0.5;
    double took_ns = calibrate(&pool, 2);
    cr_assert_gt(took_ns, 0);
    cr_assert_float_eq(pool.cost.barrier_ns, 3000, 1, "nothing was learnt of splits");
    cr_assert_eq(((struct timed_board *)pool.boards[1])->tasks, 1, "it is not asked again");
    close_pool(&pool);
}

Test(calibrate, runs_nothing_of_a_toy)
{
    struct pool pool = open_pool(64);
    machine.layer_ns = 40e3;
    cr_assert_eq(calibrate(&pool, 2), 0);
    close_pool(&pool);
}

Test(calibrate, fails_without_memory)
{
    struct pool pool = open_pool(POSITIONS);
    machine.layer_ns = 1e4;
    machine.row_ns = 1e3;
    machine.shared = 0.5;
    enum status status = STATUS_NO_MEMORY;
    struct error err = {0};
    long failures = 0;
    for (; status != STATUS_OK && failures < MAX_LAUNCHES; failures++) {
        struct bandit bandit = {0};
        mem_fail_after(failures);
        status = calibrate_sharing(&bandit, &pool.cost, pool.image, pool.boards, 2, &err);
        mem_fail_after(-1);
        cr_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
    }
    cr_assert_eq(status, STATUS_OK);
    cr_assert_gt(failures, 4);
    close_pool(&pool);
}
