/* Requests and answers over HTTP/2. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "tests/net/client.h"
#include "tests/net/place.h"

static struct place place;
static uint32_t cores = 1;

static void open_place(void)
{
    struct net_options options = place_options();
    options.cores = cores;
    place_open(&place, &options);
}

static void close_place(void)
{
    place_close(&place);
}

TestSuite(h2, .init = open_place, .fini = close_place, .timeout = 60);

static bool is_body(const struct reply *reply, const char *text)
{
    return reply->body.len == strlen(text) && memcmp(reply->body.data, text, reply->body.len) == 0;
}

Test(h2, whole_answers)
{
    struct client *client = client_open(place.port);
    struct reply *echo = client_ask(client, "POST", "/e%63ho?a=%20b", "hello", 5);
    struct reply *none = client_ask(client, "GET", "/nothing", NULL, 0);
    struct reply *later = client_ask(client, "GET", "/later", NULL, 0);
    struct reply *woken = client_ask(client, "GET", "/woken", NULL, 0);
    client_finish(client, echo);
    client_finish(client, none);
    client_finish(client, later);
    client_finish(client, woken);
    cr_expect_eq(echo->status, 200);
    cr_expect(is_body(echo, "hello"));
    cr_expect(strstr(echo->fields, "x-query: a=%20b\n") != NULL, "%s", echo->fields);
    cr_expect(strstr(echo->fields, "content-length: 5\n") != NULL, "%s", echo->fields);
    cr_expect(strstr(echo->fields, "date: ") != NULL, "%s", echo->fields);
    cr_expect_eq(none->status, 404);
    cr_expect(is_body(later, "later"));
    cr_expect(is_body(woken, "woken"));
    client_close(client);
}

Test(h2, large_bodies_both_ways)
{
    enum { LEN = 5000000 };
    struct client *client = client_open(place.port);
    char *body = malloc(LEN);
    for (int i = 0; i < LEN; i++)
        body[i] = (char)(i * 31 >> 3);
    struct reply *echo = client_ask(client, "POST", "/echo", body, LEN);
    client_finish(client, echo);
    cr_expect_eq(echo->body.len, LEN);
    cr_expect(echo->body.len == LEN && memcmp(echo->body.data, body, LEN) == 0);
    free(body);
    client_close(client);
}

Test(h2, streamed_answer_with_trailer)
{
    struct client *client = client_open(place.port);
    struct reply *stream = client_ask(client, "GET", "/stream?3000000", NULL, 0);
    struct reply *empty = client_ask(client, "GET", "/stream?0", NULL, 0);
    client_finish(client, stream);
    client_finish(client, empty);
    cr_expect_eq(stream->body.len, 3000000);
    cr_expect_str_eq(stream->end, "x-end: whole\n");
    cr_expect_eq(empty->body.len, 0);
    cr_expect_str_eq(empty->end, "x-end: whole\n");
    cr_expect_eq(atomic_load(&place.gone), 0);
    client_close(client);
}

Test(h2, talk_in_both_directions)
{
    struct client *client = client_open(place.port);
    struct reply *talk = client_open_upload(client, "/talk");
    CLIENT_UNTIL(client, talk->status == 200);
    char piece[2000] = {0};
    for (size_t i = 1; i <= 1000; i++) {
        client_upload(client, talk, piece, sizeof piece, false);
        CLIENT_UNTIL(client, talk->body.len == i * sizeof piece);
    }
    client_upload(client, talk, "", 0, true);
    client_finish(client, talk);
    cr_expect_str_eq(talk->end, "x-end: whole\n");
    client_close(client);
}

Test(h2, head_has_no_body)
{
    struct client *client = client_open(place.port);
    struct reply *whole = client_ask(client, "HEAD", "/bytes?100", NULL, 0);
    struct reply *stream = client_ask(client, "HEAD", "/stream?100", NULL, 0);
    client_finish(client, whole);
    client_finish(client, stream);
    cr_expect_eq(whole->status, 200);
    cr_expect(strstr(whole->fields, "content-length: 100\n") != NULL, "%s", whole->fields);
    cr_expect_eq(whole->body.len, 0);
    cr_expect_eq(stream->status, 200);
    cr_expect_eq(stream->body.len, 0);
    client_close(client);
}

Test(h2, early_answer_ends_the_request)
{
    struct client *client = client_open(place.port);
    struct reply *early = client_open_upload(client, "/early");
    client_finish(client, early);
    cr_expect_eq(early->status, 413);
    cr_expect(is_body(early, "too much"));
    cr_expect_eq(early->error, NGHTTP2_NO_ERROR);
    struct reply *next = client_ask(client, "POST", "/echo", "x", 1);
    client_finish(client, next);
    cr_expect(is_body(next, "x"), "the connection goes on");
    client_close(client);
}

/* The rest of a small body may come before the stream is over, that of a large one may not. */
Test(h2, early_answer_lets_a_small_body_come)
{
    static const char *const small[] = {"content-length", "5"}, *const large[] = {"content-length", "70000"};
    struct client *client = client_open(place.port);
    struct reply *early = client_open_upload_with(client, "/early", small);
    CLIENT_UNTIL(client, is_body(early, "too much"));
    cr_expect_not(early->closed);
    client_upload(client, early, "hello", 5, true);
    client_finish(client, early);
    cr_expect_eq(early->status, 413);
    cr_expect_eq(early->uploaded, 5u);
    cr_expect_eq(early->error, NGHTTP2_NO_ERROR);
    struct reply *other = client_open_upload_with(client, "/early", large);
    client_finish(client, other);
    cr_expect_eq(other->status, 413);
    cr_expect_eq(other->error, NGHTTP2_NO_ERROR);
    client_close(client);
}

