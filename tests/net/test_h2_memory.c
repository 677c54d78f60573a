/* HTTP/2 when memory is short, and how much of it streams take. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/net/client.h"
#include "tests/net/place.h"

static struct place place;

TestSuite(h2_memory, .timeout = 300);

/* One more allocation succeeds each time: a client gets its answer, an error, or a reset, and the server goes on. */
Test(h2_memory, every_allocation_fails_once)
{
    static const char *const paths[] = {"/echo", "/later", "/stream?30000", "/talk", "/nothing"};
    PLACE_OPEN(&place);
    unsigned whole = 0;
    for (long n = 0; n < 60; n++) {
        for (unsigned p = 0; p < sizeof paths / sizeof *paths; p++) {
            mem_fail_after(n);
            struct client *client = client_open(place.port);
            struct reply *reply = client_ask(client, "POST", paths[p], "x", 1);
            for (int i = 0; i < 30000 && !reply->closed && client_step(client, 1); i++) {
            }
            mem_fail_after(-1);
            cr_expect(reply->closed || client->ended, "%s hangs at allocation %ld", paths[p], n);
            whole += reply->closed && reply->error == NGHTTP2_NO_ERROR;
            client_close(client);
        }
    }
    cr_expect_gt(whole, 0);
    client_expect_served(place.port);
    place_close(&place);
}

/* Open streams that have sent and received nothing yet, on one connection: what the server keeps for them. */
Test(h2_memory, ten_thousand_streams)
{
    enum { STREAMS = 10000, MOST_BLOCKS = 6 };
    PLACE_OPEN(&place, options.max_streams = STREAMS);
    struct client *client = client_open(place.port);
    CLIENT_UNTIL(client, client->settings);
    long before = mem_in_use();
    for (int i = 0; i < STREAMS; i++)
        client_open_upload(client, "/talk");
    CLIENT_UNTIL(client, atomic_load(&place.heads) == STREAMS);
    long blocks = mem_in_use() - before;
    cr_expect_leq(blocks, STREAMS * MOST_BLOCKS, "%ld blocks", blocks);
    client_close(client);
    while (atomic_load(&place.over) < STREAMS)
        usleep(1000);
    while (place_stats(&place).connections_h2 > 0) {
    }
    place_close(&place);
    cr_expect_leq(mem_in_use(), before, "and all of it is given back");
}
