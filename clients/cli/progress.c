#include "clients/cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clients/cli/terminal.h"

#define LINE_MAX_COLUMNS ((size_t)160)

void cli_progress_begin(struct cli_progress *progress, const struct cli_common *common, const char *unit,
                        double begin_done)
{
    *progress = (struct cli_progress){
        .shown = !common->quiet && isatty(STDERR_FILENO), .unit = unit, .begin = cli_now(), .begin_done = begin_done};
}

void cli_progress_line(char *text, size_t columns, const char *unit, double count, double seconds, double done,
                       double begin_done, double whole)
{
    char words[256], counted[32], per_second[32], left[32];
    double rate = seconds > 0 ? count / seconds : 0;
    size_t n;
    if (strcmp(unit, "B") == 0)
        n = (size_t)snprintf(words, sizeof words, "%.1f MB  %.1f MB/s", count / 1e6, rate / 1e6);
    else
        n = (size_t)snprintf(words, sizeof words, "%s %s  %s/s", cli_count(counted, count), unit,
                             cli_count(per_second, rate));
    if (whole > 0) {
        double speed = seconds > 0 ? (done - begin_done) / seconds : 0;
        double share = done < whole ? done / whole : 1;
        n += (size_t)snprintf(words + n, sizeof words - n, "  %3.0f%%  ETA %s", share * 100,
                              speed > 0 ? cli_time(left, (whole - done) / speed) : "--:--");
        if (columns >= n + 14) { /* room for a bar */
            size_t width = columns - n - 4 < 40 ? columns - n - 4 : 40;
            size_t full = (size_t)(share * (double)width);
            *text++ = '[';
            memset(text, '#', full);
            memset(text + full, '.', width - full);
            text += width;
            text += sprintf(text, "] ");
            columns -= width + 3;
        }
    }
    snprintf(text, columns + 1, "%s", words);
}

void cli_progress_tell(struct cli_progress *progress, double count, double done, double whole)
{
    double now = cli_now();
    if (!progress->shown || now < progress->last + 0.1)
        return;
    progress->last = now;
    char line[LINE_MAX_COLUMNS + 1];
    size_t columns = cli_columns(STDERR_FILENO) - 1;
    cli_progress_line(line, columns < LINE_MAX_COLUMNS ? columns : LINE_MAX_COLUMNS, progress->unit, count,
                      now - progress->begin, done, progress->begin_done, whole);
    fprintf(stderr, "\r%s\033[K", line);
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->shown)
        fprintf(stderr, "\r\033[K");
    progress->shown = false;
}
