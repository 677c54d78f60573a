/* The room's parts by themselves: origins, connections, addresses. */
#include <criterion/criterion.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/net/cors.h"
#include "server/net/h1_connections.h"
#include "server/net/net.h"

Test(cors, origin)
{
    static const char list[] = "http://a.example, http://b.example:8080";
    cr_expect_null(net_cors_origin(NULL, "http://a.example"));
    cr_expect_null(net_cors_origin(list, NULL));
    cr_expect_null(net_cors_origin(list, "http://b.example"));
    cr_expect_null(net_cors_origin(list, "http://a.exampl"));
    cr_expect_null(net_cors_origin(list, ""));
    cr_expect_str_eq(net_cors_origin(list, "http://a.example"), "http://a.example");
    cr_expect_str_eq(net_cors_origin(list, "http://b.example:8080"), "http://b.example:8080");
    cr_expect_str_eq(net_cors_origin("*", "http://c.example"), "*");
}

Test(connections, late_ones_are_shut_down)
{
    struct h1_connections connections;
    int late[2];
    int resting[2];
    char byte;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, late), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, resting), 0);
    struct error err;
    cr_assert_eq(h1_connections_start(&connections, 0, NULL, NULL, &err), STATUS_OK);
    h1_connection_open(&connections, late[0]);
    h1_connection_rest(h1_connection_open(&connections, resting[0]));
    struct pollfd end = {.fd = late[1], .events = POLLIN};
    cr_assert_eq(poll(&end, 1, -1), 1);
    cr_expect_eq(recv(late[1], &byte, 1, 0), 0, "shut down");
    cr_expect_eq(recv(resting[1], &byte, 1, 0), -1, "open");
    mem_fail_after(0);
    cr_expect_null(h1_connection_open(&connections, late[0]));
    mem_fail_after(-1);
    h1_connection_rest(NULL);
    h1_connection_expect(&connections, NULL, 1);
    h1_connection_close(&connections, NULL);
    h1_connections_finish(&connections);
}

Test(listen, port_is_told_and_taken)
{
    int fd = -1;
    int other = -1;
    uint16_t port = 0;
    struct error err;
    cr_assert_eq(net_listen(&fd, &port, "127.0.0.1", 0, &err), STATUS_OK, "%s", err.message);
    cr_expect_gt(port, 0);
    cr_assert_eq(listen(fd, 1), 0);
    cr_expect_eq(net_listen(&other, &port, "127.0.0.1", port, &err), STATUS_IO);
    cr_expect(strstr(err.message, "in use") != NULL, "%s", err.message);
    cr_expect_eq(other, -1);
    close(fd);
}
