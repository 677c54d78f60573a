/* What people see: messages, colours, widths. Nothing here is for programs. */
#ifndef CLIENTS_CLI_TERMINAL_H
#define CLIENTS_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "clients/cli/command.h"

/** One line on standard error, "bertctl: " before it, and plain (plain.h). A progress line that stands there is cleared
 * first. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Say what the system says about a file: errno's words. Returns false. */
bool cli_say_errno(const char *path);

/** Whether what goes to the descriptor is coloured: as --colour says, else on a terminal where NO_COLOR is empty. */
bool cli_coloured(const struct cli_common *common, int fd);

/** Columns of the terminal behind a descriptor; 80 where it is none or does not say. */
size_t cli_columns(int fd);

/** Print words to standard output, broken between words before column `width`. Lines after the first are indented. An
 *  empty line in the text stays one. Ends with a new line.
 *  column   where the first word begins */
void cli_print_wrapped(const char *text, size_t column, size_t indent, size_t width);

/** Write a count for people, "12,345,678", into `text` and return it. */
const char *cli_count(char text[32], double count);

/** Write a time for people, "1:02:03" or "2:03", into `text` and return it. */
const char *cli_time(char text[32], double seconds);

/** Seconds of a clock that only goes forward. */
double cli_now(void);

/** Sleep, or until a signal comes. */
void cli_sleep(double seconds);

#endif
