/* Streams of calls: order, what runs at once, flow control, failures in between, clients that leave. */
#include "tei.pb-c.h"
#include "tests/rpc/emu_server.h"
#include "tests/rpc/fake_stream.h"

TestSuite(calls, .init = begin_stream, .fini = end);

enum { MANY = 200 };

static void send_text(const char *text)
{
    Tei__V1__EmbedRequest request = TEI__V1__EMBED_REQUEST__INIT;
    request.inputs = (char *)(uintptr_t)text;
    request.truncate = true;
    fake_pack(&stream, &request.base);
}

/* One to nine words, another text for each number up to nine times ten. */
static void nth_text(int i, char text[32])
{
    char *to = text;
    for (int w = 0; w <= i % 9; w++)
        to += sprintf(to, "%s%c", w ? " " : "", 'a' + (i / 9 + w) % 10);
}

static void expect_sent(int i, const char *text)
{
    Tei__V1__EmbedResponse *response =
        tei__v1__embed_response__unpack(NULL, stream.sent_len[i], (const uint8_t *)stream.sent[i]);
    cr_assert_not_null(response);
    float *right = direct_rows(text, false, true);
    cr_assert_eq(response->n_embeddings, (size_t)EMU_HIDDEN);
    cr_expect_eq(memcmp(response->embeddings, right, EMU_HIDDEN * sizeof *right), 0, "answer %d", i);
    free(right);
    tei__v1__embed_response__free_unpacked(response, NULL);
}

Test(calls, answers_come_in_order)
{
    char text[32];
    fake_open(&stream, "tei.v1.Embed/EmbedStream");
    for (int i = 0; i < MANY; i++) {
        nth_text(i, text);
        send_text(text);
        fake_poll(&stream);
    }
    fake_half_close(&stream);
    fake_end(&stream);
    cr_assert_eq(stream.code, 0u, "%s", stream.message);
    cr_assert_eq(stream.n_sent, MANY);
    for (int i = 0; i < MANY; i += 7) {
        nth_text(i, text);
        expect_sent(i, text);
    }
    cr_expect_null(fake_header(&stream, "x-compute-tokens"), "headers tell of one inference");
    cr_expect_eq(strlen(fake_header(&stream, "x-request-id")), 32u);
    fake_close(&stream);
}

Test(calls, messages_are_consumed_when_answered)
{
    fake_open(&stream, "tei.v1.Embed/EmbedStream");
    cr_assert(stream.most > 0 && stream.most <= MANY);
    slow_down();
    for (uint32_t i = 0; i < stream.most; i++)
        send_text("a");
    cr_expect_eq(stream.consumed, 0u);
    fake_cancel(&stream);
    fake_end(&stream);
    fake_close(&stream);
    fake_open(&stream, "tei.v1.Tokenize/TokenizeStream");
    for (int i = 0; i < 3; i++)
        fake_message(&stream,
                     "\x0a\x01"
                     "a",
                     3);
    FAKE_WAIT_FOR(&stream, stream.consumed == 3);
    fake_half_close(&stream);
    fake_end(&stream);
    cr_expect_eq(stream.n_sent, 3);
    fake_close(&stream);
}

Test(calls, no_message_at_all)
{
    fake_open(&stream, "tei.v1.Embed/EmbedStream");
    fake_half_close(&stream);
    cr_assert(stream.finished);
    cr_expect_eq(stream.code, 0u);
    cr_expect_eq(stream.n_sent, 0);
    fake_close(&stream);
}

/* Answers before it are given, those behind it are not. */
Test(calls, one_that_fails_ends_the_stream)
{
    fake_open(&stream, "tei.v1.Embed/EmbedStream");
    send_text("a");
    send_text("b");
    send_text("");
    for (int i = 0; i < MANY; i++)
        send_text("c");
    fake_end(&stream);
    cr_expect_eq(stream.code, 3u);
    cr_expect_str_eq(stream.message, "`inputs` cannot be empty");
    cr_assert_eq(stream.n_sent, 2);
    expect_sent(0, "a");
    expect_sent(1, "b");
    fake_close(&stream);
}

