/* Reads command lines by the tables of options. */
#ifndef CLIENTS_CLI_OPTIONS_H
#define CLIENTS_CLI_OPTIONS_H

#include "clients/cli/command.h"

/** Read what stands behind a command's name.
 *  argv      [argc]; its arguments are moved to its begin, and `ret_line` borrows them
 *  settings  [command->settings_size] with defaults; what is given goes there
 *  Returns   -1: go on; else the exit code: it was --help, or wrong and said so on standard error */
int cli_options_read(const struct cli_command *command, int argc, char **argv, void *settings,
                     struct cli_line *ret_line);

/** The table of options that has number `group`: the command's own, those of the connection, those of all commands.
 *  ret_n    how many it has
 *  Returns  NULL past the last one */
const struct cli_option *cli_options_group(const struct cli_command *command, size_t group, size_t *ret_n);

/** Write the command's --help to standard output, in 80 columns. */
void cli_options_help(const struct cli_command *command);

#endif
