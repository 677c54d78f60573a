/* Shards as large as their boards are fast: the arithmetic, and splits of boards that only move a clock on. */
#include <math.h>

#include "server/batch/flight.h"
#include "server/batch/pace.h"
#include "server/batch/sched.h"
#include "tests/batch/sched_fixture.h"

enum { ROWS = 256, MAX_TEXTS = 50, ROUND_ROW_NS = 1000, MAX_LAUNCHES = 50 };

static uint64_t now_ns = 1000;

uint64_t __wrap_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void)
{
    return now_ns;
}

static const uint32_t all[] = {0, 1, 2, 3};

static void note(struct pace *pool, const double *paces, uint32_t n)
{
    for (uint32_t b = 0; b < n; b++)
        pace_note(&pool[b], paces[b], now_ns);
}

Test(pace, of_boards_that_hardly_differ_is_the_same)
{
    struct pace pool[3] = {0};
    double speeds[3];
    cr_assert_not(pace_speeds(pool, all, 3, now_ns, speeds), "nothing is known");
    note(pool, (double[]){0.95, 1, 1.15}, 3);
    cr_assert_not(pace_speeds(pool, all, 3, now_ns, speeds));
    for (int b = 0; b < 3; b++)
        cr_assert_eq(speeds[b], 1);
    note(pool, (double[]){0.7, 0.75, 1.5}, 3);
    cr_assert(pace_speeds(pool, all, 3, now_ns, speeds));
    cr_assert_eq(speeds[0], 1);
    cr_assert_eq(speeds[1], 1);
    cr_assert_float_eq(speeds[2], 0.725 / 1.5, 1e-9);
    note(pool, (double[]){0.94, 0.94, 1.12}, 3);
    cr_assert(pace_speeds(pool, all, 3, now_ns, speeds), "it is not back yet");
    note(pool, (double[]){0.98, 0.98, 1.04}, 3);
    cr_assert_not(pace_speeds(pool, all, 3, now_ns, speeds));
    note(pool, (double[]){0.94, 0.94, 1.12}, 3);
    cr_assert_not(pace_speeds(pool, all, 3, now_ns, speeds), "it does not differ for so little");
}

Test(pace, is_forgotten)
{
    struct pace pool[2] = {0};
    double speeds[2];
    note(pool, (double[]){0.6, 1.4}, 2);
    now_ns += PACE_MEMORY_NS;
    note(pool, (double[]){0.6, 1.4}, 2);
    cr_assert(pace_speeds(pool, all, 2, now_ns, speeds));
    now_ns++;
    cr_assert_not(pace_speeds(pool, all, 2, now_ns, speeds), "however lately it was confirmed");
    note(pool, (double[]){0.6, 1.4}, 2);
    cr_assert(pace_speeds(pool, all, 2, now_ns, speeds));
}

Test(pace, does_not_follow_one_stall)
{
    struct pace pool[2] = {0};
    double speeds[2];
    note(pool, (double[]){pace_after(1, 0.02), pace_after(1, 1.98)}, 2);
    cr_assert_not(pace_speeds(pool, all, 2, now_ns, speeds));
    double fast = 1, slow = 1;
    for (int round = 0; round < 20; round++) {
        fast = pace_after(fast, 2 / 3.0);
        slow = pace_after(slow, 4 / 3.0);
    }
    cr_assert_float_eq(slow / fast, 2, 0.2);
}

static void check_parts(double work, double fixed, double least, const double *speeds, uint32_t n)
{
    double begins[5], end = 0;
    pace_divide(work, fixed, least, speeds, n, begins);
    begins[n] = work;
    cr_expect_eq(begins[0], 0);
    for (uint32_t p = 0; p < n; p++)
        if (begins[p + 1] - begins[p] > least * 1.000001)
            end = fmax(end, (begins[p + 1] - begins[p] + fixed) / speeds[p]);
    for (uint32_t p = 0; p < n; p++) {
        double part = begins[p + 1] - begins[p];
        cr_expect_geq(part, least * 0.999999);
        cr_expect(part < least * 1.000001 || fabs((part + fixed) / speeds[p] / end - 1) < 1e-6,
                  "part %u of %.3f ends at %.3f, others at %.3f", p, part, (part + fixed) / speeds[p], end);
    }
}

