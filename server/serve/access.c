#include "server/serve/access.h"

#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/mem.h"
#include "server/serve/call.h"
#include "server/serve/server.h"

enum { MAX_FILE = 1 << 20 };

/* What stands behind "Bearer ", in any case; NULL: something else. */
static const char *find_key(const char *authorization)
{
    static const char scheme[] = "bearer ";
    size_t len = sizeof scheme - 1;
    return authorization && strncasecmp(authorization, scheme, len) == 0 ? authorization + len : NULL;
}

/* All keys are compared, and of each all bits: the time tells nothing. (It could tell of digests only, at that.) */
static struct serve_account *find_account(const struct serve_access *access, const struct serve_digest *given)
{
    uintptr_t found = 0;
    for (uint32_t i = 0; i < access->n_keys; i++) {
        const struct serve_access_key *key = &access->keys[i];
        uint64_t difference = 0;
        for (int w = 0; w < SERVE_DIGEST_WORDS; w++)
            difference |= key->digest.words[w] ^ given->words[w];
        uint64_t differs = (difference | (0 - difference)) >> 63; /* 1 where any bit does */
        found |= (uintptr_t)key->account & ((uintptr_t)differs - 1);
    }
    return (struct serve_account *)found;
}

enum status serve_access_identify(struct serve_call *call, const char *authorization, const void *address,
                                  size_t address_len, struct error *err)
{
    struct serve_access *access = &call->server->access;
    const char *key = find_key(authorization);
    struct serve_digest digest;
    serve_account_release(call->account);
    pthread_rwlock_rdlock(&access->lock);
    bool open = access->n_keys == 0, several = access->n_accounts > 1;
    bool given = !open && key && serve_digest(&digest, key, strlen(key));
    call->account = given ? find_account(access, &digest) : NULL;
    if (call->account)
        atomic_fetch_add(&call->account->references, 1);
    pthread_rwlock_unlock(&access->lock);
    call->credential = call->account ? call->account->number : 0;
    const char *credential = open ? authorization : call->account && several ? call->account->name : NULL;
    call->client = serve_server_client(call->server, credential, address, address_len);
    if (open || call->account)
        return STATUS_OK;
    return error_set(err, STATUS_UNAUTHENTICATED, "the Authorization header must be Bearer and the API key");
}

const char *serve_access_name(const struct serve_call *call)
{
    return call->account ? call->account->name : NULL;
}

uint32_t serve_access_keys(struct serve_server *server)
{
    pthread_rwlock_rdlock(&server->access.lock);
    uint32_t n = server->access.n_keys;
    pthread_rwlock_unlock(&server->access.lock);
    return n;
}

static enum status read_keys(struct serve_keys *keys, const char *key, const char *path, struct error *err)
{
    struct file_map file = {0};
    enum status status = key ? serve_keys_add_default(keys, key, err) : STATUS_OK;
    if (status != STATUS_OK || !path)
        return status;
    status = file_map(&file, path, err);
    if (status != STATUS_OK)
        return error_prefix(err, status, "--api-keys-file: ");
    if (file.size > MAX_FILE)
        status = error_set(err, STATUS_USAGE, "it has %zu bytes, more than %d", file.size, MAX_FILE);
    if (status == STATUS_OK)
        status = serve_keys_read(keys, (const char *)file.data, file.size, err);
    file_unmap(&file);
    return status == STATUS_OK ? STATUS_OK : error_prefix(err, status, "--api-keys-file: %s: ", path);
}

static struct serve_account *find_name(const struct serve_access *access, const char *name)
{
    for (uint32_t i = 0; i < access->n_keys; i++) {
        if (strcmp(access->keys[i].account->name, name) == 0)
            return access->keys[i].account;
    }
    return NULL;
}

/* The account that these keys or those before know by this name, or a new one. Its reference is for a key. */
static struct serve_account *take_account(struct serve_access *fresh, const struct serve_access *before,
                                          const struct serve_key *key)
{
    struct serve_account *account = find_name(fresh, key->name);
    fresh->n_accounts += !account;
    if (!account)
        account = find_name(before, key->name);
    if (!account && (account = mem_calloc(1, sizeof *account))) {
        account->number = ++fresh->last_number;
        memcpy(account->name, key->name, sizeof account->name);
    }
    if (account)
        atomic_fetch_add(&account->references, 1);
    return account;
}

/* The old limits hold until all keys are known to be good. */
static void set_limits(const struct serve_access *fresh, const struct serve_keys *keys)
{
    for (uint32_t i = 0; i < keys->n; i++) {
        struct serve_account *account = fresh->keys[i].account;
        atomic_store(&account->requests.per_second, keys->items[i].requests_per_second);
        atomic_store(&account->tokens.per_second, keys->items[i].tokens_per_minute / 60);
        atomic_store(&account->bulk, keys->items[i].bulk);
    }
}

static void release_keys(struct serve_access *access)
{
    for (uint32_t i = 0; i < access->n_keys; i++)
        serve_account_release(access->keys[i].account);
    mem_free(access->keys);
    access->keys = NULL;
    access->n_keys = 0;
}

/* `fresh`: as the room's access, but without a lock. Only who loads writes, so `before` is read without one, too. */
static enum status make_keys(struct serve_access *fresh, const struct serve_access *before,
                             const struct serve_keys *keys, struct error *err)
{
    fresh->keys = mem_calloc(keys->n + 1, sizeof *fresh->keys);
    while (fresh->keys && fresh->n_keys < keys->n) {
        const struct serve_key *key = &keys->items[fresh->n_keys];
        struct serve_account *account = take_account(fresh, before, key);
        if (!account)
            break;
        fresh->keys[fresh->n_keys++] = (struct serve_access_key){key->digest, account};
    }
    if (fresh->keys && fresh->n_keys == keys->n)
        return STATUS_OK;
    release_keys(fresh);
    return error_set(err, STATUS_NO_MEMORY, "no memory for the API keys");
}

enum status serve_access_load(struct serve_server *server, const char *key, const char *path, struct error *err)
{
    struct serve_access *access = &server->access;
    struct serve_access fresh = {.last_number = access->last_number};
    struct serve_keys keys = {0};
    enum status status = read_keys(&keys, key, path, err);
    if (status == STATUS_OK)
        status = make_keys(&fresh, access, &keys, err);
    if (status == STATUS_OK) {
        struct serve_access old = {0};
        pthread_rwlock_wrlock(&access->lock);
        set_limits(&fresh, &keys);
        old.keys = access->keys;
        old.n_keys = access->n_keys;
        access->keys = fresh.keys;
        access->n_keys = fresh.n_keys;
        access->n_accounts = fresh.n_accounts;
        access->last_number = fresh.last_number;
        pthread_rwlock_unlock(&access->lock);
        release_keys(&old);
    }
    mem_free(keys.items);
    return status;
}

void serve_access_finish(struct serve_access *access)
{
    release_keys(access);
    pthread_rwlock_destroy(&access->lock);
}
