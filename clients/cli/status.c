/* bertctl status: how a server is, once or live. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "clients/cli/connection.h"
#include "clients/cli/reading.h"
#include "clients/cli/stop.h"
#include "clients/cli/terminal.h"
#include "clients/cli/view.h"

struct settings {
    bool once;
    bool live;
    double interval;
    double count;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct cli_option options[] = {
    {"once", '1', CLI_FLAG, NULL, "One reading; the default where standard output is no terminal", FIELD(once), 0, 0},
    {"live", 'l', CLI_FLAG, NULL, "Readings without end; the default on a terminal", FIELD(live), 0, 0},
    {"interval", 'n', CLI_NUMBER, "SECONDS", "Between two readings (1)", FIELD(interval), 0.05, 3600},
    {"count", 0, CLI_NUMBER, "N", "End after so many live readings", FIELD(count), 1, 1e9},
};

struct watch {
    const struct settings *settings;
    const struct cli_line *line;
    struct bertd_client *client;
    struct bertd_call_options call;
    struct cli_view view;
    bool screen; /* standard output is a terminal that is drawn on */
    struct termios before;
    bool keys; /* standard input is a terminal whose keys are read one by one */
};

static void defaults(void *into, struct cli_line *line)
{
    struct settings *settings = into;
    settings->interval = 1;
    line->connection.timeout = 10;
    line->connection.retries = 1;
}

/* Terminal ------------------------------------------------------------------------------------------------------ */

static void screen_begin(struct watch *watch)
{
    watch->keys = watch->screen && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &watch->before) == 0;
    if (watch->keys) {
        struct termios now = watch->before;
        now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &now);
    }
    if (watch->screen)
        printf("\033[?1049h\033[?25l"); /* a screen of its own, no cursor */
}

static void screen_end(struct watch *watch)
{
    if (watch->screen)
        printf("\033[?25h\033[?1049l");
    fflush(stdout);
    if (watch->keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &watch->before);
}

/* Wait for the next reading. False: the user has had enough. */
static bool wait_on(const struct watch *watch, double until)
{
    for (;;) {
        double rest = until - cli_now();
        if (cli_stopped())
            return false;
        if (rest <= 0)
            return true;
        struct pollfd input = {.fd = watch->keys ? STDIN_FILENO : -1, .events = POLLIN};
        char key;
        if (poll(&input, 1, (int)(rest * 1000) + 1) > 0 &&
            (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q'))
            return false;
    }
}

/* Showing ------------------------------------------------------------------------------------------------------- */

static void show(struct watch *watch, const struct cli_reading *reading)
{
    if (watch->line->common.json) {
        json_t *root = cli_reading_json(reading);
        json_dumpf(root, stdout, JSON_REAL_PRECISION(9));
        printf("\n");
        json_decref(root);
    } else {
        struct winsize size;
        watch->view.columns = cli_columns(STDOUT_FILENO);
        watch->view.rows = watch->screen && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
        if (watch->screen)
            printf("\033[H");
        cli_view_show(&watch->view, reading, stdout);
        if (watch->screen)
            printf("\033[J");
    }
    fflush(stdout);
}

/* A server that is away for a while comes back into the view. */
static void show_error(const struct watch *watch, const struct bertd_error *error)
{
    if (watch->screen)
        printf("\033[H%s%.*s%s\033[K\n\033[J", watch->view.colour ? "\033[31m" : "", (int)cli_columns(STDOUT_FILENO),
               error->message, watch->view.colour ? "\033[m" : "");
    else
        cli_say("%s", error->message);
    fflush(stdout);
}

static int watch_on(struct watch *watch)
{
    struct cli_reading readings[2] = {0};
    struct bertd_error error = {0};
    bool live = watch->settings->live || watch->settings->count > 0 || (watch->screen && !watch->settings->once);
    int code = CLI_OK;
    double begin = cli_now();
    if (live)
        cli_stop_listen();
    if (live)
        screen_begin(watch);
    else
        watch->screen = false;
    watch->view.live = watch->screen;
    for (double i = 0;; i++) {
        struct cli_reading *now = &readings[1], *before = &readings[0];
        bool had = before->metrics != NULL;
        if (cli_reading_take(now, had ? before : NULL, watch->client, &watch->call, &error) == BERTD_OK) {
            show(watch, now);
            cli_reading_finish(before);
            *before = *now;
            *now = (struct cli_reading){0};
            code = CLI_OK;
        } else {
            code = (int)cli_exit_of(error.status);
            if (live)
                show_error(watch, &error);
            else
                cli_failed(NULL, &error);
        }
        bool enough = !live || (watch->settings->count > 0 && i + 1 >= watch->settings->count);
        if (enough || ferror(stdout) || !wait_on(watch, begin + (i + 1) * watch->settings->interval))
            break;
    }
    if (live)
        screen_end(watch);
    cli_reading_finish(&readings[0]);
    return code;
}

static int run(const void *settings, const struct cli_line *line)
{
    struct watch watch = {.settings = settings, .line = line, .call = cli_call_options(&line->connection)};
    struct bertd_info *info = NULL;
    struct bertd_error error = {0};
    int code = cli_connect(&line->connection, &watch.client);
    if (code >= 0)
        return code;
    if (line->connection.urls.n > 1) {
        cli_say("status shows one server: give --url once");
        bertd_client_destroy(&watch.client);
        return CLI_USAGE;
    }
    if (bertd_get_info(watch.client, &watch.call, &info, &error) != BERTD_OK) {
        code = cli_failed(NULL, &error);
    } else if (info->server != BERTD_SERVER_BERTD) {
        cli_say("%s is no bertd, which alone has boards", info->endpoint);
        code = CLI_REFUSED;
    } else {
        watch.screen = isatty(STDOUT_FILENO) && !line->common.json;
        watch.view = (struct cli_view){.endpoint = info->endpoint,
                                       .model = info->served_model_name,
                                       .version = info->version,
                                       .colour = cli_coloured(&line->common, STDOUT_FILENO)};
        code = watch_on(&watch);
    }
    bertd_free(info);
    bertd_client_destroy(&watch.client);
    return code;
}

const struct cli_command cli_command_status = {
    .name = "status",
    .arguments = "",
    .summary = "Boards, queues and rates of a bertd, live",
    .about = "Shows boards, queues, rates and latencies, from /boards and /metrics: on a terminal live until q or "
             "Ctrl-C, else once. 80 columns are enough. The first reading has rates since the server began, the next "
             "ones since the one before. With --json an object a reading, a line each. It shows one server.",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(struct settings),
    .defaults = defaults,
    .run = run,
    .connects = true,
};