Test(calls, a_slow_reader)
{
    fake_open(&stream, "tei.v1.Embed/EmbedStream");
    stream.slow = true;
    for (int i = 0; i < 10; i++)
        send_text("a");
    fake_half_close(&stream);
    FAKE_WAIT_FOR(&stream, stream.n_sent == 1);
    EMU_WAIT_FOR(emu_stats(&sched).running_items == 0 && emu_stats(&sched).queued_items == 0);
    usleep(50000); /* all are ready now, or soon: none may be sent */
    fake_poll(&stream);
    cr_expect_eq(stream.n_sent, 1);
    cr_expect_not(stream.finished);
    fake_writable(&stream);
    fake_end(&stream);
    cr_expect_eq(stream.n_sent, 10);
    cr_expect_eq(stream.code, 0u);
    fake_close(&stream);
}

/* A reader that becomes slow and leaves: all ends, nothing is lost. */
Test(calls, a_slow_reader_that_leaves)
{
    fake_open(&stream, "tei.v1.Embed/EmbedStream");
    stream.slow = true;
    for (int i = 0; i < 10; i++)
        send_text("a");
    FAKE_WAIT_FOR(&stream, stream.n_sent == 1);
    fake_cancel(&stream);
    fake_end(&stream);
    cr_expect_eq(stream.code, 1u);
    cr_expect_eq(stream.n_sent, 1);
    fake_close(&stream);
}

Test(calls, cancelled_while_boards_compute)
{
    static const char *const paths[] = {"tei.v1.Embed/EmbedStream", "tei.v1.Embed/Embed"};
    slow_down();
    for (int p = 0; p < 2; p++) {
        fake_open(&stream, paths[p]);
        send_text("a b c");
        if (p == 0)
            send_text("d");
        else
            fake_half_close(&stream);
        EMU_WAIT_FOR(emu_stats(&sched).running_items > 0);
        fake_poll(&stream);
        cr_expect_not(stream.finished);
        fake_cancel(&stream);
        fake_end(&stream);
        cr_expect_eq(stream.code, 1u);
        cr_expect_eq(stream.n_sent, 0);
        fake_close(&stream);
        EMU_WAIT_FOR(emu_stats(&sched).running_items == 0);
    }
}

/* An answer to a request that is not yet whole must wait: a second message would make it an error. */
Test(calls, unary_waits_for_the_end_of_the_request)
{
    fake_open(&stream, "tei.v1.Embed/Embed");
    send_text("a");
    FAKE_WAIT_FOR(&stream, emu_stats(&sched).running_items == 0 && emu_stats(&sched).queued_items == 0);
    usleep(20000);
    fake_poll(&stream);
    cr_expect_eq(stream.n_sent, 0);
    fake_half_close(&stream);
    fake_end(&stream);
    cr_expect_eq(stream.n_sent, 1);
    fake_close(&stream);
}

Test(limited, the_servers_own_time_limit, .fini = end)
{
    begin_with(4, 300);
    stream = (struct rpc_stream){.server = server, .socket = -1};
    slow_down();
    fake_open(&stream, "tei.v1.Embed/Embed");
    stream.deadline_ns = clock_now_ns() + 600000000000u;
    send_text("a");
    fake_half_close(&stream);
    fake_end(&stream);
    cr_expect_eq(stream.code, 4u, "%s", stream.message);
    fake_close(&stream);
}

/* Where there is no memory the stream ends and says so; nothing leaks, nothing hangs. */
Test(calls, without_memory)
{
    int ended = 0;
    for (long n = 0; n < 40; n++) {
        fake_open(&stream, "tei.v1.Embed/EmbedStream");
        mem_fail_after(n);
        send_text("a b");
        send_text("c");
        fake_half_close(&stream);
        fake_end(&stream);
        mem_fail_after(-1);
        ended += stream.code != 0;
        cr_expect(stream.code == 0 || stream.code == 8 || stream.code == 14, "%u: %s", stream.code, stream.message);
        if (stream.code == 0)
            cr_expect_eq(stream.n_sent, 2);
        fake_close(&stream);
    }
    cr_expect_gt(ended, 2);
}
