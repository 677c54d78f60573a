/* What HTTP/2 clients may not do for long, and how they are told to leave. */
#include <criterion/criterion.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/net/client.h"
#include "tests/net/place.h"

static struct place place;

TestSuite(h2_limits, .timeout = 120);

Test(h2_limits, streams_over_the_limit_wait)
{
    PLACE_OPEN(&place, options.max_streams = 10);
    struct client *client = client_open(place.port);
    CLIENT_UNTIL(client, client->settings);
    struct reply *first[10];
    for (int i = 0; i < 10; i++)
        first[i] = client_ask(client, "GET", "/wait", NULL, 0);
    CLIENT_UNTIL(client, atomic_load(&place.ends) == 10);
    struct reply *late = client_ask(client, "GET", "/wait", NULL, 0);
    for (int i = 0; i < 20; i++)
        client_step(client, 1);
    cr_expect_eq(atomic_load(&place.heads), 10);
    place_release(&place);
    for (int i = 0; i < 10; i++)
        client_finish(client, first[i]);
    client_finish(client, late);
    cr_expect_eq(late->status, 200);
    client_close(client);
    place_close(&place);
}

/* Clients that open a stream and reset it, again and again: the stream's handler is at work, and the next one begins.
 */
Test(h2_limits, rapid_resets_end_the_connection)
{
    PLACE_OPEN(&place, options.max_streams = 100);
    struct client *client = client_open(place.port);
    unsigned asked = 0;
    while (!client->goaways && asked < 100000) {
        struct reply *reply = client_ask(client, "GET", "/wait", NULL, 0);
        client_step(client, 0);
        nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, reply->id, NGHTTP2_CANCEL);
        if (!client_step(client, 0))
            break;
        asked++;
    }
    cr_expect_eq(client->goaways, 1);
    cr_expect_eq(client->goaway_error, NGHTTP2_ENHANCE_YOUR_CALM, "error %u after %u", client->goaway_error, asked);
    client_close(client);
    while (place_stats(&place).connections_h2 > 0)
        usleep(1000);
    place_close(&place);
}

/* Requests that are refused by a reset cost us as much as those that clients reset. */
Test(h2_limits, resets_that_a_client_provokes_end_the_connection)
{
    PLACE_OPEN(&place);
    struct client *client = client_open(place.port);
    for (int asked = 0; asked < 5000 && !client->goaways; asked++) {
        struct reply *reply = client_ask_with(client, "GET", "/wait", "x", "a\nb", NULL, 0);
        CLIENT_UNTIL(client, reply->closed || client->goaways > 0);
    }
    cr_expect_eq(client->goaways, 1);
    cr_expect_eq(client->goaway_error, NGHTTP2_ENHANCE_YOUR_CALM, "error %u", client->goaway_error);
    client_close(client);
    place_close(&place);
}

/* The error of the GOAWAY among frames, as far as they came; -1: none is. */
static long find_goaway(const struct buf *in)
{
    for (size_t at = 0; at + 9 <= in->len;) {
        const unsigned char *frame = (const unsigned char *)in->data + at;
        size_t len = (size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2];
        if (frame[3] == NGHTTP2_GOAWAY && at + 17 <= in->len)
            return (long)frame[13] << 24 | frame[14] << 16 | frame[15] << 8 | frame[16];
        at += 9 + len;
    }
    return -1;
}

static const unsigned char no_settings[9] = {0, 0, 0, NGHTTP2_SETTINGS};

static void flood(const void *frame, size_t size)
{
    PLACE_OPEN(&place);
    struct buf in = {0};
    int fd = client_connect(place.port);
    send(fd, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN, 0);
    send(fd, no_settings, sizeof no_settings, 0);
    ssize_t n = 1;
    for (int i = 0; i < 100000 && n != 0 && find_goaway(&in) < 0; i++) {
        if (i < 5000)
            send(fd, frame, size, MSG_NOSIGNAL);
        n = recv(fd, buf_reserve(&in, 4096), 4096, i < 5000 ? MSG_DONTWAIT : 0);
        in.len += n > 0 ? (size_t)n : 0;
    }
    cr_expect_eq(find_goaway(&in), NGHTTP2_ENHANCE_YOUR_CALM);
    buf_finish(&in);
    close(fd);
    place_close(&place);
}

