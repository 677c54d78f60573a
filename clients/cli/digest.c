#include "clients/cli/digest.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli/terminal.h"

#define BLOCK ((size_t)1 << 18)

enum cli_digest cli_digest_kind(const char *name)
{
    size_t n = strspn(name, "0123456789abcdef");
    if (name[n] != 0)
        return CLI_DIGEST_NONE;
    return n == 64 ? CLI_DIGEST_SHA256 : n == 40 ? CLI_DIGEST_GIT : CLI_DIGEST_NONE;
}

const char *cli_digest_word(enum cli_digest kind)
{
    return kind == CLI_DIGEST_SHA256 ? "sha256" : kind == CLI_DIGEST_GIT ? "git-sha1" : "none";
}

static bool hash_file(int fd, gnutls_hash_hd_t hash)
{
    char *block = malloc(BLOCK);
    ssize_t n = -1;
    off_t at = 0;
    while (block && (n = pread(fd, block, BLOCK, at)) > 0) {
        gnutls_hash(hash, block, (size_t)n);
        at += n;
    }
    free(block);
    return n == 0;
}

int cli_digest_check(int fd, const char *path, const char *name)
{
    enum cli_digest kind = cli_digest_kind(name);
    gnutls_digest_algorithm_t algorithm = kind == CLI_DIGEST_SHA256 ? GNUTLS_DIG_SHA256 : GNUTLS_DIG_SHA1;
    gnutls_hash_hd_t hash;
    struct stat status;
    if (kind == CLI_DIGEST_NONE)
        return 1;
    if (fstat(fd, &status) != 0 || gnutls_hash_init(&hash, algorithm) < 0) {
        cli_say("%s: no checksum can be made: %s", path, strerror(errno));
        return -1;
    }
    if (kind == CLI_DIGEST_GIT) {
        char head[64];
        int n = snprintf(head, sizeof head, "blob %lld", (long long)status.st_size);
        gnutls_hash(hash, head, (size_t)n + 1);
    }
    bool whole = hash_file(fd, hash);
    unsigned char bytes[32];
    char digits[65] = "";
    gnutls_hash_deinit(hash, bytes);
    if (!whole) {
        cli_say_errno(path);
        return -1;
    }
    for (unsigned i = 0; i < gnutls_hash_get_len(algorithm); i++)
        sprintf(digits + 2 * (size_t)i, "%02x", bytes[i]);
    return strcmp(digits, name) == 0;
}
