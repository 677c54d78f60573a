/* GET /metrics: what telemetry.c counts and what the boards report, as text for Prometheus. */
#include <string.h>

#include "server/base/mem.h"
#include "server/http/endpoints.h"
#include "server/http/server.h"

static double tasks(const struct batch_board_info *info)
{
    return (double)info->stats.tasks_done;
}

static double failures(const struct batch_board_info *info)
{
    return (double)info->stats.tasks_failed;
}

static double rows(const struct batch_board_info *info)
{
    return (double)info->stats.rows;
}

static double busy_seconds(const struct batch_board_info *info)
{
    return (double)info->stats.busy_ns * 1e-9;
}

static double flights(const struct batch_board_info *info)
{
    return (double)info->flights;
}

static double splits(const struct batch_board_info *info)
{
    return (double)info->splits;
}

static double quarantines(const struct batch_board_info *info)
{
    return (double)info->quarantined;
}

static const struct {
    const char *name;
    const char *help;
    double (*read)(const struct batch_board_info *info);
} counters[] = {
    {"bertd_board_tasks_total", "Tasks the board has completed", tasks},
    {"bertd_board_failures_total", "Tasks that failed on the board", failures},
    {"bertd_board_rows_total", "Rows times layers computed", rows},
    {"bertd_board_busy_seconds_total", "Seconds spent computing", busy_seconds},
    {"bertd_board_flights_total", "Batches the board took part in", flights},
    {"bertd_board_splits_total", "Batches of these that several boards shared", splits},
    {"bertd_board_quarantines_total", "Times the board was taken out of service", quarantines},
};

static void write_states(struct buf *out, const struct batch_board_info *boards, uint32_t n)
{
    static const char *const states[] = {"idle", "busy", "quarantined", "testing"};
    buf_puts(out, "# HELP bertd_board_state 1 for the state the board is in\n# TYPE bertd_board_state gauge\n");
    for (uint32_t b = 0; b < n; b++) {
        for (size_t s = 0; s < sizeof states / sizeof *states; s++)
            buf_printf(out, "bertd_board_state{board=\"%s\",state=\"%s\"} %d\n", boards[b].name, states[s],
                       strcmp(boards[b].state, states[s]) == 0);
    }
}

static void write_boards(struct buf *out, const struct batch_board_info *boards, uint32_t n)
{
    for (size_t c = 0; c < sizeof counters / sizeof *counters; c++) {
        buf_printf(out, "# HELP %s %s\n# TYPE %s counter\n", counters[c].name, counters[c].help, counters[c].name);
        for (uint32_t b = 0; b < n; b++)
            buf_printf(out, "%s{board=\"%s\"} %.10g\n", counters[c].name, boards[b].name, counters[c].read(&boards[b]));
    }
    write_states(out, boards, n);
}

static enum status start(struct http_call *call, bool *ret_pending, struct error *err)
{
    (void)ret_pending;
    const struct http_options *options = &call->server->options;
    struct batch_board_info *boards = mem_calloc(options->n_boards, sizeof *boards);
    if (!boards)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u boards", options->n_boards);
    batch_get_boards(options->batch, boards);
    metrics_registry_write(options->metrics, &call->reply.body);
    write_boards(&call->reply.body, boards, options->n_boards);
    mem_free(boards);
    call->reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return STATUS_OK;
}

const struct http_endpoint http_metrics = {.start = start, .open = true, .light = true};