Test(h2_limits, ping_flood)
{
    static const unsigned char ping[17] = {0, 0, 8, 6};
    flood(ping, sizeof ping);
}

Test(h2_limits, settings_flood)
{
    flood(no_settings, sizeof no_settings);
}

Test(h2_limits, priority_flood)
{
    static const unsigned char priority[14] = {0, 0, 5, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    flood(priority, sizeof priority);
}

/* It reads nothing of what it makes us answer. */
Test(h2_limits, flood_without_reading)
{
    PLACE_OPEN(&place);
    static const unsigned char ping[17] = {0, 0, 8, 6};
    int fd = client_connect(place.port);
    send(fd, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN, 0);
    send(fd, no_settings, sizeof no_settings, 0);
    ssize_t n = 0;
    for (int i = 0; i < 10000000 && n >= 0; i++)
        n = send(fd, ping, sizeof ping, MSG_NOSIGNAL);
    cr_expect_lt(n, 0, "closed");
    close(fd);
    place_close(&place);
}

Test(h2_limits, idle_connection_is_asked_to_leave)
{
    PLACE_OPEN(&place, options.idle_timeout_s = 1);
    struct client *client = client_open(place.port);
    struct reply *reply = client_ask(client, "GET", "/bytes?5", NULL, 0);
    client_finish(client, reply);
    CLIENT_UNTIL(client, client->goaways > 0);
    cr_expect_eq(client->goaway_error, NGHTTP2_NO_ERROR);
    while (client_step(client, 100)) {
    }
    client_close(client);
    place_close(&place);
}

Test(h2_limits, silent_one_is_closed)
{
    PLACE_OPEN(&place, options.idle_timeout_s = 1);
    int fd = client_connect(place.port);
    char byte;
    cr_expect_eq(recv(fd, &byte, 1, 0), 0);
    close(fd);
    place_close(&place);
}

/* Its answer has been sent; it is not waited for as long as the client likes. */
Test(h2_limits, rest_that_does_not_come_is_given_up)
{
    static const char *const field[] = {"content-length", "5"};
    PLACE_OPEN(&place, options.idle_timeout_s = 1);
    struct client *client = client_open(place.port);
    struct reply *early = client_open_upload_with(client, "/early", field);
    client_finish(client, early);
    cr_expect_eq(early->status, 413);
    cr_expect_eq(early->error, NGHTTP2_NO_ERROR);
    client_close(client);
    place_close(&place);
}

Test(h2_limits, slow_body_is_reset)
{
    PLACE_OPEN(&place, options.idle_timeout_s = 1);
    struct client *client = client_open(place.port);
    struct reply *slow = client_open_upload(client, "/echo");
    struct reply *wait = client_ask(client, "GET", "/wait", NULL, 0);
    struct reply *talk = client_open_upload(client, "/talk");
    client_finish(client, slow);
    cr_expect_eq(slow->error, NGHTTP2_CANCEL);
    cr_expect_not(wait->closed, "a request that is worked on has its time");
    cr_expect_not(talk->closed, "and one whose body the handler takes as it comes");
    place_release(&place);
    client_finish(client, wait);
    cr_expect_eq(wait->status, 200);
    client_upload(client, talk, "", 0, true);
    client_finish(client, talk);
    client_close(client);
    place_close(&place);
}

Test(h2_limits, answer_that_is_not_read_is_reset)
{
    PLACE_OPEN(&place, options.idle_timeout_s = 1);
    struct client *client = client_open(place.port);
    client->holds = true;
    struct reply *whole = client_ask(client, "GET", "/bytes?1000000", NULL, 0);
    struct reply *stream = client_ask(client, "GET", "/stream?1000000", NULL, 0);
    client_finish(client, whole);
    client_finish(client, stream);
    cr_expect_eq(whole->error, NGHTTP2_CANCEL);
    cr_expect_eq(stream->error, NGHTTP2_CANCEL);
    client_close(client);
    place_close(&place);
}

/* The window is open, but the socket is not read. */
Test(h2_limits, socket_that_is_not_read_is_closed)
{
    PLACE_OPEN(&place, options.idle_timeout_s = 1);
    struct client *client = client_open(place.port);
    nghttp2_session_set_local_window_size(client->session, NGHTTP2_FLAG_NONE, 0, 1 << 30);
    nghttp2_settings_entry wide = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 30};
    nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, &wide, 1);
    client_ask(client, "GET", "/bytes?50000000", NULL, 0);
    CLIENT_UNTIL(client, atomic_load(&place.ends) == 1);
    while (place_stats(&place).connections_h2 > 0)
        usleep(1000);
    cr_expect_eq(atomic_load(&place.over), 1);
    client_close(client);
    place_close(&place);
}

