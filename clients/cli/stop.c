#include "clients/cli/stop.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t stopped;

static void note(int number)
{
    (void)number;
    stopped = 1;
}

void cli_stop_listen(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = note;
    action.sa_flags = (int)SA_RESETHAND; /* and no SA_RESTART: a read that waits comes back */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool cli_stopped(void)
{
    return stopped != 0;
}
