/* Requests whose sequences are being computed for another: once for all, and nobody fails or is late by it. */
#include "tests/serve/share_fixture.h"

TestSuite(share, .init = begin, .fini = end);

static const uint32_t boards[] = {1, 2, 5};

Test(flight, equal_ones_are_computed_once)
{
    for (int i = 0; i < 3; i++) {
        begin_with(boards[i], false);
        struct ask *asks[10];
        for (int k = 0; k < 10; k++)
            asks[k] = run(ask_for("a b c"));
        cr_expect_eq(held(), 1u);
        for (int k = 0; k < 10; k++)
            cr_expect_not(is_ready(asks[k]));
        work_for(asks[0], 0);
        for (int k = 0; k < 10; k++) {
            struct serve_infer_report report = expect_ok(asks[k]);
            cr_expect_eq(report.n_computed, 1u);
            cr_expect_leq(report.queue_ns + report.inference_ns, report.total_ns);
            cr_expect_gt(report.inference_ns, 0u);
        }
        expect_counts(0, 1, 9);
        end();
    }
}

Test(share, equal_ones_of_one_request)
{
    struct ask *ask = run(ask_for("a,b c,a,a"));
    uint32_t rows = fake_board_peek(sched.boards[0]).job->n_rows;
    if (held() == 2)
        rows += fake_board_peek(sched.boards[1]).job->n_rows;
    cr_expect_eq(rows, 3u + 4);
    work_for(ask, 0);
    expect_ok(ask);
    expect_counts(0, 2, 2);
}

/* Each has something that the other computes. */
Test(share, two_that_wait_for_each_other)
{
    struct ask *one = run(ask_for("a,b"));
    struct ask *two = run(ask_for("b,c,a"));
    struct ask *three = run(ask_for("c,a"));
    work_for(one, 0);
    work_for(two, 0);
    expect_ok(one);
    expect_ok(two);
    expect_ok(three);
    expect_counts(0, 3, 4);
}

Test(share, not_behind_another_class_or_client)
{
    struct ask *bulk = ask_for("a");
    bulk->call.has_class = true;
    bulk->call.class = BATCH_BULK;
    run(bulk);
    struct ask *interactive = run(ask_for("a"));
    cr_expect_eq(held(), 2u);
    struct ask *other = ask_for("a");
    other->call.client = 2;
    run(other);
    expect_counts(0, 3, 0);
    work_for(bulk, 0);
    work_for(interactive, 0);
    work_for(other, 0);
    expect_ok(bulk);
    expect_ok(interactive);
    expect_ok(other);
}

Test(share, a_leader_whose_client_leaves)
{
    struct ask *leader = run(ask_for("a"));
    struct ask *waiters[3] = {run(ask_for("a")), run(ask_for("b,a")), run(ask_for("a"))};
    expect_counts(0, 2, 3);
    leave(leader);
    WAIT_FOR(fake_board_cancelled(sched.boards[0]) || fake_board_cancelled(sched.boards[1]));
    work_for(waiters[0], 0);
    expect_failure(leader, STATUS_CANCELLED, "the client has gone");
    for (int i = 0; i < 3; i++) {
        work_for(waiters[i], 0);
        expect_ok(waiters[i]);
    }
    expect_counts(0, 2, 3);
}

Test(share, a_waiter_whose_client_leaves)
{
    struct ask *leader = run(ask_for("a"));
    struct ask *waiter = run(ask_for("a"));
    struct ask *both = run(ask_for("a,b"));
    leave(waiter);
    leave(both);
    WAIT_FOR(is_ready(waiter));
    cr_expect_not(is_ready(leader));
    expect_failure(waiter, STATUS_CANCELLED, "the client has gone");
    work_for(both, 0);
    WAIT_FOR(is_ready(both));
    serve_call_answer(&both->call); /* its own text may be done just before */
    finish(both);
    work_for(leader, 0);
    expect_ok(leader);
}

Test(share, a_leader_past_its_deadline)
{
    struct ask *leader = run_until(ask_for("a"), 200);
    struct ask *waiter = run_until(ask_for("a"), LONG_MS);
    WAIT_FOR(is_ready(leader) || fake_board_cancelled(sched.boards[0]) || fake_board_cancelled(sched.boards[1]));
    work_for(waiter, 0);
    expect_failure(leader, STATUS_TIMEOUT, "time limit");
    expect_ok(waiter);
}

static void end_cancelled(void)
{
    for (int b = 0; b < 2; b++)
        if (fake_board_cancelled(sched.boards[b]))
            fake_board_finish(sched.boards[b], STATUS_OK);
}

/* It has found what to do since whom it waited for has ended. */
static bool is_placed(const struct ask *ask)
{
    pthread_mutex_lock(&server->share.lock);
    bool placed = ask->call.infer->party.parts[0].state != SERVE_PART_OPEN;
    pthread_mutex_unlock(&server->share.lock);
    return placed;
}

static bool leads(const struct ask *ask)
{
    pthread_mutex_lock(&server->share.lock);
    bool any = ask->call.infer->party.n_leads > 0;
    pthread_mutex_unlock(&server->share.lock);
    return any;
}

/* That it was late is no fault of the text: those who waited need one of them only. */
Test(share, after_a_late_leader_one_is_computed_for_all)
{
    struct ask *leader = run_until(ask_for("a"), 200);
    struct ask *one = run(ask_for("a"));
    struct ask *two = run(ask_for("a"));
    for (int tries = 0; !is_ready(leader); tries++) {
        cr_assert_lt(tries, 300000);
        end_cancelled();
        usleep(1000);
    }
    expect_failure(leader, STATUS_TIMEOUT, "time limit");
    WAIT_FOR(is_placed(one) && is_placed(two));
    cr_expect_neq(leads(one), leads(two));
    work_for(one, 0);
    work_for(two, 0);
    expect_ok(one);
    expect_ok(two);
}

