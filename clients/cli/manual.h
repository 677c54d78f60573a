/* The manual page. */
#ifndef CLIENTS_CLI_MANUAL_H
#define CLIENTS_CLI_MANUAL_H

#include <stddef.h>

#include "clients/cli/command.h"

/** Print bertctl.1 to standard output, in roff.
 *  commands  [n] all there are */
void cli_manual_print(const struct cli_command *const *commands, size_t n);

#endif
