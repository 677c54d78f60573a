/* The options as rows, for the parser and --help. Private to the room. */
#ifndef BERTD_CONFIG_TABLE_H
#define BERTD_CONFIG_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "server/config/config.h"

enum option_kind { OPTION_GROUP, OPTION_STRING, OPTION_COUNT, OPTION_FLAG, OPTION_CHOICE, OPTION_BOARDS };

struct option_row {
    enum option_kind kind;
    const char *flag; /* without the dashes; the title of a group */
    const char *environment;
    const char *value; /* the word for the value, or the choices */
    const char *text;  /* default of a string */
    uint64_t number;   /* default of the others */
    uint64_t least, most;
    const char *help;
    size_t offset; /* in struct config */
};

enum absent_reaction { ABSENT_REFUSE, ABSENT_IGNORE };

struct absent_row {
    const char *flag;
    const char *environment;
    enum absent_reaction reaction;
    const char *reason;
    const char *note; /* what to tell when it was given and ignored */
};

/** Add the boards that a value names to those before, or put them in place of those of the environment.
 *  False where a word is no kind of board, or there are too many. */
bool config_add_boards(struct config_boards *boards, const char *value, bool from_environment);

extern const struct option_row config_rows[];
extern const size_t config_n_rows;
extern const struct absent_row config_absent_rows[];
extern const size_t config_n_absent_rows;

#endif
