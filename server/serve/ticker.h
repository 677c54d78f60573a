/* What happens now and then: callbacks about ten times a second, for streams that tell of changes. */
#ifndef BERTD_SERVE_TICKER_H
#define BERTD_SERVE_TICKER_H

#include <pthread.h>

struct serve_server;

struct serve_ticker {
    /** Must be quick, and must neither add nor remove a ticker. Thread: one of the server's. */
    void (*on_tick)(struct serve_ticker *ticker);
    /* The room's own: */
    struct serve_ticker *next;
    struct serve_ticker *previous;
};

/** Have it called from now on. Thread: any, but not from on_tick. */
void serve_ticker_add(struct serve_server *server, struct serve_ticker *ticker);
/** No more; when this returns, no call is under way. Thread: any, but not from on_tick. */
void serve_ticker_remove(struct serve_server *server, struct serve_ticker *ticker);

/** All of them. The room's own. */
struct serve_tickers {
    pthread_mutex_t lock;
    struct serve_ticker *first;
};
void serve_tickers_run(struct serve_tickers *tickers);

#endif