Test(h2_limits, keepalive_ends_a_dead_connection)
{
    PLACE_OPEN(&place, options.keepalive_s = 1);
    struct client *alive = client_open(place.port), *dead = client_open(place.port);
    struct reply *reply = client_ask(alive, "GET", "/wait", NULL, 0);
    client_ask(dead, "GET", "/wait", NULL, 0);
    CLIENT_UNTIL(dead, atomic_load(&place.ends) == 1);
    CLIENT_UNTIL(alive, atomic_load(&place.gone) == 1);
    CLIENT_UNTIL(alive, place_stats(&place).connections_h2 == 1);
    place_release(&place);
    client_finish(alive, reply);
    cr_expect_eq(reply->status, 200);
    client_close(alive);
    client_close(dead);
    place_close(&place);
}

Test(h2_limits, old_connection_is_asked_to_leave)
{
    PLACE_OPEN(&place, options.max_age_s = 1);
    struct client *client = client_open(place.port);
    struct reply *reply = client_ask(client, "GET", "/wait", NULL, 0);
    CLIENT_UNTIL(client, client->goaways == 2);
    cr_expect_eq(client->goaway_error, NGHTTP2_NO_ERROR);
    cr_expect_eq(client->last_stream, reply->id);
    cr_expect_not(reply->closed);
    place_release(&place);
    client_finish(client, reply);
    cr_expect_eq(reply->status, 200);
    while (client_step(client, 100)) {
    }
    client_close(client);
    place_close(&place);
}

Test(h2_limits, drain_lets_streams_end)
{
    PLACE_OPEN(&place);
    struct client *client = client_open(place.port);
    struct reply *reply = client_ask(client, "GET", "/wait", NULL, 0);
    CLIENT_UNTIL(client, atomic_load(&place.ends) == 1);
    net_server_drain(place.server);
    CLIENT_UNTIL(client, client->goaways >= 1);
    CLIENT_UNTIL(client, client->goaways == 2);
    cr_expect_eq(client->last_stream, reply->id);
    cr_expect_eq(net_server_active(place.server), 1);
    place_release(&place);
    client_finish(client, reply);
    cr_expect_eq(reply->status, 200);
    while (client_step(client, 100)) {
    }
    client_close(client);
    while (net_server_active(place.server) > 0)
        usleep(1000);
    struct client *late = client_open(place.port);
    CLIENT_UNTIL(late, late->goaways > 0);
    client_close(late);
    place_close(&place);
}

Test(h2_limits, the_end_names_the_last_stream)
{
    PLACE_OPEN(&place);
    struct client *client = client_open(place.port);
    struct reply *reply = client_ask(client, "GET", "/echo", NULL, 0);
    client_finish(client, reply);
    place_close(&place);
    while (client_step(client, 100)) {
    }
    cr_expect_eq(client->goaways, 1);
    cr_expect_eq(client->last_stream, reply->id);
    cr_expect_eq(client->goaway_error, NGHTTP2_NO_ERROR);
    client_close(client);
}

Test(h2_limits, ten_thousand_streams)
{
    enum { STREAMS = 10000 };
    PLACE_OPEN(&place, options.max_streams = STREAMS);
    struct client *client = client_open(place.port);
    CLIENT_UNTIL(client, client->settings);
    for (int i = 0; i < STREAMS; i++)
        client_open_upload(client, "/talk");
    CLIENT_UNTIL(client, atomic_load(&place.heads) == STREAMS);
    cr_expect_eq(place_stats(&place).streams, STREAMS);
    for (struct reply *reply = client->replies; reply; reply = reply->next)
        client_upload(client, reply, "x", 1, true);
    for (struct reply *reply = client->replies; reply; reply = reply->next) {
        client_finish(client, reply);
        cr_expect_eq(reply->body.len, 1);
    }
    client_close(client);
    place_close(&place);
}
