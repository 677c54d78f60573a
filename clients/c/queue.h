/* A queue: libcurl's multi handle, its sockets in one epoll descriptor, and the calls. */
#ifndef BERTD_CLIENT_QUEUE_H
#define BERTD_CLIENT_QUEUE_H

#include "clients/c/call.h"

struct bertd_queue {
    struct bertd_client *client;
    CURLM *multi;
    int epoll_fd;
    uint64_t curl_at_ms; /**< when libcurl wants to be called; UINT64_MAX: never */
    bool broken;         /**< the system gave no memory to watch a socket */
    struct bertd_calls active;
    struct bertd_calls done;     /**< not given by bertd_queue_poll yet */
    struct bertd_calls reported; /**< given, not destroyed yet */
    size_t pending;              /**< active ones */
    struct bertd_transfer *free; /**< transfers that are not in use */
    struct bertd_queue *next;    /**< among the client's idle ones */
};

/** Mark of an epoll event that is a switch, not a socket. */
#define BERTD_QUEUE_SWITCH (UINT64_C(1) << 32)

#endif
