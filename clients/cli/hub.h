/* A model hub over HTTP: which files a revision of a model has, and their bytes. */
#ifndef CLIENTS_CLI_HUB_H
#define CLIENTS_CLI_HUB_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_HUB_NAME_MAX 256

struct cli_hub;

/** What a hub says about a file. */
struct cli_hub_file {
    char etag[CLI_HUB_NAME_MAX]; /**< without quotes; letters, digits, '.', '_' and '-' */
    uint64_t size;
};

/** Told while bytes come; `done` of the file. False: stop. */
typedef bool cli_hub_tell(void *cookie, uint64_t done);

/** endpoint, token: borrowed; `token` may be NULL. NULL, having said why. */
struct cli_hub *cli_hub_create(const char *endpoint, const char *token, double timeout);

/** NULL is fine. */
void cli_hub_destroy(struct cli_hub *hub);

/** The description of a revision: "sha" and "siblings", checked to be there. New.
 *  Returns  NULL, having said why; *ret_exit is the exit code for it */
json_t *cli_hub_revision(struct cli_hub *hub, const char *repo, const char *revision, int *ret_exit);

/** What a file is. Returns -1: it is in `ret`; else the exit code, having said why. */
int cli_hub_look(struct cli_hub *hub, const char *repo, const char *commit, const char *name, struct cli_hub_file *ret);

/** Load a file's bytes behind what `fd` has already, or from its begin where the hub cannot do that.
 *  fd       open for reading and writing
 *  Returns  -1: all is there; else the exit code. What came stays in the file.
 *           *ret_again: it may go on later; else, or where it does not, why was said */
int cli_hub_load(struct cli_hub *hub, const char *repo, const char *commit, const char *name, int fd, uint64_t size,
                 cli_hub_tell *tell, void *cookie, bool *ret_again);

#endif