Test(pace, divides_so_that_all_are_done_together)
{
    check_parts(300, 0, 1, (double[]){1, 0.5}, 2);
    check_parts(300, 50, 1, (double[]){0.5, 1, 1}, 3);
    check_parts(300, 200, 4, (double[]){1, 0.25, 0.9, 0.1}, 4);
    check_parts(4, 1000, 1, (double[]){1, 0.3, 0.3, 0.1}, 4);
    double begins[2];
    pace_divide(300, 0, 1, (double[]){1, 0.5}, 2, begins);
    cr_assert_float_eq(begins[1], 200, 1e-3);
}

/* A flight on two fake boards. */
struct trip {
    struct image *image;
    struct board *boards[2];
    struct pace paces[2];
    struct flight *flight;
    bool returned;
};

static void on_returned(struct flight *flight, void *cookie)
{
    (void)flight;
    ((struct trip *)cookie)->returned = true;
}

static struct flight_plan plan_of(const struct trip *trip)
{
    return (struct flight_plan){.pool = trip->boards, .boards = all, .n = 2, .placement = BATCH_SPLIT};
}

/* Some texts of `each` tokens and one of `rows`. */
static struct trip begin_ragged(uint32_t texts, uint32_t each, uint32_t rows)
{
    static uint32_t ids[ROWS];
    static struct batch_item items[MAX_TEXTS];
    static struct batch_work work;
    struct queue_entry entries[MAX_TEXTS];
    struct trip trip = {.image = make_image(), .boards = {fake_board_create(), fake_board_create()}};
    work = (struct batch_work){.items = items, .n_items = texts + 1};
    for (uint32_t i = 0; i <= texts; i++) {
        items[i] = (struct batch_item){.ids = ids, .n_tokens = i < texts ? each : rows};
        entries[i] = (struct queue_entry){.work = &work, .item = &items[i]};
    }
    trip.flight = flight_create(trip.image, entries, texts + 1);
    const struct flight_plan plan = plan_of(&trip);
    cr_assert_eq(flight_reserve(trip.flight, &plan), STATUS_OK);
    trip.flight->layer_weight = 40;
    return trip;
}

static struct trip begin(uint32_t rows)
{
    return begin_ragged(0, 0, rows);
}

static void end(struct trip *trip)
{
    flight_destroy(&trip->flight);
    image_release(&trip->image);
    for (int b = 0; b < 2; b++)
        board_close(&trip->boards[b]);
}

/* One launch, in which a row takes board b `slow` [b] times as long as it might, and `stalls` rounds of board 1 a
 * hundred times. Returns the rows of board 1. */
static uint32_t fly(struct trip *trip, const double *slow, int stalls)
{
    struct flight *flight = trip->flight;
    trip->returned = false;
    flight->layer = 0;
    flight->paces = trip->paces;
    flight->launched_ns = now_ns;
    const struct flight_plan plan = plan_of(trip);
    flight_launch(flight, &plan, LAYERS, on_returned, trip);
    while (!trip->returned) {
        uint64_t round_ns = now_ns;
        double took[2];
        for (int b = 0; b < 2; b++) {
            const struct board_task task = fake_board_peek(trip->boards[b]);
            took[b] = slow[b] * ROUND_ROW_NS * (flight->layer_weight + task.row_end - task.row_begin);
            if (b == 1 && flight->projected && stalls-- > 0)
                took[b] *= 100;
        }
        bool first = took[1] < took[0];
        for (int turn = 0; turn < 2; turn++) {
            int b = turn == 0 ? first : !first;
            uint32_t held = fake_board_held(trip->boards[b]);
            now_ns = round_ns + (uint64_t)took[b];
            for (uint32_t t = 0; t < held; t++)
                fake_board_finish(trip->boards[b], STATUS_OK);
        }
    }
    cr_assert_eq(flight->status, STATUS_OK);
    for (int b = 0; b < 2 && flight->comparable; b++)
        pace_note(&trip->paces[b], flight->shards[b].pace, now_ns);
    const struct board_task *task = &flight->shards[1].finish;
    cr_assert_eq(flight->shards[0].finish.row_begin, 0);
    cr_assert_eq(flight->shards[0].finish.row_end, task->row_begin);
    cr_assert_eq(task->row_end, flight->job.n_rows);
    cr_assert_eq(flight->shards[1].project.row_begin, task->row_begin);
    return task->row_end - task->row_begin;
}

