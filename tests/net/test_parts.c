/* The room's parts by themselves: origins, connections, addresses. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/net/cors.h"
#include "server/net/h1_connections.h"
#include "server/net/net.h"
#include "server/net/visitors.h"

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

/* A copy of the socket takes what the client still sends: to close it would reset the connection. */
Test(connections, closed_ones_linger)
{
    struct h1_connections connections;
    int ends[2];
    char byte;
    struct error err;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    cr_assert_eq(h1_connections_start(&connections, 60, NULL, NULL, &err), STATUS_OK);
    h1_connection_close(&connections, h1_connection_open(&connections, ends[0]));
    close(ends[0]);
    cr_expect_eq(recv(ends[1], &byte, 1, 0), 0, "the client is told");
    cr_expect_eq(send(ends[1], "x", 1, MSG_NOSIGNAL), 1, "%s", strerror(errno));
    h1_connections_finish(&connections);
    cr_expect_eq(send(ends[1], "x", 1, MSG_NOSIGNAL), -1);
    close(ends[1]);
}

/* However many addresses come, those that have left are forgotten. */
Test(visitors, who_has_left_takes_no_memory)
{
    struct net_visitors visitors;
    net_visitors_init(&visitors, 2);
    long blocks = mem_in_use();
    for (uint32_t i = 0; i < 1000; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(i)};
        const struct sockaddr *visitor = (const struct sockaddr *)&address;
        cr_expect(net_visitors_enter(&visitors, visitor, 10));
        cr_expect(net_visitors_enter(&visitors, visitor, 10));
        cr_expect_not(net_visitors_enter(&visitors, visitor, 10), "two of an address");
        net_visitors_leave(&visitors, visitor);
        net_visitors_leave(&visitors, visitor);
    }
    cr_expect_eq(mem_in_use(), blocks);
    net_visitors_finish(&visitors);
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
