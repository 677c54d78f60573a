/* The cache that tools of Hugging Face's hub share: models--OWNER--NAME with blobs, snapshots and refs. */
#ifndef CLIENTS_CLI_CACHE_H
#define CLIENTS_CLI_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#define CLI_CACHE_PATH_MAX 4096

/** The folder of the cache: HF_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub, or ~/.cache/huggingface/hub.
 *  given    goes before all of them; NULL: not given
 *  Returns  false, having said why */
bool cli_cache_folder(const char *given, char path[CLI_CACHE_PATH_MAX]);

/** The folder of a model in it. Returns false, having said why: the name is none, or too long. */
bool cli_cache_model(const char *folder, const char *repo, char path[CLI_CACHE_PATH_MAX]);

/** Whether a name of a hub may be a path below a folder: relative, nothing in it that leads out, one line. */
bool cli_cache_is_name(const char *name);

/** Put words together as a path. Returns false, having said why: it is too long. */
bool cli_cache_path(char path[CLI_CACHE_PATH_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Make the folders above a path. Returns false, having said why. */
bool cli_cache_folders(const char *path);

/** Have snapshots/COMMIT/NAME lead to blobs/ETAG. Returns false, having said why. */
bool cli_cache_link(const char *model, const char *commit, const char *name, const char *etag);

/** Have refs/REVISION say COMMIT, in one step. Returns false, having said why. */
bool cli_cache_refer(const char *model, const char *revision, const char *commit);

#endif
