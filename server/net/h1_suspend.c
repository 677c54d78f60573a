/* When the library looks at an exchange: it is suspended while there is nothing to do, and resumed by what happens. */
#include "server/net/h1.h"

void h1_stir(struct h1_exchange *x, unsigned flags)
{
    struct h1 *h1 = x->h1; /* the exchange may end before this does */
    struct MHD_Connection *connection = x->connection;
    atomic_fetch_add(&h1->resuming, 1);
    unsigned before = atomic_fetch_or(&x->flags, flags | H1_STIRRED);
    if (before & H1_OVER && flags & H1_WOKEN && !(before & H1_WOKEN))
        h1_connections_wake(&h1->connections, x);
    else if (before & H1_AWAY && !(before & H1_STIRRED))
        MHD_resume_connection(connection);
    atomic_fetch_sub(&h1->resuming, 1);
}

unsigned h1_look(struct h1_exchange *x)
{
    return atomic_fetch_and(&x->flags, ~(unsigned)(H1_AWAY | H1_STIRRED | H1_WOKEN));
}

void h1_rest(struct h1_exchange *x)
{
    MHD_suspend_connection(x->connection);
    if (!(atomic_fetch_or(&x->flags, H1_AWAY) & H1_STIRRED))
        return;
    atomic_fetch_and(&x->flags, ~(unsigned)H1_AWAY); /* it came just now */
    MHD_resume_connection(x->connection);
}
