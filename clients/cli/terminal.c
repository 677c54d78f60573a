#include "clients/cli/terminal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "clients/cli/plain.h"

void cli_say(const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cli_plain(text);
    fprintf(stderr, "%sbertctl: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", text);
}

bool cli_say_errno(const char *path)
{
    cli_say("%s: %s", path, strerror(errno));
    return false;
}

bool cli_coloured(const struct cli_common *common, int fd)
{
    if (common->colour != 0)
        return common->colour == 1;
    const char *no = getenv("NO_COLOR");
    const char *kind = getenv("TERM");
    return isatty(fd) && !(no && *no) && !(kind && strcmp(kind, "dumb") == 0);
}

size_t cli_columns(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void cli_print_wrapped(const char *text, size_t column, size_t indent, size_t width)
{
    bool first = true;
    while (*text) {
        if (*text == '\n') {
            printf("\n");
            if (text[1] == '\n')
                printf("\n");
            text += strspn(text, "\n");
            column = 0;
            first = true;
        }
        size_t length = strcspn(text, " \n");
        if (!first && column + 1 + length > width) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            printf(" ");
            column++;
        }
        printf("%.*s", (int)length, text);
        column += length;
        first = false;
        text += length;
        text += strspn(text, " ");
    }
    printf("\n");
}

const char *cli_count(char text[32], double count)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%.0f", count < 0 ? 0 : count > 1e15 ? 1e15 : count);
    char *to = text;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = 0;
    return text;
}

const char *cli_time(char text[32], double seconds)
{
    unsigned long whole = (unsigned long)(seconds < 0 ? 0 : seconds > 3.6e9 ? 3.6e9 : seconds + 0.5);
    if (whole >= 3600)
        snprintf(text, 32, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(text, 32, "%lu:%02lu", whole / 60, whole % 60);
    return text;
}

double cli_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void cli_sleep(double seconds)
{
    if (seconds <= 0)
        return;
    struct timespec time = {.tv_sec = (time_t)seconds};
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    nanosleep(&time, NULL);
}
