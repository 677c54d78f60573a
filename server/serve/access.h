/* API keys: who may use the server, and how much of it. The keys are those of --api-key (or --api-key-file) and of
 * --api-keys-file. None of them: everybody may.
 *
 * The file has a line a key:
 *
 *   NAME KEY [requests_per_second=N] [tokens_per_minute=N] [priority=bulk]
 *
 * Empty lines and those that begin with # are left out. KEY is the key itself, or sha256: and the 64 hexadecimal digits
 * of its SHA-256. NAME is what log and metrics call whoever has the key, up to 64 letters, digits and ._- in all; a
 * name that stands on several lines is one account with several keys, whose first line says what holds for all. The key
 * of
 * --api-key is the account "default", without limits.
 *
 * An account past a limit is refused as OVERLOADED, with a time after which it is not. `priority=bulk`: its requests
 * are bulk, whatever they ask for.
 */
#ifndef BERTD_SERVE_ACCESS_H
#define BERTD_SERVE_ACCESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct serve_call;
struct serve_server;

/** Say whose call this is: fills in its client, its account and its credential. Before serve_call_run.
 *  authorization  "Bearer KEY", the scheme in any case; NULL: nothing was sent
 *  address        [address_len], the client's
 *  Errors: UNAUTHENTICATED (the key is missing or wrong), which a transport may overlook where a request needs no key.
 *  Takes the same time wherever a wrong key differs. Thread: any */
enum status serve_access_identify(struct serve_call *call, const char *authorization, const void *address,
                                  size_t address_len, struct error *err);
/** Replace the keys. Accounts that keep their name keep what they have used of their limits; requests that run go on.
 *  key   of --api-key; NULL: none. Borrowed for the call, as is:
 *  path  of --api-keys-file; NULL: none
 *  Errors: USAGE (naming the line, never a key), IO, NO_MEMORY; then all stays as it was. Thread: one at a time */
enum status serve_access_load(struct serve_server *server, const char *key, const char *path, struct error *err);
/** How many keys there are. Thread: any. */
uint32_t serve_access_keys(struct serve_server *server);
/** The name of a call's account; NULL: it has none. Borrowed until the call is finished. */
const char *serve_access_name(const struct serve_call *call);

#endif
