#include "server/net/tls.h"

#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "server/net/tls_session.h"

struct net_tls_keys {
    atomic_uint references; /* of sessions, and of the net_tls while these are its present keys */
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    int64_t expires;
    bool asks_client;
};

struct net_tls {
    struct net_tls_options options; /* owned strings */
    pthread_mutex_t lock;           /* over `keys` */
    struct net_tls_keys *keys;
};

static const char versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE";

static enum status load(gnutls_datum_t *ret, const char *path, struct error *err)
{
    int failed = gnutls_load_file(path, ret);
    return failed ? error_set(err, STATUS_USAGE, "%s: %s", path, gnutls_strerror(failed)) : STATUS_OK;
}

static void unload(gnutls_datum_t *data)
{
    if (data->data)
        gnutls_memset(data->data, 0, data->size);
    gnutls_free(data->data);
}

/* The library does not say which of the two files is wrong: the certificates are looked at alone first. */
static enum status read_certificates(int64_t *ret_expires, const gnutls_datum_t *data, const char *path,
                                     struct error *err)
{
    gnutls_x509_crt_t *list = NULL;
    unsigned n = 0;
    int failed = gnutls_x509_crt_list_import2(&list, &n, data, GNUTLS_X509_FMT_PEM, 0);
    if (failed < 0)
        return error_set(err, STATUS_USAGE, "%s: no certificate in PEM (%s)", path, gnutls_strerror(failed));
    for (unsigned i = 0; i < n; i++) {
        int64_t expires = gnutls_x509_crt_get_expiration_time(list[i]);
        if (i == 0 || expires < *ret_expires)
            *ret_expires = expires;
        gnutls_x509_crt_deinit(list[i]);
    }
    gnutls_free(list);
    return STATUS_OK;
}

