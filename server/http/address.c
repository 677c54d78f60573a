#include "server/http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

static const struct sockaddr *address_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

const void *http_address_bytes(struct MHD_Connection *connection, size_t *ret_len)
{
    const struct sockaddr *address = address_of(connection);
    *ret_len = 0;
    if (address && address->sa_family == AF_INET) {
        *ret_len = sizeof(struct in_addr);
        return &((const struct sockaddr_in *)address)->sin_addr;
    }
    if (address && address->sa_family == AF_INET6) {
        *ret_len = sizeof(struct in6_addr);
        return &((const struct sockaddr_in6 *)address)->sin6_addr;
    }
    return NULL;
}

void http_address_write(struct MHD_Connection *connection, char ret[HTTP_ADDRESS_SIZE])
{
    const struct sockaddr *address = address_of(connection);
    char text[INET6_ADDRSTRLEN];
    size_t len = 0;
    const void *bytes = http_address_bytes(connection, &len);
    ret[0] = '\0';
    if (!bytes || !inet_ntop(address->sa_family, bytes, text, sizeof text))
        return;
    if (address->sa_family == AF_INET)
        snprintf(ret, HTTP_ADDRESS_SIZE, "%s:%u", text, ntohs(((const struct sockaddr_in *)address)->sin_port));
    else
        snprintf(ret, HTTP_ADDRESS_SIZE, "[%s]:%u", text, ntohs(((const struct sockaddr_in6 *)address)->sin6_port));
}