static uint32_t rows_at_work(void)
{
    uint32_t rows = 0;
    for (int b = 0; b < 2; b++) {
        if (fake_board_held(sched.boards[b]) && !fake_board_cancelled(sched.boards[b]))
            rows += fake_board_peek(sched.boards[b]).job->n_rows;
    }
    return rows;
}

/* Whose leader has gone computes what it waited for, and nothing that it has already. */
Test(share, a_second_round_computes_the_rest_only)
{
    struct ask *leader = run(ask_for("a"));
    struct ask *waiter = run(ask_for("b,a"));
    cr_assert_eq(held(), 2u);
    int b_is_on = fake_board_peek(sched.boards[0]).job->ids[1] == B ? 0 : 1;
    fake_board_finish(sched.boards[b_is_on], STATUS_OK);
    leave(leader);
    for (int tries = 0; !is_ready(leader); tries++) {
        cr_assert_lt(tries, 300000);
        end_cancelled();
        usleep(1000);
    }
    expect_failure(leader, STATUS_CANCELLED, "the client has gone");
    WAIT_FOR((end_cancelled(), rows_at_work() > 0));
    cr_expect_eq(rows_at_work(), 3u);
    work_for(waiter, 0);
    expect_ok(waiter);
}

/* It must not find out only when the leader is done. */
Test(share, a_waiter_with_an_earlier_deadline)
{
    struct ask *leader = run_until(ask_for("a"), LONG_MS);
    struct ask *endless = run(ask_for("a"));
    struct ask *hasty = run_until(ask_for("a"), 200);
    struct ask *first = run(ask_for("b"));
    struct ask *second = run_until(ask_for("b"), LONG_MS);
    cr_expect_eq(coalesced(), 1u, "only the endless one waits for the leader");
    for (int tries = 0; !is_ready(hasty); tries++) {
        cr_assert_lt(tries, 300000);
        for (int b = 0; b < 2; b++)
            if (fake_board_cancelled(sched.boards[b]))
                fake_board_finish(sched.boards[b], STATUS_OK);
        usleep(1000);
    }
    expect_failure(hasty, STATUS_TIMEOUT, "time limit");
    work_for(second, 0);
    work_for(first, 0);
    work_for(leader, 0);
    work_for(endless, 0);
    expect_ok(second);
    expect_ok(first);
    expect_ok(leader);
    expect_ok(endless);
}

/* The text that no board computes fails all who asked for it, each by itself, and nobody else. */
Test(share, a_leader_that_fails)
{
    struct ask *leader = run(ask_for("a,b"));
    struct ask *innocent = run(ask_for("a"));
    struct ask *guilty = run(ask_for("c,b"));
    struct ask *twins = run(ask_for("b,b"));
    expect_counts(0, 3, 4);
    for (int tries = 0; !is_ready(leader) || !is_ready(innocent) || !is_ready(guilty) || !is_ready(twins); tries++) {
        cr_assert_lt(tries, 300000);
        for (int b = 0; b < 2; b++)
            fake_board_finish_unless(sched.boards[b], B);
        usleep(100);
    }
    expect_failure(leader, STATUS_BACKEND, "`inputs[1]` failed 8 times");
    expect_failure(guilty, STATUS_BACKEND, "`inputs[1]` failed 8 times");
    expect_failure(twins, STATUS_BACKEND, "`inputs[0]` failed 8 times");
    expect_ok(innocent);
    struct ask *again = run(ask_for("b"));
    work_for(again, 0);
    expect_ok(again);
}

/* Else each would wait for the failures of all before it. */
Test(share, after_a_failure_each_is_computed_by_itself)
{
    struct ask *leader = run(ask_for("b"));
    struct ask *waiters[3];
    for (int i = 0; i < 3; i++)
        waiters[i] = run(ask_for("b"));
    work_for(leader, B);
    expect_failure(leader, STATUS_BACKEND, "failed 8 times");
    for (int i = 0; i < 3; i++)
        WAIT_FOR(leads(waiters[i]));
    for (int i = 0; i < 3; i++) {
        work_for(waiters[i], 0);
        expect_ok(waiters[i]);
    }
}

Test(share, the_end_of_the_server)
{
    struct ask *asks[8];
    for (int i = 0; i < 8; i++)
        asks[i] = run(ask_for(i % 2 ? "a" : "a,b"));
    serve_server_close(server, true);
    for (int i = 0; i < 8; i++) {
        for (int tries = 0; !is_ready(asks[i]); tries++) {
            cr_assert_lt(tries, 300000);
            for (int b = 0; b < 2; b++)
                if (fake_board_cancelled(sched.boards[b]))
                    fake_board_finish(sched.boards[b], STATUS_OK);
            usleep(1000);
        }
        expect_failure(asks[i], STATUS_CANCELLED, "the client has gone");
    }
}

Test(share, memory_counts_and_may_run_out)
{
    compute("a");
    bool done = false;
    int failures = 0;
    for (long n = 0; n < 100 && !done; n++) {
        struct ask *ask = ask_for("b,c,a,b");
        mem_fail_after(n);
        run(ask);
        mem_fail_after(-1);
        work_for(ask, 0);
        serve_call_answer(&ask->call);
        cr_assert(ask->call.status == STATUS_OK || ask->call.status == STATUS_NO_MEMORY, "%s", ask->call.err.message);
        done = ask->call.status == STATUS_OK;
        failures += !done;
        finish(ask);
    }
    cr_expect(done && failures > 3, "%d", failures);
}
