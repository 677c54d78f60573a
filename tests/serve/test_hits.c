/* Requests that are answered out of the cache: what they find, and what they must not. */
#include "tests/serve/share_fixture.h"

TestSuite(hits, .init = begin, .fini = end);

Test(hits, an_answer_out_of_the_cache)
{
    struct serve_infer_report first = compute("a b");
    struct serve_infer_report second = expect_cached(ask_for("a b"));
    cr_expect_eq(first.tokens, 4u);
    cr_expect_eq(second.tokens, 4u, "what they cost does not depend on the cache");
    cr_expect_eq(first.n_cached, 0u);
    cr_expect_eq(first.n_computed, 1u);
    cr_expect_eq(second.n_cached, 1u);
    cr_expect_eq(second.n_computed, 0u);
    cr_expect_eq(second.queue_ns + second.inference_ns, 0u);
    expect_counts(1, 1, 0);
}

Test(hits, only_the_rest_is_computed)
{
    compute("a,b");
    struct ask *ask = run(ask_for("b,c d e,a"));
    cr_expect_eq(fake_board_peek(sched.boards[0]).job->n_rows, 5u, "c d e alone");
    work_for(ask, 0);
    struct serve_infer_report report = expect_ok(ask);
    cr_expect_eq(report.n_cached, 2u);
    cr_expect_eq(report.n_computed, 1u);
    cr_expect_eq(report.tokens, 3u + 5 + 3);
    expect_counts(2, 3, 0);
}

Test(hits, poolings_are_kept_apart_and_token_vectors_are_not_kept)
{
    compute("a");
    struct ask *cls = ask_for("a");
    cls->pooling = BATCH_POOL_CLS;
    run(cls);
    cr_expect_not(is_ready(cls));
    work_for(cls, 0);
    serve_call_answer(&cls->call);
    cr_expect_eq(*(const float *)(const void *)cls->call.reply.data, 2.0f);
    finish(cls);
    expect_counts(0, 2, 0);
    struct ask *tokens = ask_for("a");
    tokens->pooling = BATCH_POOL_NONE;
    run(tokens);
    cr_expect_not(is_ready(tokens));
    work_for(tokens, 0);
    cr_expect_eq(serve_infer_tokens(tokens->call.infer, 0)[WIDTH], (float)A);
    finish(tokens);
    expect_counts(0, 2, 0);
}

static struct ask *ask_of(uint64_t credential, const char *texts)
{
    struct ask *ask = ask_for(texts);
    ask->call.credential = credential;
    return ask;
}

Test(hits, nobody_profits_from_another_credential)
{
    struct ask *one = run(ask_of(1, "a"));
    struct ask *two = run(ask_of(2, "a"));
    cr_expect_eq(held(), 2u, "not while it is computed");
    work_for(one, 0);
    expect_ok(one);
    work_for(two, 0);
    expect_ok(two);
    struct ask *three = run(ask_of(3, "a"));
    cr_expect_not(is_ready(three), "and not afterwards");
    work_for(three, 0);
    expect_ok(three);
    expect_cached(ask_of(2, "a"));
    expect_counts(1, 3, 0);
}

Test(shared, unless_it_is_allowed, .fini = end)
{
    begin_with(1, true);
    struct ask *one = run(ask_of(1, "a"));
    struct ask *two = run(ask_of(2, "a"));
    cr_expect_eq(held(), 1u);
    work_for(one, 0);
    expect_ok(one);
    expect_ok(two);
    expect_cached(ask_of(3, "a"));
    expect_counts(1, 1, 1);
}

Test(hits, no_board_is_needed)
{
    struct error err;
    compute("a");
    for (int b = 0; b < 2; b++)
        atomic_store(&((struct fake_board *)sched.boards[b])->broken, true);
    struct ask *last = run(ask_for("b"));
    for (int tries = 0; serve_server_check(server, &err) == STATUS_OK; tries++) {
        cr_assert_lt(tries, 300000);
        for (int b = 0; b < 2; b++)
            fake_board_finish(sched.boards[b], STATUS_BACKEND);
        usleep(1000);
    }
    expect_failure(last, STATUS_UNHEALTHY, "no board");
    expect_cached(ask_for("a"));
    expect_failure(run(ask_for("a,b")), STATUS_UNHEALTHY, "no board");
}

/* What was computed before memory was found damaged may be wrong. */
Test(hits, nothing_is_kept_from_before_damage)
{
    compute("a");
    expect_cached(ask_for("a"));
    atomic_fetch_add(&sched.batch->scrub_failures, 1);
    struct ask *ask = run(ask_for("a"));
    cr_expect_not(is_ready(ask));
    work_for(ask, 0);
    expect_ok(ask);
    expect_cached(ask_for("a"));
}

/* So many results are put into the cache, and given to who waits, by a worker. */
Test(hits, of_a_request_of_many_texts)
{
    struct ask *many = run(ask_for("a,b,c,d,e,f,g,h,i,j"));
    struct ask *waiter = run(ask_for("j,a b,c"));
    struct ask *bulk = ask_for("j");
    bulk->call.has_class = true;
    bulk->call.class = BATCH_BULK;
    run(bulk);
    expect_counts(0, 10 + 3, 1);
    work_for(many, 0);
    work_for(waiter, 0);
    work_for(bulk, 0);
    expect_ok(many);
    expect_ok(waiter);
    expect_ok(bulk);
    expect_cached(ask_for("a,b,c,d,e,f,g,h,i,j,a b"));
}
