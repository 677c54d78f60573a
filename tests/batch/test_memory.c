/* Each allocation fails in turn, with pools of 1, 2 and 5 boards: whoever is hit gets NO_MEMORY, all others their
 * results. */
#include "tests/batch/sched_fixture.h"

enum { WORKS = 6, TEXTS = 5, TOKENS = 8, MOST_FAILURES = 200 };

static const uint32_t pools[] = {1, 2, 5};

static bool is_right(const struct request *request)
{
    for (uint32_t i = 0; i < request->work.n_items; i++)
        if (request->out[i][0] != 10.0f * (float)(i + 1) + 3.5f)
            return false;
    return true;
}

static struct batch_options options_of(struct sched *sched, uint32_t boards, enum batch_placement placement)
{
    *sched = (struct sched){.image = make_image()};
    for (uint32_t b = 0; b < boards; b++)
        sched->boards[b] = fake_board_create();
    return (struct batch_options){.image = sched->image,
                                  .boards = sched->boards,
                                  .n_boards = boards,
                                  .max_tokens = 4 * TOKENS,
                                  .max_queued_items = 500,
                                  .placement = placement};
}

Test(memory, creating_fails_or_succeeds)
{
    for (size_t p = 0; p < sizeof pools / sizeof *pools; p++) {
        enum status status = STATUS_NO_MEMORY;
        for (long n = 0; status != STATUS_OK; n++) {
            struct sched sched;
            struct error err = {0};
            struct batch_options options = options_of(&sched, pools[p], BATCH_REPLICATE);
            mem_fail_after(n);
            status = batch_create(&sched.batch, &options, &err);
            mem_fail_after(-1);
            cr_assert(status == STATUS_OK || n < 4, "it needs four pieces of memory");
            if (status == STATUS_OK) {
                close_sched(&sched);
                continue;
            }
            cr_assert_eq(err.status, STATUS_NO_MEMORY);
            for (uint32_t b = 0; b < pools[p]; b++)
                board_close(&sched.boards[b]);
            image_release(&sched.image);
        }
    }
}

static atomic_int begun; /* texts, in the order of the queue */

static void count_begun(void *cookie, uint32_t sequences, uint32_t tokens)
{
    (void)cookie;
    (void)tokens;
    atomic_fetch_add(&begun, (int)sequences);
}

/* WORKS works of one key, so first in first out, then allocation `n` fails. False: there were not as many. */
static bool one_fails(uint32_t boards, enum batch_placement placement, enum batch_class class, long n)
{
    struct sched sched;
    struct request *requests[WORKS];
    struct batch_options options = options_of(&sched, boards, placement);
    cr_assert_eq(batch_create(&sched.batch, &options, NULL), STATUS_OK);
    batch_set_on_dispatch(sched.batch, count_begun, NULL);
    begun = 0;
    for (int w = 0; w < WORKS; w++) {
        requests[w] = make_request(TEXTS, TOKENS, BATCH_POOL_MEAN);
        requests[w]->work.class = class;
    }
    int hit = -1; /* the text with which the batch begins that has no memory */
    long from = mem_alloc_count();
    mem_fail_after(n);
    for (int w = 0; w < WORKS; w++) {
        cr_assert_eq(batch_submit(sched.batch, &requests[w]->work, NULL), STATUS_OK);
        check_invariants(&sched);
        hit = hit < 0 && requests[w]->done ? begun : hit;
    }
    finish_all(&sched);
    bool failed = mem_alloc_count() - from > n;
    mem_fail_after(-1);
    int without = 0, first = WORKS, last = 0;
    for (int w = 0; w < WORKS; w++) {
        cr_assert_eq(requests[w]->done, 1, "%u boards, allocation %ld: work %d ended %d times", boards, n, w,
                     requests[w]->done);
        if (requests[w]->status == STATUS_NO_MEMORY) {
            without++;
            first = w < first ? w : first;
            last = w;
        } else {
            cr_assert_eq(requests[w]->status, STATUS_OK);
            cr_assert(is_right(requests[w]));
        }
    }
    /* A batch has at most 4 texts, so it is of one work or two. */
    cr_assert(failed ? without >= 1 && without <= 2 && last - first < 2 : without == 0,
              "%u boards, allocation %ld: %d works without memory", boards, n, without);
    cr_assert(hit < 0 || (first <= hit / TEXTS && hit / TEXTS <= last + 1), "others than those hit");
    struct request *next = make_request(20, TOKENS, BATCH_POOL_MEAN);
    cr_assert_eq(batch_submit(sched.batch, &next->work, NULL), STATUS_OK);
    finish_all(&sched);
    cr_assert_eq(next->status, STATUS_OK);
    cr_assert(is_right(next));
    free(next);
    for (int w = 0; w < WORKS; w++)
        free(requests[w]);
    close_sched(&sched);
    return failed;
}

