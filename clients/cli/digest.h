/* Checksums by which hubs name files. */
#ifndef CLIENTS_CLI_DIGEST_H
#define CLIENTS_CLI_DIGEST_H

#include <stdbool.h>

enum cli_digest {
    CLI_DIGEST_NONE,   /**< the name tells nothing */
    CLI_DIGEST_SHA256, /**< 64 digits: of the file */
    CLI_DIGEST_GIT     /**< 40 digits: SHA-1 of "blob ", the length, NUL, and the file */
};

/** Which one a name is, by its form. */
enum cli_digest cli_digest_kind(const char *name);

/** "sha256", "git-sha1", "none". Static. */
const char *cli_digest_word(enum cli_digest kind);

/** Whether the file has the checksum that a name tells. NONE: it has.
 *  Returns  1: yes; 0: no; -1: it cannot be read, which was said */
int cli_digest_check(int fd, const char *path, const char *name);

#endif
