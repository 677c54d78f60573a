/* SIGINT and SIGTERM: work ends where it can be taken up again. */
#ifndef CLIENTS_CLI_STOP_H
#define CLIENTS_CLI_STOP_H

#include <stdbool.h>

/** Have the signals noted from now on. A second one ends the process. */
void cli_stop_listen(void);

/** Whether one has come. */
bool cli_stopped(void);

#endif
