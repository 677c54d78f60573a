/* bertctl, the command line of bertd. It asks servers by libbertd (clients/c) alone. */
#ifndef CLIENTS_CLI_H
#define CLIENTS_CLI_H

/** Do what a command line says, and return the exit code of the process. It is called once, in the main thread. */
int cli_run(int argc, char **argv);

#endif
