#include "server/serve/ticker.h"

#include "server/serve/server.h"

void serve_ticker_add(struct serve_server *server, struct serve_ticker *ticker)
{
    struct serve_tickers *tickers = &server->watch.tickers;
    pthread_mutex_lock(&tickers->lock);
    ticker->previous = NULL;
    ticker->next = tickers->first;
    if (tickers->first)
        tickers->first->previous = ticker;
    tickers->first = ticker;
    pthread_mutex_unlock(&tickers->lock);
}

void serve_ticker_remove(struct serve_server *server, struct serve_ticker *ticker)
{
    struct serve_tickers *tickers = &server->watch.tickers;
    pthread_mutex_lock(&tickers->lock);
    if (ticker->next)
        ticker->next->previous = ticker->previous;
    if (ticker->previous)
        ticker->previous->next = ticker->next;
    else
        tickers->first = ticker->next;
    pthread_mutex_unlock(&tickers->lock);
}

void serve_tickers_run(struct serve_tickers *tickers)
{
    pthread_mutex_lock(&tickers->lock);
    for (struct serve_ticker *ticker = tickers->first; ticker; ticker = ticker->next)
        ticker->on_tick(ticker);
    pthread_mutex_unlock(&tickers->lock);
}
