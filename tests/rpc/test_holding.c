/* What streams hold beside their calls counts against --max-request-memory: requests that never end, answers that are
 * not read. */
#include <criterion/criterion.h>

#include "server/metrics/metrics.h"
#include "server/net/coding.h"
#include "tests/rpc/fake_exchange.h"
/* Behind that, whose functions have a `server` of their own: */
#include "tests/rpc/emu_server.h"

enum { MOST = 8, LIMIT = 1 << 20 /* of emu_server.h */, PIECE = 300000 };

static struct rpc_server *rpc;
static struct net_exchange exchanges[MOST];

static void open_all(void)
{
    begin();
    struct rpc_options options = {.payload_limit = 500000};
    options.services = rpc_services(&options.n_services);
    cr_assert_eq(rpc_server_create(&rpc, server, &options, NULL), STATUS_OK);
    memset(exchanges, 0, sizeof exchanges);
}

static void close_all(void)
{
    rpc_server_destroy(&rpc);
    end();
}

TestSuite(holding, .init = open_all, .fini = close_all, .timeout = 120);

static double held(void)
{
    struct buf out = {0};
    metrics_registry_write(metrics, &out);
    buf_append(&out, "", 1);
    const char *line = strstr(out.data, "\nbertd_request_memory_bytes ");
    cr_assert_not_null(line);
    double bytes = atof(strchr(line, ' '));
    buf_finish(&out);
    return bytes;
}

static void open_at(int i, const char *path, const char *type)
{
    exchanges[i] = (struct net_exchange){.path = path, .headers = {{"content-type", type}}};
    fake_begin(&exchanges[i], rpc);
}

/* As many requests as fit are held unfinished, the next one is refused, and all is given back. */
static void expect_bounded(const char *path, const char *type, const char *head, size_t head_len)
{
    char *piece = calloc(1, PIECE);
    cr_assert_not_null(piece);
    for (int i = 0; i < 4; i++) {
        open_at(i, path, type);
        fake_body(&exchanges[i], head, head_len);
        fake_body(&exchanges[i], piece, PIECE);
    }
    for (int i = 0; i < 3; i++)
        cr_expect_not(exchanges[i].given, "%s %s: request %d is refused", path, type, i);
    cr_expect(exchanges[3].given, "%s %s: all are held", path, type);
    cr_expect_geq(held(), 3.0 * PIECE);
    cr_expect_leq(held(), LIMIT);
    for (int i = 0; i < 4; i++) {
        fake_gone(&exchanges[i]);
        fake_close(&exchanges[i]);
    }
    cr_expect_eq(held(), 0);
    free(piece);
}

Test(holding, requests_that_do_not_end)
{
    static const char half[] = "\0\0\6\x1a\x80"; /* says 400000 bytes */
    expect_bounded("/tei.v1.Embed/Embed", "application/grpc", half, 5);
    expect_bounded("/tei.v1.Embed/EmbedStream", "application/grpc", half, 5);
    expect_bounded("/bertd.v1.Boards/Watch", "application/connect+proto", half, 5);
    expect_bounded("/bertd.v1.Embeddings/EmbedBatch", "application/proto", "", 0);
}

/* Some hundred bytes that are PIECE of them once decompressed, in requests that do not end. */
Test(holding, compressed_messages_whose_request_does_not_end)
{
    struct buf coded = {0};
    char *piece = calloc(1, PIECE);
    cr_assert_not_null(piece);
    net_encode(&coded, NET_GZIP, piece, PIECE);
    cr_assert_not(coded.failed);
    const char head[] = {1, 0, 0, (char)(coded.len >> 8), (char)coded.len};
    for (int i = 0; i < 4; i++) {
        exchanges[i] =
            (struct net_exchange){.path = "/tei.v1.Embed/Embed",
                                  .headers = {{"content-type", "application/grpc"}, {"grpc-encoding", "gzip"}}};
        fake_begin(&exchanges[i], rpc);
        fake_body(&exchanges[i], head, sizeof head);
        fake_body(&exchanges[i], coded.data, coded.len);
    }
    cr_expect_not(exchanges[2].given);
    cr_assert(exchanges[3].given);
    cr_expect_str_eq(fake_find(exchanges[3].fields, exchanges[3].n_fields, "grpc-status"), "8");
    for (int i = 0; i < 4; i++) {
        fake_gone(&exchanges[i]);
        fake_close(&exchanges[i]);
    }
    cr_expect_eq(held(), 0);
    buf_finish(&coded);
    free(piece);
}

/* Until the exchange is over, that is, until the client has read it. */
Test(holding, an_answer_that_is_not_read)
{
    static const char request[] = "\0\0\0\0\5\x0a\3abc";
    open_at(0, "/tei.v1.Embed/EmbedAll", "application/grpc");
    fake_body(&exchanges[0], request, sizeof request - 1);
    fake_end(&exchanges[0]);
    for (int tries = 0; !exchanges[0].given && tries < 60000; tries++) {
        fake_poll(&exchanges[0]);
        usleep(1000);
    }
    cr_assert(exchanges[0].given);
    cr_expect_gt(exchanges[0].body.len, 0);
    cr_expect_eq(held(), (double)exchanges[0].body.len);
    fake_close(&exchanges[0]);
    cr_expect_eq(held(), 0);
}

/* A stream of many answers: what waits counts from when the client is too slow until it has caught up. */
Test(holding, a_stream_that_is_not_read)
{
    static const char request[] = "\0\0\0\0\5\x0a\3abc";
    open_at(0, "/tei.v1.Embed/EmbedStream", "application/grpc");
    exchanges[0].slow = true;
    fake_body(&exchanges[0], request, sizeof request - 1);
    for (int tries = 0; exchanges[0].body.len == 0 && tries < 60000; tries++) {
        fake_poll(&exchanges[0]);
        usleep(1000);
    }
    cr_expect_geq(held(), NET_STREAM_HIGH);
    fake_writable(&exchanges[0]);
    cr_expect_eq(held(), 0);
    fake_end(&exchanges[0]);
    cr_expect(exchanges[0].given);
    fake_close(&exchanges[0]);
}
