/* The file of --api-keys-file: its lines, see access.h. Private to the room. */
#ifndef BERTD_SERVE_KEYS_H
#define BERTD_SERVE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { SERVE_MAX_KEYS = 1024, SERVE_NAME_SIZE = 65 /* with the NUL */, SERVE_DIGEST_WORDS = 4 };

/** SHA-256. */
struct serve_digest {
    uint64_t words[SERVE_DIGEST_WORDS]; /* its bytes as they lie in memory */
};

/** One line. */
struct serve_key {
    struct serve_digest digest;
    char name[SERVE_NAME_SIZE];
    uint32_t line;              /* from 1; 0: of no file */
    double requests_per_second; /* 0: no limit */
    double tokens_per_minute;   /* 0: no limit */
    bool bulk;
};

struct serve_keys {
    struct serve_key *items; /* [n]; mem_free */
    uint32_t n;
};

/** The digest of `text` [len]. False: the library refuses (it may, in FIPS mode after a failed self-test). */
bool serve_digest(struct serve_digest *ret, const void *text, size_t len);
/** Add the keys of a file's bytes `data` [size] to `keys`. Errors: USAGE, naming the line and never what stands in it:
 *  it may be a key; NO_MEMORY. After an error there may be some of the keys. */
enum status serve_keys_read(struct serve_keys *keys, const char *data, size_t size, struct error *err);
/** Add the key of --api-key. Errors: NO_MEMORY, INTERNAL. */
enum status serve_keys_add_default(struct serve_keys *keys, const char *key, struct error *err);

#endif