static const double alike[] = {1, 1}, second_slow[] = {1, 2}, first_slow[] = {1.5, 1};

Test(pace, a_slow_board_gets_fewer_rows_until_it_recovers)
{
    struct trip trip = begin(ROWS);
    for (int i = 0; i < MAX_LAUNCHES; i++)
        cr_assert_eq(fly(&trip, alike, i == 20), ROWS / 2, "one stall in launch 20");
    uint32_t rows = 0;
    for (int i = 0; i < 25; i++)
        rows = fly(&trip, second_slow, 0);
    double truth = (ROWS + 2 * trip.flight->layer_weight) / 3 - trip.flight->layer_weight;
    cr_assert_float_eq(rows, truth, 8, "%u rows, not %.0f", rows, truth);
    for (int i = 0; i < 40; i++)
        rows = fly(&trip, alike, 0);
    cr_assert_eq(rows, ROWS / 2, "%u rows", rows);
    for (int i = 0; i < 40; i++)
        rows = fly(&trip, first_slow, 0);
    cr_assert_gt(rows, ROWS / 2 + 20);
    end(&trip);
}

Test(pace, no_board_gets_less_than_a_few_rows)
{
    static const double hopeless[] = {1, 20};
    for (uint32_t rows = 2; rows <= ROWS; rows += 7) {
        struct trip trip = begin(rows);
        pace_note(&trip.paces[0], 0.1, now_ns);
        pace_note(&trip.paces[1], 1.9, now_ns);
        uint32_t got = fly(&trip, hopeless, 0), few = rows / 2 < 4 ? rows / 2 : 4;
        cr_expect_geq(got, few, "%u of %u rows", got, rows);
        cr_expect_leq(got, few + 4, "%u of %u rows", got, rows);
        end(&trip);
    }
}

Test(pace, no_board_gets_less_though_its_rows_are_dear)
{
    struct trip trip = begin_ragged(40, 4, 96);
    trip.flight->pair_weight = 0.5;
    pace_note(&trip.paces[0], 0.1, now_ns);
    pace_note(&trip.paces[1], 1.9, now_ns);
    cr_assert_eq(fly(&trip, alike, 0), 4);
    end(&trip);
}

/* Kernels may take as long for 9 rows as for 16: of such shards nothing is learnt. */
Test(pace, small_shards_that_differ_tell_nothing)
{
    struct trip trip = begin(36);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(fly(&trip, second_slow, 0), 16);
    end(&trip);
    trip = begin(32);
    for (int i = 0; i < 10; i++)
        fly(&trip, second_slow, 0);
    cr_assert_lt(fly(&trip, second_slow, 0), 16);
    end(&trip);
}

Test(pace, is_known_to_the_scheduler)
{
    struct sched sched;
    open_placed(&sched, 2, 4000, 100, BATCH_SPLIT);
    pthread_mutex_lock(&sched.batch->lock);
    pace_note(&sched.batch->paces[0], 0.6, now_ns);
    pace_note(&sched.batch->paces[1], 1.4, now_ns);
    pthread_mutex_unlock(&sched.batch->lock);
    struct request *request = make_request(10, 16, BATCH_POOL_MEAN);
    request->work.class = BATCH_INTERACTIVE;
    batch_submit(sched.batch, &request->work, NULL);
    struct board_task first = fake_board_peek(sched.boards[0]), second = fake_board_peek(sched.boards[1]);
    cr_assert_gt(first.row_end - first.row_begin, second.row_end - second.row_begin);
    cr_assert_eq(second.row_end, 160);
    while (!request->done) {
        for (int b = 0; b < 2; b++) {
            now_ns += 1000000;
            fake_board_finish(sched.boards[b], STATUS_OK);
        }
    }
    cr_assert_eq(request->status, STATUS_OK);
    pthread_mutex_lock(&sched.batch->lock);
    double pace = sched.batch->paces[0].of_late;
    pthread_mutex_unlock(&sched.batch->lock);
    cr_assert_neq(pace, 0.6, "it learnt");
    free(request);
    close_sched(&sched);
}
