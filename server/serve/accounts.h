/* What hangs on the keys of access.h: accounts with their limits and counts. Private to the room. */
#ifndef BERTD_SERVE_ACCOUNTS_H
#define BERTD_SERVE_ACCOUNTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/serve/access.h"
#include "server/serve/keys.h"
#include "server/serve/limit.h"

/** Whoever has the keys of one name. */
struct serve_account {
    char name[SERVE_NAME_SIZE]; /* read-only */
    uint64_t number;            /* read-only; of no other account of this process */
    atomic_uint references;     /* a key that names it, and a call that is its, have one each */
    atomic_bool bulk;
    struct serve_limit requests;
    struct serve_limit tokens;
    /* For the metrics: */
    atomic_uint_fast64_t n_requests;
    atomic_uint_fast64_t n_tokens;
    atomic_uint_fast64_t n_refused_requests;
    atomic_uint_fast64_t n_refused_tokens;
};

struct serve_access_key {
    struct serve_digest digest;
    struct serve_account *account;
};

struct serve_access {
    pthread_rwlock_t lock;         /* guards the rest */
    struct serve_access_key *keys; /* [n_keys] */
    uint32_t n_keys;
    uint32_t n_accounts;
    uint64_t last_number;
};

/** Begin without keys, and have the registry of `server` tell of the accounts. Errors: NO_MEMORY; then there is nothing
 *  to finish. */
enum status serve_access_init(struct serve_server *server, struct error *err);
void serve_access_finish(struct serve_access *access);

/** Count a request that was admitted, and set the class that its account is bound to. Errors: OVERLOADED. */
enum status serve_account_admit(struct serve_call *call, struct error *err);
/** Count the tokens that it gives to the boards. Errors: OVERLOADED, VALIDATION (never so many at once). */
enum status serve_account_take_tokens(struct serve_call *call, uint64_t tokens, struct error *err);
/** Let go of an account; NULL is fine. */
void serve_account_release(struct serve_account *account);

#endif
