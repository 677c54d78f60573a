#include "server/net/visitors.h"

#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "server/net/address.h"

struct net_visitor {
    struct net_visitor *next;
    uint32_t n;
    size_t len;
    unsigned char bytes[sizeof(struct in6_addr)];
};

void net_visitors_init(struct net_visitors *visitors, uint32_t per_address)
{
    memset(visitors, 0, sizeof *visitors);
    visitors->per_address = per_address;
    pthread_mutex_init(&visitors->lock, NULL);
}

void net_visitors_finish(struct net_visitors *visitors)
{
    for (int i = 0; i < NET_VISITORS_BUCKETS; i++) {
        while (visitors->buckets[i]) {
            struct net_visitor *next = visitors->buckets[i]->next;
            mem_free(visitors->buckets[i]);
            visitors->buckets[i] = next;
        }
    }
    pthread_mutex_destroy(&visitors->lock);
}

/* Where the visitor is linked, or would be. */
static struct net_visitor **find(struct net_visitors *visitors, const unsigned char *bytes, size_t len)
{
    uint32_t hash = 2166136261u; /* FNV-1a; an attacker has few addresses, or many and no need of collisions */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    struct net_visitor **at = &visitors->buckets[(hash ^ hash >> 16) % NET_VISITORS_BUCKETS];
    while (*at && ((*at)->len != len || memcmp((*at)->bytes, bytes, len) != 0))
        at = &(*at)->next;
    return at;
}

/* Under the lock. */
static bool enter_address(struct net_visitors *visitors, const void *bytes, size_t len)
{
    struct net_visitor **at = find(visitors, bytes, len);
    if (!*at) {
        *at = mem_calloc(1, sizeof **at);
        if (!*at)
            return false;
        (*at)->len = len;
        memcpy((*at)->bytes, bytes, len);
    }
    if ((*at)->n >= visitors->per_address)
        return false;
    (*at)->n++;
    return true;
}

bool net_visitors_enter(struct net_visitors *visitors, const struct sockaddr *address, uint32_t most)
{
    size_t len = 0;
    const void *bytes = visitors->per_address ? net_address_bytes(address, &len) : NULL;
    pthread_mutex_lock(&visitors->lock);
    bool in = visitors->n < most && (!bytes || enter_address(visitors, bytes, len));
    visitors->n += in;
    pthread_mutex_unlock(&visitors->lock);
    return in;
}

void net_visitors_leave(struct net_visitors *visitors, const struct sockaddr *address)
{
    size_t len = 0;
    const void *bytes = visitors->per_address ? net_address_bytes(address, &len) : NULL;
    pthread_mutex_lock(&visitors->lock);
    visitors->n--;
    if (bytes) {
        struct net_visitor **at = find(visitors, bytes, len);
        struct net_visitor *visitor = *at;
        if (visitor && --visitor->n == 0) {
            *at = visitor->next;
            mem_free(visitor);
        }
    }
    pthread_mutex_unlock(&visitors->lock);
}

bool net_visitors_are(struct net_visitors *visitors, uint32_t most)
{
    pthread_mutex_lock(&visitors->lock);
    bool full = visitors->n >= most;
    pthread_mutex_unlock(&visitors->lock);
    return full;
}
