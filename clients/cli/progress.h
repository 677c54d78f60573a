/* A line on standard error that tells how far a job is. */
#ifndef CLIENTS_CLI_PROGRESS_H
#define CLIENTS_CLI_PROGRESS_H

#include "clients/cli/command.h"

struct cli_progress {
    bool shown;
    const char *unit;  /**< what is counted; "B": bytes, told in MB */
    double begin;      /**< when it began, of cli_now */
    double last;       /**< when it was drawn */
    double begin_done; /**< how much of the whole was there at the begin */
};

/** Begin. It is shown where standard error is a terminal, unless --quiet.
 *  begin_done  how much of `whole` of the later calls is there already */
void cli_progress_begin(struct cli_progress *progress, const struct cli_common *common, const char *unit,
                        double begin_done);

/** Draw, at most ten times a second.
 *  count      what was done, in units
 *  done       how much of the whole, in what it is measured by
 *  whole      0: not known */
void cli_progress_tell(struct cli_progress *progress, double count, double done, double whole);

/** Take the line away. */
void cli_progress_end(struct cli_progress *progress);

/** The line without colours or ends, in at most `columns` columns: of `count` units in `seconds`. */
void cli_progress_line(char *text, size_t columns, const char *unit, double count, double seconds, double done,
                       double begin_done, double whole);

#endif
