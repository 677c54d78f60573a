/* The transports over a request core, in this process, at a free port of loopback. */
#ifndef TESTS_HTTP_SERVING_H
#define TESTS_HTTP_SERVING_H

#include "server/http/http.h"
#include "server/net/net.h"
#include "server/serve/serve.h"

struct serving {
    struct http_server *http;
    struct net_server *net;
    struct net_handler handler;
    struct serve_server *serve;
    uint16_t port;
};

/** Begin. Errors: those of what it begins; then nothing is left to stop. */
enum status serving_start(struct serving *serving, struct serve_server *serve, const struct http_options *options,
                          struct error *err);
/** End, once; also where it was not started. */
void serving_stop(struct serving *serving);

#endif
