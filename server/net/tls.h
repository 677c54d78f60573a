/* TLS of the public listeners, by GnuTLS: a certificate with its key, and perhaps certificates of clients. */
#ifndef BERTD_NET_TLS_H
#define BERTD_NET_TLS_H

#include <stdint.h>

#include "base/status.h"

struct net_tls;

struct net_tls_options {
    const char *cert_file;      /* PEM, the whole chain */
    const char *key_file;       /* PEM */
    const char *client_ca_file; /* PEM: clients must show a certificate signed by one of these; NULL: none asked for */
};

/** Read the files. `ret`: new; net_tls_destroy. `options` are copied. Errors: USAGE (what is wrong with which file) */
enum status net_tls_create(struct net_tls **ret, const struct net_tls_options *options, struct error *err);
/** When the first certificate of the chain in use ends, in seconds since 1970. Thread: any. */
int64_t net_tls_expires(struct net_tls *tls);
/** Read them again; new connections get what they say now. After an error the old ones stay. Thread: any. */
enum status net_tls_reload(struct net_tls *tls, struct error *err);
/** After net_server_destroy. Sets the pointer to NULL; NULL is fine. */
void net_tls_destroy(struct net_tls **tls);

#endif
