/* What both carriers do to a new TLS session. Private to the room.
 *
 * libmicrohttpd tells of a new connection before its handshake and of its end after its session is gone; that it has
 * credentials of its own it wants to be told when it starts (net_tls_no_certificate).
 */
#ifndef BERTD_NET_TLS_SESSION_H
#define BERTD_NET_TLS_SESSION_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>

#include "server/net/tls.h"

/** One state of the files; net_tls_reload makes another. */
struct net_tls_keys;

/** Let `session` use the files' present state: its certificate, the check of the client's, versions and ALPN, which is
 *  "h2" or else "http/1.1". New: net_tls_release, after the session has ended; NULL: the session must be closed.
 *  Thread: any. */
struct net_tls_keys *net_tls_attach(struct net_tls *tls, gnutls_session_t session, bool h2);
/** NULL is fine. Thread: any. */
void net_tls_release(struct net_tls_keys *keys);
/** gnutls_certificate_retrieve_function2 that has none. */
int net_tls_no_certificate(gnutls_session_t session, const gnutls_datum_t *ca, int n_ca,
                           const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **ret,
                           unsigned *ret_len, gnutls_privkey_t *ret_key);

#endif
