#include "tests/net/papers.h"

#include <criterion/criterion.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void write_pem(const char *path, gnutls_datum_t *pem)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(pem->data, 1, pem->size, file), pem->size);
    fclose(file);
    gnutls_free(pem->data);
}

/* A certificate for `name`, signed by that of `ca_path` and its key, or by itself. Each ends a day after the one
 * before. */
static void issue(const char *path, const char *key_path, const char *name, const char *purpose, gnutls_x509_crt_t ca,
                  gnutls_x509_privkey_t ca_key, gnutls_x509_crt_t *ret, gnutls_x509_privkey_t *ret_key)
{
    gnutls_x509_crt_t cert;
    gnutls_x509_privkey_t key;
    gnutls_datum_t pem;
    static unsigned char serial = 1;
    cr_assert_eq(gnutls_x509_crt_init(&cert), 0);
    cr_assert_eq(gnutls_x509_privkey_init(&key), 0);
    cr_assert_eq(
        gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
    serial++;
    gnutls_x509_crt_set_version(cert, 3);
    gnutls_x509_crt_set_serial(cert, &serial, 1);
    gnutls_x509_crt_set_key(cert, key);
    gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
    gnutls_x509_crt_set_activation_time(cert, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(cert, time(NULL) + serial * 86400);
    gnutls_x509_crt_set_ca_status(cert, ca == NULL);
    if (purpose)
        gnutls_x509_crt_set_key_purpose_oid(cert, purpose, 0);
    cr_assert_eq(gnutls_x509_crt_sign2(cert, ca ? ca : cert, ca ? ca_key : key, GNUTLS_DIG_SHA256, 0), 0);
    cr_assert_eq(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem), 0);
    write_pem(path, &pem);
    cr_assert_eq(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
    if (key_path)
        write_pem(key_path, &pem);
    else
        gnutls_free(pem.data);
    if (ret) {
        *ret = cert;
        *ret_key = key;
        return;
    }
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_privkey_deinit(key);
}

void papers_make(struct papers *papers)
{
    gnutls_x509_crt_t ca;
    gnutls_x509_privkey_t ca_key;
    strcpy(papers->folder, "/tmp/papers.XXXXXX");
    cr_assert_not_null(mkdtemp(papers->folder));
    snprintf(papers->ca, sizeof papers->ca, "%s/ca", papers->folder);
    snprintf(papers->cert, sizeof papers->cert, "%s/cert", papers->folder);
    snprintf(papers->key, sizeof papers->key, "%s/key", papers->folder);
    snprintf(papers->client_cert, sizeof papers->client_cert, "%s/client-cert", papers->folder);
    snprintf(papers->client_key, sizeof papers->client_key, "%s/client-key", papers->folder);
    issue(papers->ca, NULL, "authority", NULL, NULL, NULL, &ca, &ca_key);
    issue(papers->client_cert, papers->client_key, "client", GNUTLS_KP_TLS_WWW_CLIENT, ca, ca_key, NULL, NULL);
    issue(papers->cert, papers->key, "first", GNUTLS_KP_TLS_WWW_SERVER, ca, ca_key, NULL, NULL);
    gnutls_x509_crt_deinit(ca);
    gnutls_x509_privkey_deinit(ca_key);
}

void papers_renew(struct papers *papers, const char *name)
{
    issue(papers->cert, papers->key, name, GNUTLS_KP_TLS_WWW_SERVER, NULL, NULL, NULL, NULL);
}

void papers_remove(struct papers *papers)
{
    unlink(papers->ca);
    unlink(papers->cert);
    unlink(papers->key);
    unlink(papers->client_cert);
    unlink(papers->client_key);
    rmdir(papers->folder);
}