Test(memory, whoever_is_hit_fails_and_the_others_do_not)
{
    static const enum batch_placement placements[] = {BATCH_AUTO, BATCH_REPLICATE, BATCH_SPLIT, BATCH_TENSOR,
                                                      BATCH_PIPELINE};
    for (size_t p = 0; p < sizeof pools / sizeof *pools; p++)
        for (size_t m = 0; m < sizeof placements / sizeof *placements; m++)
            for (int c = 0; c < BATCH_CLASSES; c++) {
                if (placements[m] == BATCH_PIPELINE && pools[p] > LAYERS)
                    continue; /* there is no such pipeline */
                fake_exchange = placements[m] == BATCH_TENSOR ? 64 : 0;
                long n = 0;
                while (one_fails(pools[p], placements[m], (enum batch_class)c, n))
                    cr_assert_lt(++n, MOST_FAILURES);
                cr_assert_geq(n, WORKS, "a batch of at most 4 texts each");
            }
}

/* Planned for all boards at once, and the first has no memory. */
Test(memory, the_first_of_several_batches_of_one_work)
{
    for (size_t p = 0; p < sizeof pools / sizeof *pools; p++)
        for (int fail = 0; fail < 2; fail++) {
            struct sched sched;
            open_sched(&sched, pools[p], 4000, 100);
            struct request *request = make_request(20, TOKENS, BATCH_POOL_MEAN);
            request->work.class = BATCH_BULK;
            mem_fail_after(fail ? 0 : -1);
            cr_assert_eq(batch_submit(sched.batch, &request->work, NULL), STATUS_OK);
            mem_fail_after(-1);
            check_invariants(&sched);
            cr_assert_eq(request->done, fail);
            for (uint32_t b = 0; b < pools[p]; b++)
                cr_assert_eq(fake_board_held(sched.boards[b]), !fail);
            finish_all(&sched);
            cr_assert_eq(request->done, 1);
            cr_assert_eq(request->status, fail ? STATUS_NO_MEMORY : STATUS_OK);
            free(request);
            close_sched(&sched);
        }
}

/* A batch that failed on its board runs again one text at a time, for one of which there is no memory. */
static void no_memory_to_try_again(uint32_t boards, long n)
{
    struct sched sched;
    open_sched(&sched, boards, 4000, 100);
    struct request *plugs[MAX_BOARDS], *mates[3];
    for (uint32_t b = 0; b < boards; b++) {
        plugs[b] = make_request(1, TOKENS, BATCH_POOL_MEAN);
        batch_submit(sched.batch, &plugs[b]->work, NULL);
    }
    for (int m = 0; m < 3; m++) {
        mates[m] = make_request(1, TOKENS, BATCH_POOL_MEAN);
        batch_submit(sched.batch, &mates[m]->work, NULL);
    }
    cr_assert(fake_board_finish(sched.boards[0], STATUS_OK));
    cr_assert_eq(fake_board_peek(sched.boards[0]).row_end, 3 * TOKENS, "the three are together");
    cr_assert(fake_board_finish(sched.boards[0], STATUS_BACKEND));
    struct batch_stats stats;
    do {
        for (uint32_t b = 1; b < boards; b++) /* the others are done with their plugs */
            if (fake_board_peek(sched.boards[b]).row_end == TOKENS)
                fake_board_finish(sched.boards[b], STATUS_OK);
        batch_get_stats(sched.batch, &stats);
        usleep(1000);
    } while (stats.boards_ready < boards);
    uint32_t at = 0;
    WAIT_FOR(fake_board_held(sched.boards[at = boards > 1 && fake_board_held(sched.boards[0]) == 0 ? 1 : 0]) == 1);
    cr_assert_eq(fake_board_peek(sched.boards[at]).row_end, 3 * TOKENS, "and again");
    mem_fail_after(n);
    cr_assert(fake_board_finish(sched.boards[at], STATUS_BACKEND));
    mem_fail_after(-1);
    check_invariants(&sched);
    for (int tries = 0; mates[0]->done + mates[1]->done + mates[2]->done < 3; tries++) {
        cr_assert_lt(tries, 300000);
        finish_all(&sched);
        usleep(1000);
    }
    for (int m = 0; m < 3; m++) {
        cr_assert_eq(mates[m]->done, 1);
        cr_assert_eq(mates[m]->status, m == n ? STATUS_NO_MEMORY : STATUS_OK, "mate %d", m);
        cr_assert(m == n || is_right(mates[m]));
        free(mates[m]);
    }
    for (uint32_t b = 0; b < boards; b++) {
        cr_assert_eq(plugs[b]->status, STATUS_OK);
        free(plugs[b]);
    }
    close_sched(&sched);
}

Test(memory, a_batch_that_failed_on_its_board)
{
    for (size_t p = 0; p < sizeof pools / sizeof *pools; p++)
        for (long n = 0; n < 3; n++)
            no_memory_to_try_again(pools[p], n);
}
