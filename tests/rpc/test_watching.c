/* Streams that tell of changes: health and boards. */
#include <sys/socket.h>

#include "bertd.pb-c.h"
#include "health.pb-c.h"
#include "tests/rpc/emu_server.h"
#include "tests/rpc/fake_stream.h"

TestSuite(watching, .init = begin_stream, .fini = end);

#define SERVING         GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

static void watch_health(const char *service)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)(uintptr_t)service;
    fake_open(&stream, "grpc.health.v1.Health/Watch");
    fake_pack(&stream, &request.base);
    fake_half_close(&stream);
}

static void expect_status(int i, int status)
{
    Grpc__Health__V1__HealthCheckResponse *response =
        grpc__health__v1__health_check_response__unpack(NULL, stream.sent_len[i], (const uint8_t *)stream.sent[i]);
    cr_assert_not_null(response);
    cr_expect_eq((int)response->status, status, "message %d says %d", i, (int)response->status);
    grpc__health__v1__health_check_response__free_unpacked(response, NULL);
}

Test(watching, health_tells_of_changes)
{
    watch_health("tei.v1.Embed");
    cr_assert_eq(stream.n_sent, 1);
    expect_status(0, SERVING);
    serve_server_drain(server);
    fake_end(&stream);
    cr_assert_eq(stream.n_sent, 2, "%d", stream.n_sent);
    expect_status(1, NOT_SERVING);
    cr_expect_eq(stream.code, 14u);
    fake_close(&stream);
}

/* Boards that lose their image and come back. */
Test(watching, health_without_boards)
{
    const struct board_fault fault = {.kind = BOARD_FAULT_LOAD, .count = 16};
    struct emu_request request;
    watch_health("");
    for (uint32_t b = 0; b < EMU_BOARDS; b++)
        cr_assert_eq(batch_inject(sched.batch, b, &fault, NULL), STATUS_OK);
    cr_assert_eq(emu_submit_request(&sched, &request, NULL), STATUS_OK); /* finds out */
    FAKE_WAIT_FOR(&stream, stream.n_sent == 3);
    emu_wait(&request);
    expect_status(0, SERVING);
    expect_status(1, NOT_SERVING);
    expect_status(2, SERVING);
    fake_cancel(&stream);
    fake_close(&stream);
}

Test(watching, services_that_never_serve_or_are_not_known)
{
    static const char *const names[] = {"tei.v1.Rerank", "tei.v1.Nothing"};
    static const int statuses[] = {NOT_SERVING, SERVICE_UNKNOWN};
    for (int i = 0; i < 2; i++) {
        watch_health(names[i]);
        cr_assert_eq(stream.n_sent, 1);
        expect_status(0, statuses[i]);
        cr_expect_not(stream.finished);
        fake_cancel(&stream);
        cr_assert(stream.finished);
        cr_expect_eq(stream.code, 1u);
        fake_close(&stream);
    }
}

static uint32_t in_service(int i)
{
    Bertd__V1__ListBoardsResponse *response =
        bertd__v1__list_boards_response__unpack(NULL, stream.sent_len[i], (const uint8_t *)stream.sent[i]);
    cr_assert_not_null(response);
    cr_assert_eq(response->n_boards, (size_t)EMU_BOARDS);
    uint32_t n = response->in_service;
    bertd__v1__list_boards_response__free_unpacked(response, NULL);
    return n;
}

static void watch_boards(uint32_t interval_ms)
{
    Bertd__V1__WatchBoardsRequest request = BERTD__V1__WATCH_BOARDS_REQUEST__INIT;
    request.interval_ms = interval_ms;
    fake_open(&stream, "bertd.v1.Boards/Watch");
    fake_pack(&stream, &request.base);
    fake_half_close(&stream);
}

Test(watching, boards_every_interval)
{
    watch_boards(100);
    FAKE_WAIT_FOR(&stream, stream.n_sent == 3);
    cr_expect_eq(in_service(0), (uint32_t)EMU_BOARDS);
    cr_expect_eq(in_service(2), (uint32_t)EMU_BOARDS);
    serve_server_drain(server);
    fake_end(&stream);
    cr_expect_eq(stream.code, 14u);
    fake_close(&stream);
}

Test(watching, a_slow_reader_misses_some)
{
    stream.slow = true;
    watch_boards(100);
    cr_assert_eq(stream.n_sent, 1);
    usleep(350000);
    fake_poll(&stream);
    cr_expect_eq(stream.n_sent, 1);
    fake_writable(&stream);
    FAKE_WAIT_FOR(&stream, stream.n_sent == 2);
    fake_cancel(&stream);
    fake_close(&stream);
}

/* On HTTP/1.1 only the socket tells. */
Test(watching, a_client_that_leaves)
{
    int sockets[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    stream.socket = sockets[0];
    watch_health("");
    cr_expect_not(stream.finished);
    close(sockets[1]);
    fake_end(&stream);
    cr_expect_eq(stream.code, 1u);
    fake_close(&stream);
    close(sockets[0]);
}
