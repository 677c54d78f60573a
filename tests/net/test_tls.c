/* TLS of public listeners: both protocols by ALPN, reload, certificates of clients. */
#include <criterion/criterion.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/net/tls.h"
#include "tests/net/client.h"
#include "tests/net/papers.h"
#include "tests/net/place.h"

static struct papers papers;
static struct net_tls *tls;
static struct place place;

static void open_tls(bool clients, uint32_t cores)
{
    struct error err;
    papers_make(&papers);
    const struct net_tls_options files = {papers.cert, papers.key, clients ? papers.ca : NULL};
    cr_assert_eq(net_tls_create(&tls, &files, &err), STATUS_OK, "%s", err.message);
    struct net_options options = place_options();
    options.tls = tls;
    options.cores = cores;
    place_open(&place, &options);
}

static void close_tls(void)
{
    place_close(&place);
    net_tls_destroy(&tls);
    cr_expect_null(tls);
    papers_remove(&papers);
}

TestSuite(tls, .timeout = 120);

/* The name in the certificate that the server showed. */
static void name_of(struct client *client, char *ret, size_t size)
{
    unsigned n = 0;
    gnutls_x509_crt_t cert;
    const gnutls_datum_t *list = gnutls_certificate_get_peers(client->tls, &n);
    cr_assert_gt(n, 0);
    gnutls_x509_crt_init(&cert);
    cr_assert_eq(gnutls_x509_crt_import(cert, &list[0], GNUTLS_X509_FMT_DER), 0);
    gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, ret, &size);
    gnutls_x509_crt_deinit(cert);
}

static int64_t expires_of(const char *path)
{
    gnutls_datum_t data;
    gnutls_x509_crt_t cert;
    cr_assert_eq(gnutls_load_file(path, &data), 0);
    gnutls_x509_crt_init(&cert);
    cr_assert_eq(gnutls_x509_crt_import(cert, &data, GNUTLS_X509_FMT_PEM), 0);
    int64_t expires = gnutls_x509_crt_get_expiration_time(cert);
    gnutls_x509_crt_deinit(cert);
    gnutls_free(data.data);
    return expires;
}

/* A request and its answer over HTTP/1.1 in the client's TLS: the answer's first line and body. */
static void ask_h1(struct client *client, char *ret, size_t size)
{
    static const char request[] =
        "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    size_t len = 0;
    ssize_t n;
    cr_assert_eq(gnutls_record_send(client->tls, request, sizeof request - 1), (ssize_t)sizeof request - 1);
    while (len < size - 1) {
        n = gnutls_record_recv(client->tls, ret + len, size - 1 - len);
        if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    ret[len] = '\0';
}

Test(tls, both_protocols)
{
    open_tls(false, 1);
    struct client *h2 = client_open_tls(place.port, "h2", NULL, NULL);
    struct client *h1 = client_open_tls(place.port, "http/1.1", NULL, NULL);
    cr_assert_not_null(h2);
    cr_assert_not_null(h1);
    static char large[300000];
    struct reply *reply = client_ask(h2, "POST", "/echo", large, sizeof large);
    struct reply *stream = client_ask(h2, "GET", "/stream?1000000", NULL, 0);
    client_finish(h2, reply);
    client_finish(h2, stream);
    cr_expect_eq(reply->body.len, sizeof large);
    cr_expect_eq(stream->body.len, 1000000);
    char answer[1000];
    ask_h1(h1, answer, sizeof answer);
    cr_expect(strncmp(answer, "HTTP/1.1 200 OK\r\n", 17) == 0, "%s", answer);
    cr_expect(strstr(answer, "\r\n\r\nhello") != NULL, "%s", answer);
    client_close(h1);
    client_close(h2);
    close_tls();
}

Test(tls, many_at_once)
{
    enum { CLIENTS = 16 };
    open_tls(false, 16);
    struct client *clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = client_open_tls(place.port, "h2", NULL, NULL);
        cr_assert_not_null(clients[i]);
        for (int k = 0; k < 20; k++)
            client_ask(clients[i], "POST", k % 2 ? "/later" : "/woken", "x", 1);
    }
    for (int i = 0; i < CLIENTS; i++) {
        for (struct reply *reply = clients[i]->replies; reply; reply = reply->next) {
            client_finish(clients[i], reply);
            cr_expect_eq(reply->status, 200);
        }
        client_close(clients[i]);
    }
    close_tls();
}

Test(tls, reload_is_for_new_connections)
{
    open_tls(false, 1);
    char name[64];
    struct error err;
    struct client *old = client_open_tls(place.port, "h2", NULL, NULL);
    struct reply *wait = client_ask(old, "GET", "/wait", NULL, 0);
    CLIENT_UNTIL(old, atomic_load(&place.ends) == 1);
    name_of(old, name, sizeof name);
    cr_expect_str_eq(name, "first");
    papers_renew(&papers, "second");
    cr_assert_eq(net_tls_reload(tls, &err), STATUS_OK, "%s", err.message);
    struct client *h2 = client_open_tls(place.port, "h2", NULL, NULL);
    struct client *h1 = client_open_tls(place.port, "http/1.1", NULL, NULL);
    name_of(h2, name, sizeof name);
    cr_expect_str_eq(name, "second");
    name_of(h1, name, sizeof name);
    cr_expect_str_eq(name, "second");
    place_release(&place);
    client_finish(old, wait);
    cr_expect_eq(wait->status, 200);
    client_close(old);
    client_close(h1);
    client_close(h2);
    close_tls();
}

