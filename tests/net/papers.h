/* Keys and certificates, made for a test in a folder of its own. */
#ifndef TESTS_NET_PAPERS_H
#define TESTS_NET_PAPERS_H

struct papers {
    char folder[64];
    char ca[96];
    char cert[96], key[96];               /* a server's */
    char client_cert[96], client_key[96]; /* a client's */
};

void papers_make(struct papers *papers);
/** Another certificate and key for the server, with this name; the files are replaced. */
void papers_renew(struct papers *papers, const char *name);
void papers_remove(struct papers *papers);

#endif
