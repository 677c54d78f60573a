/* Latencies by their share, drawn. */
#ifndef CLIENTS_CLI_PLOT_H
#define CLIENTS_CLI_PLOT_H

#include <stddef.h>
#include <stdio.h>

#include "clients/cli/histogram.h"

/** A time in three digits or so, "1.23 ms". Writes into `text` and returns it. */
const char *cli_plot_time(char text[16], double seconds);

/** Bars of some shares in lines of `columns`. */
void cli_plot_bars(const struct cli_histogram *latency, size_t columns, FILE *out);

/** A curve as SVG: shares to the right (90%, 99%, 99.9% equally far apart), times upwards.
 *  title  text without markup */
void cli_plot_svg(const struct cli_histogram *latency, const char *title, FILE *out);

#endif
