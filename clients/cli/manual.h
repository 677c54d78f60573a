/* The manual page. */
#ifndef CLIENTS_CLI_MANUAL_H
#define CLIENTS_CLI_MANUAL_H

/** Print bertctl.1 to standard output, in roff. */
void cli_manual_print(void);

#endif
