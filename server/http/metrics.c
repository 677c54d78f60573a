/* GET /metrics: what telemetry.c counts and what the boards report, as text for Prometheus. */
#include "server/http/endpoints.h"
#include "server/http/server.h"

static const char *const states[] = {"empty", "ready", "busy", "failed"};

static void write_boards(struct buf *out, const struct http_options *options)
{
    static const struct {
        const char *name;
        const char *help;
    } counters[] = {{"bertd_board_tasks_total", "Tasks the board has completed"},
                    {"bertd_board_failures_total", "Tasks that failed on the board"},
                    {"bertd_board_rows_total", "Rows times layers computed"},
                    {"bertd_board_busy_seconds_total", "Seconds spent computing"}};
    for (size_t c = 0; c < sizeof counters / sizeof *counters; c++) {
        buf_printf(out, "# HELP %s %s\n# TYPE %s counter\n", counters[c].name, counters[c].help, counters[c].name);
        for (uint32_t b = 0; b < options->n_boards; b++) {
            struct board_stats stats;
            board_stats(options->boards[b], &stats);
            const double values[] = {(double)stats.tasks_done, (double)stats.tasks_failed, (double)stats.rows,
                                     (double)stats.busy_ns * 1e-9};
            buf_printf(out, "%s{board=\"%s\"} %.10g\n", counters[c].name, board_name(options->boards[b]), values[c]);
        }
    }
    buf_puts(out, "# HELP bertd_board_state 1 for the state the board is in\n# TYPE bertd_board_state gauge\n");
    for (uint32_t b = 0; b < options->n_boards; b++) {
        struct board_stats stats;
        board_stats(options->boards[b], &stats);
        for (uint32_t s = 0; s < sizeof states / sizeof *states; s++)
            buf_printf(out, "bertd_board_state{board=\"%s\",state=\"%s\"} %d\n", board_name(options->boards[b]),
                       states[s], stats.state == (enum board_state)s);
    }
}

static enum status start(struct http_call *call, bool *ret_pending, struct error *err)
{
    (void)ret_pending;
    (void)err;
    metrics_registry_write(call->server->options.metrics, &call->reply.body);
    write_boards(&call->reply.body, &call->server->options);
    call->reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return STATUS_OK;
}

const struct http_endpoint http_metrics = {.start = start, .open = true, .light = true};
