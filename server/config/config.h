/* What the program was asked to do: options from the command line, else the environment, else their defaults. */
#ifndef BERTD_CONFIG_CONFIG_H
#define BERTD_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"
#include "server/config/options.h"

#define CONFIG_VERSION "0.1.0" /* as project() in CMakeLists.txt; a test compares them */

enum config_action { CONFIG_SERVE, CONFIG_HELP, CONFIG_SHOW_VERSION, CONFIG_CHECK };
/* The values of choices. After config_read, dtype is never auto, nor is a board. */
enum config_dtype { CONFIG_DTYPE_AUTO, CONFIG_INT8, CONFIG_FLOAT32 };
enum config_placement { CONFIG_PLACE_AUTO, CONFIG_REPLICATE, CONFIG_PIPELINE, CONFIG_SPLIT, CONFIG_TENSOR };
enum config_pooling { CONFIG_POOL_MODEL, CONFIG_POOL_CLS, CONFIG_POOL_MEAN, CONFIG_POOL_MAX };
enum { CONFIG_MAX_NOTES = 16 };
enum { CONFIG_MAX_BOARDS = 32, CONFIG_MAX_CARD = 32 };
#define CONFIG_NONE UINT64_MAX /* the default of a count that is not there unless it is given */

/** What --board named: boards of a kind, or those of a card. */
struct config_board {
    const char *kind;           /* "emu", "fp32", "ref", "rtl-sim", "xrt"; static */
    char card[CONFIG_MAX_CARD]; /* of xrt: "0", "0000:65:00.1"; else "" */
};

/** In the order given, each once. After config_read there is one at least. */
struct config_boards {
    struct config_board list[CONFIG_MAX_BOARDS];
    uint32_t n;
    bool from_environment;
};

/** One field an option, named as in the table; strings are borrowed from argv and the environment, or NULL. */
struct config {
#define GROUP(title)
#define STRING(field, ...) const char *field;
#define COUNT(field, ...)  uint64_t field;
#define FLAG(field, ...)   bool field;
#define CHOICE(field, ...) int field; /* the place of the word among the choices */
#define BOARDS(field, ...) struct config_boards field;
    CONFIG_OPTIONS(GROUP, STRING, COUNT, FLAG, CHOICE, BOARDS)
#undef BOARDS
#undef GROUP
#undef STRING
#undef COUNT
#undef FLAG
#undef CHOICE
    enum config_action action;
    const char *notes[CONFIG_MAX_NOTES]; /* settings that were given but have no effect: tell the user; static */
    uint32_t n_notes;
};

/** Read `argv` [argc] (argv[0] is the program) and the environment. With --help, --version or --check only `action`
 *  and what was read so far count.
 *  get_env  getenv, or a test's own
 *  Errors:  USAGE, naming the option, its limits, and the nearest known name; `ret` untouched on failure */
enum status config_read(struct config *ret, int argc, char *const *argv, const char *(*get_env)(const char *),
                        struct error *err);
/** One "NAME=value" of the environment: true where its name is BERTD_.. and no option's, so most likely a mistake.
 *  name     [size] filled with the name, cut where it is long
 *  suggestion  the name that is most likely meant; NULL: none is near. Static */
bool config_is_unknown_variable(const char *entry, char *name, size_t size, const char **suggestion);
/** The text of --help. */
void config_write_help(struct buf *out);
/** The word of a choice: config_choice("emu|fp32|ref", 1, word, sizeof word) gives "fp32". */
const char *config_choice(const char *choices, int index, char *word, size_t size);
/** Where `model_id` lies: a directory as it is, or a name below bertd/models in the user's cache ($XDG_CACHE_HOME, else
 *  $HOME/.cache), with or without what stands before its last slash. `path` [size] is filled.
 *  Errors: USAGE, naming the places looked at. */
enum status config_find_model(char *path, size_t size, const char *model_id, const char *(*get_env)(const char *),
                              struct error *err);
/** The first line of the file, without its end, new (mem_free). Errors: IO; USAGE (empty, or nothing that a header can
 *  carry); NO_MEMORY; each says what the option wants. */
enum status config_read_key(char **ret, const char *path, struct error *err);

/** Cores this process may use: hardware threads that share a core count once; bounded by the cgroup's CPU quota.
 *  At least 1. */
uint32_t config_count_cores(void);
/** The same from a given tree of files in place of "/", and `cpus` [n] in place of the affinity mask, for tests. */
uint32_t config_count_cores_in(const char *root, const int *cpus, uint32_t n);

#endif
