#include "server/config/table.h"

const struct option_row config_rows[] = {
#define GROUP(title) {.kind = OPTION_GROUP, .flag = (title)},
#define STRING(field, name, env, word, preset, words)                                                                  \
    {OPTION_STRING, name, env, word, preset, 0, 0, 0, words, offsetof(struct config, field)},
#define COUNT(field, name, env, preset, min, max, words)                                                               \
    {OPTION_COUNT, name, env, "N", NULL, preset, min, max, words, offsetof(struct config, field)},
#define FLAG(field, name, env, preset, words)                                                                          \
    {OPTION_FLAG, name, env, "true|false", NULL, preset, 0, 1, words, offsetof(struct config, field)},
#define CHOICE(field, name, env, choices, preset, words)                                                               \
    {OPTION_CHOICE, name, env, choices, NULL, preset, 0, 0, words, offsetof(struct config, field)},
#define BOARDS(field, name, env, kinds, words)                                                                         \
    {OPTION_BOARDS, name, env, kinds, NULL, 0, 0, 0, words, offsetof(struct config, field)},
    CONFIG_OPTIONS(GROUP, STRING, COUNT, FLAG, CHOICE, BOARDS)};

const size_t config_n_rows = sizeof config_rows / sizeof *config_rows;

const struct absent_row config_absent_rows[] = {
#define ABSENT(name, env, what, reason) {name, env, ABSENT_##what, reason, "--" name " has no effect: " reason},
    CONFIG_ABSENT_OPTIONS(ABSENT)};

const size_t config_n_absent_rows = sizeof config_absent_rows / sizeof *config_absent_rows;
