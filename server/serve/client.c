/* Numbers for clients, to be fair between them. */
#include <string.h>

#include "server/serve/server.h"

/* FNV-1a. */
static uint64_t hash(uint64_t hash, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3u;
    return hash;
}

uint64_t serve_server_client(const struct serve_server *server, const char *credential, const void *address, size_t len)
{
    uint64_t client = server->seed ^ 0xCBF29CE484222325u;
    if (credential)
        client = hash(client, credential, strlen(credential));
    else
        client = hash(client, address, len);
    return client ? client : 1;
}
