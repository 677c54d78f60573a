/* From the options of a connection to a client of libbertd, and from its errors to exit codes. */
#ifndef CLIENTS_CLI_CONNECTION_H
#define CLIENTS_CLI_CONNECTION_H

#include "clients/c/bertd.h"
#include "clients/cli/command.h"

/** Make a client.
 *  Returns  -1: it is in `ret`, for bertd_client_destroy; else the exit code, after saying what is wrong */
int cli_connect(const struct cli_connection *connection, struct bertd_client **ret);

/** Options of a call, as the command line has them. */
struct bertd_call_options cli_call_options(const struct cli_connection *connection);

/** Say what went wrong, and return the exit code for it.
 *  what  what was to be done; NULL: nothing to add */
int cli_failed(const char *what, const struct bertd_error *error);

/** The exit code for a status. */
enum cli_exit cli_exit_of(enum bertd_status status);

#endif