Test(h2, continue_before_the_body)
{
    struct client *client = client_open(place.port);
    struct reply *echo = client_ask_with(client, "POST", "/echo", "expect", "100-continue", "x", 1);
    struct reply *early = client_ask_with(client, "POST", "/early", "expect", "100-continue", "x", 1);
    client_finish(client, echo);
    client_finish(client, early);
    cr_expect_eq(echo->status, 200);
    cr_expect(echo->has_continue);
    cr_expect_eq(early->status, 413);
    cr_expect_not(early->has_continue);
    client_close(client);
}

Test(h2, abort_resets)
{
    struct client *client = client_open(place.port);
    struct reply *reply = client_ask(client, "GET", "/abort?8", NULL, 0);
    client_finish(client, reply);
    cr_expect_eq(reply->error, NGHTTP2_CANCEL);
    client_close(client);
}

Test(h2, large_head_is_refused)
{
    struct client *client = client_open(place.port);
    char value[16300];
    memset(value, 'a', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    struct reply *large = client_ask_with(client, "GET", "/bytes?1", "x-large", value, NULL, 0);
    client_finish(client, large);
    cr_expect_eq(large->status, 431);
    value[8000] = '\0';
    struct reply *small = client_ask_with(client, "GET", "/bytes?1", "x-large", value, NULL, 0);
    client_finish(client, small);
    cr_expect_eq(small->status, 200);
    client_close(client);
}

Test(h2, two_hosts_are_refused)
{
    struct client *client = client_open(place.port);
    struct reply *differ = client_ask_with(client, "GET", "/bytes?1", "host", "elsewhere", NULL, 0);
    struct reply *same = client_ask_with(client, "GET", "/bytes?1", "host", "localhost", NULL, 0);
    client_finish(client, differ);
    client_finish(client, same);
    cr_expect_eq(differ->status, 400);
    cr_expect_eq(same->status, 200);
    client_close(client);
}

Test(h2, reset_tells_the_handler)
{
    struct client *client = client_open(place.port);
    struct reply *wait = client_ask(client, "GET", "/wait", NULL, 0);
    struct reply *upload = client_open_upload(client, "/echo");
    CLIENT_UNTIL(client, atomic_load(&place.ends) == 1 && atomic_load(&place.heads) == 2);
    nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, wait->id, NGHTTP2_CANCEL);
    nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, upload->id, NGHTTP2_CANCEL);
    CLIENT_UNTIL(client, atomic_load(&place.over) == 2);
    cr_expect_eq(atomic_load(&place.gone), 2);
    client_close(client);
}

Test(h2, lost_connection_tells_the_handler)
{
    struct client *client = client_open(place.port);
    for (int i = 0; i < 20; i++)
        client_ask(client, "GET", i % 2 ? "/wait" : "/stream?10000000", NULL, 0);
    client->holds = true;
    CLIENT_UNTIL(client, atomic_load(&place.ends) == 20);
    client_close(client);
    while (atomic_load(&place.over) < 20)
        usleep(1000);
    cr_expect_eq(atomic_load(&place.gone), 20);
    struct net_stats stats = place_stats(&place);
    cr_expect_eq(stats.connections_h2, 0);
    cr_expect_eq(stats.streams, 0);
}