static enum status load_pair(struct net_tls_keys *keys, const struct net_tls_options *options, struct error *err)
{
    gnutls_datum_t cert = {0}, key = {0};
    enum status status = load(&cert, options->cert_file, err);
    if (status == STATUS_OK)
        status = read_certificates(&keys->expires, &cert, options->cert_file, err);
    if (status == STATUS_OK)
        status = load(&key, options->key_file, err);
    if (status == STATUS_OK) {
        int failed = gnutls_certificate_set_x509_key_mem2(keys->credentials, &cert, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
        if (failed < 0)
            status = error_set(err, STATUS_USAGE, "%s: no key in PEM that fits %s (%s)", options->key_file,
                               options->cert_file, gnutls_strerror(failed));
    }
    unload(&cert);
    unload(&key);
    return status;
}

static enum status load_clients(struct net_tls_keys *keys, const char *path, struct error *err)
{
    int n = gnutls_certificate_set_x509_trust_file(keys->credentials, path, GNUTLS_X509_FMT_PEM);
    if (n <= 0)
        return error_set(err, STATUS_USAGE, "%s: no certificate in PEM%s%s", path, n < 0 ? ": " : "",
                         n < 0 ? gnutls_strerror(n) : "");
    keys->asks_client = true;
    return STATUS_OK;
}

static enum status keys_create(struct net_tls_keys **ret, const struct net_tls_options *options, struct error *err)
{
    struct net_tls_keys *keys = mem_calloc(1, sizeof *keys);
    if (!keys)
        return error_set(err, STATUS_NO_MEMORY, "no memory for certificates");
    atomic_init(&keys->references, 1);
    enum status status = STATUS_OK;
    if (gnutls_certificate_allocate_credentials(&keys->credentials) != 0 ||
        gnutls_priority_init(&keys->priority, versions, NULL) != 0)
        status = error_set(err, STATUS_NO_MEMORY, "no memory for certificates");
    if (status == STATUS_OK)
        status = load_pair(keys, options, err);
    if (status == STATUS_OK && options->client_ca_file)
        status = load_clients(keys, options->client_ca_file, err);
    if (status != STATUS_OK) {
        net_tls_release(keys);
        return status;
    }
    *ret = keys;
    return STATUS_OK;
}

static bool copy(const char **ret, const char *text)
{
    *ret = text ? mem_strdup(text) : NULL;
    return *ret || !text;
}

enum status net_tls_create(struct net_tls **ret, const struct net_tls_options *options, struct error *err)
{
    struct net_tls *tls = mem_calloc(1, sizeof *tls);
    if (!tls)
        return error_set(err, STATUS_NO_MEMORY, "no memory for certificates");
    pthread_mutex_init(&tls->lock, NULL);
    bool copied = copy(&tls->options.cert_file, options->cert_file) &&
                  copy(&tls->options.key_file, options->key_file) &&
                  copy(&tls->options.client_ca_file, options->client_ca_file);
    enum status status = copied ? keys_create(&tls->keys, &tls->options, err)
                                : error_set(err, STATUS_NO_MEMORY, "no memory for certificates");
    if (status != STATUS_OK) {
        net_tls_destroy(&tls);
        return status;
    }
    *ret = tls;
    return STATUS_OK;
}

enum status net_tls_reload(struct net_tls *tls, struct error *err)
{
    struct net_tls_keys *keys = NULL;
    enum status status = keys_create(&keys, &tls->options, err);
    if (status != STATUS_OK)
        return status;
    pthread_mutex_lock(&tls->lock);
    struct net_tls_keys *old = tls->keys;
    tls->keys = keys;
    pthread_mutex_unlock(&tls->lock);
    net_tls_release(old);
    return STATUS_OK;
}

void net_tls_destroy(struct net_tls **ref)
{
    struct net_tls *tls = *ref;
    *ref = NULL;
    if (!tls)
        return;
    net_tls_release(tls->keys);
    pthread_mutex_destroy(&tls->lock);
    mem_free((char *)tls->options.cert_file);
    mem_free((char *)tls->options.key_file);
    mem_free((char *)tls->options.client_ca_file);
    mem_free(tls);
}

static struct net_tls_keys *take_keys(struct net_tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    struct net_tls_keys *keys = tls->keys;
    atomic_fetch_add(&keys->references, 1);
    pthread_mutex_unlock(&tls->lock);
    return keys;
}

int64_t net_tls_expires(struct net_tls *tls)
{
    struct net_tls_keys *keys = take_keys(tls);
    int64_t expires = keys->expires;
    net_tls_release(keys);
    return expires;
}

struct net_tls_keys *net_tls_attach(struct net_tls *tls, gnutls_session_t session, bool h2)
{
    static gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0};
    static const gnutls_datum_t protocols[] = {{(unsigned char *)"http/1.1", 8}, {(unsigned char *)"h2", 2}};
    struct net_tls_keys *keys = take_keys(tls);
    if (gnutls_priority_set(session, keys->priority) != 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, keys->credentials) != 0 ||
        gnutls_alpn_set_protocols(session, &protocols[h2], 1, 0) != 0) {
        net_tls_release(keys);
        return NULL;
    }
    gnutls_certificate_server_set_request(session, keys->asks_client ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
    if (keys->asks_client)
        gnutls_session_set_verify_cert2(session, &purpose, 1, 0);
    return keys;
}

void net_tls_release(struct net_tls_keys *keys)
{
    if (!keys || atomic_fetch_sub(&keys->references, 1) > 1)
        return;
    if (keys->credentials)
        gnutls_certificate_free_credentials(keys->credentials);
    if (keys->priority)
        gnutls_priority_deinit(keys->priority);
    mem_free(keys);
}

int net_tls_no_certificate(gnutls_session_t session, const gnutls_datum_t *ca, int n_ca,
                           const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **ret,
                           unsigned *ret_len, gnutls_privkey_t *ret_key)
{
    (void)session;
    (void)ca;
    (void)n_ca;
    (void)algorithms;
    (void)n_algorithms;
    (void)ret;
    (void)ret_len;
    (void)ret_key;
    return -1;
}
