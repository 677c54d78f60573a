#include "server/net/address.h"

#include <netinet/in.h>

const void *net_address_bytes(const struct sockaddr *address, size_t *ret_len)
{
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