Test(h2, held_body_waits_in_its_window)
{
    enum { LEN = 1000000, WINDOW = 256 << 10 };
    struct client *client = client_open(place.port);
    CLIENT_UNTIL(client, client->settings);
    char *body = calloc(1, LEN);
    struct reply *held = client_ask(client, "POST", "/held", body, LEN);
    CLIENT_UNTIL(client, atomic_load(&place.received) == WINDOW);
    struct reply *other = client_ask(client, "POST", "/echo", body, LEN);
    client_finish(client, other);
    cr_expect_eq(other->body.len, LEN, "other streams go on");
    cr_expect_eq(held->uploaded, WINDOW);
    place_consume(&place, WINDOW);
    CLIENT_UNTIL(client, atomic_load(&place.received) == LEN + 2 * WINDOW);
    cr_expect_eq(held->uploaded, 2 * WINDOW);
    place_consume(&place, WINDOW);
    CLIENT_UNTIL(client, atomic_load(&place.received) == LEN + 3 * WINDOW);
    place_consume(&place, WINDOW);
    client_finish(client, held);
    cr_expect(is_body(held, "held"));
    free(body);
    client_close(client);
}

/* What a stream that was reset has held goes back to the connection's window, which all of them share. */
Test(h2, held_bodies_that_are_reset_leave_the_window)
{
    enum { WINDOW = 256 << 10, STREAMS = 20 /* more than the connection's window has room for */ };
    struct client *client = client_open(place.port);
    CLIENT_UNTIL(client, client->settings);
    char *body = calloc(1, 2 * WINDOW);
    for (unsigned i = 1; i <= STREAMS; i++) {
        struct reply *held = client_ask(client, "POST", "/held", body, 2 * WINDOW);
        CLIENT_UNTIL(client, atomic_load(&place.received) == i * WINDOW);
        nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, held->id, NGHTTP2_CANCEL);
        CLIENT_UNTIL(client, atomic_load(&place.over) == i);
    }
    free(body);
    client_close(client);
}

Test(h2, pieces_of_two_threads_keep_their_order)
{
    struct client *client = client_open(place.port);
    struct reply *reply = client_ask(client, "GET", "/order", NULL, 0);
    client_finish(client, reply);
    cr_expect(is_body(reply, "ab"), "%.*s", (int)reply->body.len, reply->body.data);
    client_close(client);
}

Test(h2, client_that_opens_no_window)
{
    struct client *client = client_open(place.port);
    client->holds = true;
    struct reply *stream = client_ask(client, "GET", "/stream?100000000", NULL, 0);
    CLIENT_UNTIL(client, stream->body.len == NGHTTP2_INITIAL_WINDOW_SIZE);
    struct reply *ping = client_ask(client, "HEAD", "/nothing", NULL, 0);
    client_finish(client, ping);
    cr_expect_eq(stream->body.len, NGHTTP2_INITIAL_WINDOW_SIZE);
    CLIENT_UNTIL(client, atomic_load(&place.over) == 1); /* the stream waits, and its handler with it */
    client_close(client);
}

Test(h2, many_streams_on_many_threads)
{
    enum { CLIENTS = 8, ROUNDS = 20 };
    struct client *clients[CLIENTS];
    for (int c = 0; c < CLIENTS; c++)
        clients[c] = client_open(place.port);
    static const char *const paths[] = {"/later", "/woken", "/echo", "/stream?100000", "/bytes?70000"};
    for (int round = 0; round < ROUNDS; round++) {
        for (int c = 0; c < CLIENTS; c++) {
            for (int i = 0; i < 10; i++)
                client_ask(clients[c], "POST", paths[i % 5], "x", 1);
        }
        for (int c = 0; c < CLIENTS; c++) {
            for (struct reply *reply = clients[c]->replies; reply; reply = reply->next) {
                client_finish(clients[c], reply);
                cr_expect_eq(reply->status, 200);
            }
        }
    }
    for (int c = 0; c < CLIENTS; c++)
        client_close(clients[c]);
}

static void open_wide(void)
{
    cores = 16;
    open_place();
}

TestSuite(h2_threads, .init = open_wide, .fini = close_place, .timeout = 60);

Test(h2_threads, many_streams)
{
    enum { CLIENTS = 8 };
    struct client *clients[CLIENTS];
    for (int c = 0; c < CLIENTS; c++) {
        clients[c] = client_open(place.port);
        for (int i = 0; i < 60; i++)
            client_ask(clients[c], "POST", i % 2 ? "/later" : "/woken", "x", 1);
    }
    for (int c = 0; c < CLIENTS; c++) {
        for (struct reply *reply = clients[c]->replies; reply; reply = reply->next) {
            client_finish(clients[c], reply);
            cr_expect_eq(reply->status, 200);
        }
        client_close(clients[c]);
    }
}
