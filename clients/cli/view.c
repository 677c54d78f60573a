#include "clients/cli/view.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "clients/cli/plain.h"
#include "clients/cli/terminal.h"

#define COLUMNS_MAX 200

#define RED    "31"
#define GREEN  "32"
#define YELLOW "33"
#define DIM    "2"
#define BOLD   "1"

/* One line in one colour, cut at the last column. */
static void line(const struct cli_view *view, FILE *out, const char *colour, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void line(const struct cli_view *view, FILE *out, const char *colour, const char *format, ...)
{
    char text[COLUMNS_MAX * 4 + 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cli_plain(text); /* texts of the server do not rule the terminal */
    size_t at = 0, columns = 0;
    for (; text[at]; at++) { /* bytes that go on with a character take no column */
        columns += ((unsigned char)text[at] & 0xc0) != 0x80;
        if (columns > view->columns || columns > COLUMNS_MAX)
            break;
    }
    bool paint = view->colour && colour;
    fprintf(out, "%s%s%s%.*s%s%s\n", paint ? "\033[" : "", paint ? colour : "", paint ? "m" : "", (int)at, text,
            paint ? "\033[m" : "", view->live ? "\033[K" : "");
}

/* A time in three digits or so. */
static const char *latency(char text[16], double seconds)
{
    if (seconds <= 0)
        snprintf(text, 16, "-");
    else if (seconds < 0.0995)
        snprintf(text, 16, "%.1f ms", seconds * 1e3);
    else if (seconds < 0.9995)
        snprintf(text, 16, "%.0f ms", seconds * 1e3);
    else
        snprintf(text, 16, "%.1f s", seconds < 1e6 ? seconds : 1e6);
    return text;
}

static void show_head(const struct cli_view *view, const struct cli_reading *reading, FILE *out)
{
    char count[3][32], up[32], hits[16] = "none";
    const char *slash = strrchr(view->model, '/');
    line(view, out, BOLD, "bertd %s  %s  %s", view->version, slash && slash[1] ? slash + 1 : view->model,
         view->endpoint);
    bool whole = reading->ready >= reading->n_boards;
    line(view, out,
         reading->draining || reading->ready < 1 ? RED
         : whole                                 ? GREEN
                                                 : YELLOW,
         "%s: %.0f of %.0f boards in service, up %s",
         reading->draining    ? "draining"
         : reading->ready < 1 ? "not serving"
                              : "serving",
         reading->ready, reading->n_boards, cli_time(up, reading->up_seconds));
    line(view, out, NULL, "%s", "");
    if (reading->hit_share >= 0)
        snprintf(hits, sizeof hits, "%.0f%% hits", reading->hit_share * 100);
    line(view, out, NULL, "texts/s %12s   tokens/s %12s   failed/s %9s   cache %s", cli_count(count[0], reading->texts),
         cli_count(count[1], reading->tokens), cli_count(count[2], reading->failed), hits);
    line(view, out, NULL, "requests %11s   texts at work %7s   connections %6s",
         cli_count(count[0], reading->active_requests), cli_count(count[1], reading->running_texts),
         cli_count(count[2], reading->connections));
    line(view, out, NULL, "memory %10s MB   cpu %11.2f cores   %s", cli_count(count[0], reading->memory_bytes / 1e6),
         reading->cpu, reading->interval > 0 ? "" : "(rates since the start)");
    line(view, out, NULL, "%s", "");
}

static void show_classes(const struct cli_view *view, const struct cli_reading *reading, FILE *out)
{
    static const char *const names[CLI_CLASSES] = {"interactive", "bulk"};
    line(view, out, DIM, "%-12s %10s %10s %10s %12s %13s", "class", "requests/s", "p50", "p99", "texts queued",
         "tokens queued");
    for (int i = 0; i < CLI_CLASSES; i++) {
        const struct cli_class *class = &reading->classes[i];
        char p50[16], p99[16], items[32], tokens[32];
        line(view, out, NULL, "%-12s %10.1f %10s %10s %12s %13s", names[i], class->requests, latency(p50, class->p50),
             latency(p99, class->p99), cli_count(items, class->queue_items), cli_count(tokens, class->queue_tokens));
    }
    line(view, out, NULL, "%s", "");
}

static double number_of(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void show_board(const struct cli_view *view, const json_t *board, FILE *out)
{
    char bar[21], done[32];
    double share = number_of(board, "busy_share");
    size_t full = (size_t)((share < 0 ? 0 : share > 1 ? 1 : share) * 20 + 0.5);
    memset(bar, '.', 20);
    memset(bar, '#', full);
    bar[20] = 0;
    const json_t *tasks = json_object_get(board, "tasks");
    const char *state = text_of(board, "state");
    bool serves = strcmp(state, "idle") == 0 || strcmp(state, "busy") == 0;
    line(view, out, serves ? NULL : RED, "%-8.8s %-11.11s [%s] %3.0f%% %5.0f %12s %6.0f %5.0f", text_of(board, "name"),
         state, bar, share * 100, number_of(board, "queue"), cli_count(done, number_of(tasks, "done")),
         number_of(tasks, "failed"), number_of(board, "quarantines"));
    const json_t *error = json_object_get(board, "last_error");
    if (!serves && json_is_object(error))
        line(view, out, RED, "         %s", text_of(error, "message"));
}

void cli_view_show(const struct cli_view *view, const struct cli_reading *reading, FILE *out)
{
    const json_t *boards = json_object_get(reading->boards, "boards");
    size_t n = json_array_size(boards), room = view->rows > 14 ? view->rows - 14 : n;
    show_head(view, reading, out);
    show_classes(view, reading, out);
    line(view, out, DIM, "%-8s %-11s %-27s %5s %12s %6s %5s", "board", "state", "load of the last 5-10 s", "queue",
         "tasks done", "failed", "out");
    for (size_t i = 0; i < n && i < room; i++)
        show_board(view, json_array_get(boards, i), out);
    if (n > room)
        line(view, out, DIM, "and %zu more", n - room);
}
