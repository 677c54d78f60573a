/* A reading for people, in lines of a terminal. */
#ifndef CLIENTS_CLI_VIEW_H
#define CLIENTS_CLI_VIEW_H

#include <stddef.h>
#include <stdio.h>

#include "clients/cli/reading.h"

struct cli_view {
    const char *endpoint;
    const char *model;
    const char *version;
    bool colour;
    bool live; /**< each line is cleared to its end */
    size_t columns;
    size_t rows; /**< of the terminal; 0: as many as it takes */
};

/** Write it to `out`: no line is longer than view->columns. */
void cli_view_show(const struct cli_view *view, const struct cli_reading *reading, FILE *out);

#endif