Test(tls, the_first_end_of_the_chain_is_told)
{
    struct error err;
    open_tls(false, 1);
    int64_t first = expires_of(papers.cert);
    cr_expect_eq(net_tls_expires(tls), first);
    papers_renew(&papers, "second");
    cr_expect_eq(net_tls_expires(tls), first);
    cr_assert_eq(net_tls_reload(tls, &err), STATUS_OK, "%s", err.message);
    cr_expect_eq(net_tls_expires(tls), expires_of(papers.cert));
    cr_expect_gt(net_tls_expires(tls), first);
    gnutls_datum_t authority;
    cr_assert_eq(gnutls_load_file(papers.ca, &authority), 0);
    FILE *file = fopen(papers.cert, "a");
    fwrite(authority.data, 1, authority.size, file);
    fclose(file);
    gnutls_free(authority.data);
    cr_assert_eq(net_tls_reload(tls, &err), STATUS_OK, "%s", err.message);
    cr_expect_eq(net_tls_expires(tls), expires_of(papers.ca));
    cr_expect_lt(net_tls_expires(tls), first);
    close_tls();
}

Test(tls, reload_that_fails_changes_nothing)
{
    open_tls(false, 1);
    char name[64];
    struct error err;
    FILE *file = fopen(papers.cert, "w");
    fputs("nonsense", file);
    fclose(file);
    cr_expect_eq(net_tls_reload(tls, &err), STATUS_USAGE);
    cr_expect(strstr(err.message, papers.cert) != NULL, "%s", err.message);
    struct client *client = client_open_tls(place.port, "h2", NULL, NULL);
    cr_assert_not_null(client);
    name_of(client, name, sizeof name);
    cr_expect_str_eq(name, "first");
    client_close(client);
    close_tls();
}

static void *connect_on(void *cookie)
{
    (void)cookie;
    for (int i = 0; i < 30; i++) {
        struct client *client = client_open_tls(place.port, i % 2 ? "h2" : "http/1.1", NULL, NULL);
        cr_expect_not_null(client);
        if (client)
            client_close(client);
    }
    return NULL;
}

Test(tls, reload_under_load)
{
    open_tls(false, 16);
    pthread_t threads[3];
    struct error err;
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, connect_on, NULL), 0);
    for (int i = 0; i < 50; i++)
        cr_expect_eq(net_tls_reload(tls, &err), STATUS_OK);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    close_tls();
}

/* In TLS 1.3 the client's handshake ends before the server has seen its certificate. */
static bool is_served(const char *alpn, const char *cert, const char *key)
{
    struct client *client = client_open_tls(place.port, alpn, cert, key);
    if (!client)
        return false;
    bool served = false;
    if (strcmp(alpn, "h2") == 0) {
        struct reply *reply = client_ask(client, "POST", "/echo", "hello", 5);
        while (!reply->closed && client_step(client, 100)) {
        }
        served = reply->status == 200;
    } else {
        char answer[1000];
        ask_h1(client, answer, sizeof answer);
        served = strncmp(answer, "HTTP/1.1 200", 12) == 0;
    }
    client_close(client);
    return served;
}

Test(tls, certificates_of_clients)
{
    open_tls(true, 1);
    static const char *const protocols[] = {"h2", "http/1.1"};
    for (int i = 0; i < 2; i++) {
        cr_expect(is_served(protocols[i], papers.client_cert, papers.client_key), "%s", protocols[i]);
        cr_expect_not(is_served(protocols[i], NULL, NULL), "%s without", protocols[i]);
        cr_expect_not(is_served(protocols[i], papers.cert, papers.key), "%s a server's", protocols[i]);
    }
    cr_expect_eq(atomic_load(&place.heads), 2);
    close_tls();
}

Test(tls, admin_is_plain)
{
    open_tls(true, 1);
    client_expect_served(place.admin_port);
    close_tls();
}

Test(tls, plain_words_are_not_answered)
{
    open_tls(false, 1);
    char byte;
    int fd = client_connect(place.port);
    send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
    cr_expect_leq(recv(fd, &byte, 1, 0), 0);
    close(fd);
    close_tls();
}

Test(tls, files_that_are_wrong)
{
    struct error err;
    struct net_tls *made = NULL;
    papers_make(&papers);
    const struct net_tls_options cases[] = {
        {"/nowhere/cert", papers.key, NULL},   {papers.cert, "/nowhere/key", NULL},
        {papers.key, papers.key, NULL},        {papers.cert, papers.client_key, NULL},
        {papers.cert, papers.cert, NULL},      {papers.cert, papers.key, "/nowhere/ca"},
        {papers.cert, papers.key, papers.key},
    };
    const char *const named[] = {"/nowhere/cert", "/nowhere/key", papers.key, papers.client_key,
                                 papers.cert,     "/nowhere/ca",  papers.key};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(net_tls_create(&made, &cases[i], &err), STATUS_USAGE, "case %zu", i);
        cr_expect(strncmp(err.message, named[i], strlen(named[i])) == 0, "case %zu: %s", i, err.message);
        cr_expect_null(made);
    }
    papers_remove(&papers);
}
