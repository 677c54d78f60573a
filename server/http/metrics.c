/* GET /metrics: what telemetry.c counts and what the boards report, as text for Prometheus or in OpenMetrics. */
#include <string.h>

#include "base/mem.h"
#include "server/http/endpoints.h"
#include "server/http/media.h"
#include "server/serve/serve.h"

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

static double readmissions(const struct batch_board_info *info)
{
    return (double)info->readmitted;
}

static double faults(const struct batch_board_info *info)
{
    return (double)info->faults;
}

static double queue(const struct batch_board_info *info)
{
    return info->stats.queued;
}

static double busy_share(const struct batch_board_info *info)
{
    return info->busy_share;
}

static const struct {
    const char *name;
    const char *type;
    const char *help;
    double (*read)(const struct batch_board_info *info);
} series[] = {
    {"bertd_board_rows_total", "counter", "Rows times layers computed", rows},
    {"bertd_board_busy_seconds_total", "counter", "Seconds spent computing", busy_seconds},
    {"bertd_board_busy_share", "gauge", "Share of the last 5 to 10 seconds spent computing", busy_share},
    {"bertd_board_queue_tasks", "gauge", "Tasks waiting for the board or running on it", queue},
    {"bertd_board_flights_total", "counter", "Launches of batches that the board took part in", flights},
    {"bertd_board_splits_total", "counter", "Launches of these that several boards shared", splits},
    {"bertd_board_quarantines_total", "counter", "Times the board was taken out of service", quarantines},
    {"bertd_board_readmissions_total", "counter", "Times it was let back", readmissions},
    {"bertd_board_faults_injected_total", "counter", "Faults injected on purpose", faults},
};

static void write_tasks(struct buf *out, const struct batch_board_info *boards, uint32_t n)
{
    static const char name[] = "bertd_board_tasks_total";
    metrics_write_head(out, name, "counter", "Tasks that ended on the board");
    for (uint32_t b = 0; b < n; b++) {
        const struct board_stats *stats = &boards[b].stats;
        const char *board = boards[b].name;
        buf_printf(out, "%s{board=\"%s\",result=\"done\"} %llu\n", name, board, (unsigned long long)stats->tasks_done);
        buf_printf(out, "%s{board=\"%s\",result=\"failed\"} %llu\n", name, board,
                   (unsigned long long)stats->tasks_failed);
        buf_printf(out, "%s{board=\"%s\",result=\"cancelled\"} %llu\n", name, board,
                   (unsigned long long)stats->tasks_cancelled);
    }
}

static bool read_temperature(const struct board_stats *stats, double *ret)
{
    *ret = stats->temperature;
    return stats->has_temperature;
}

static bool read_power(const struct board_stats *stats, double *ret)
{
    *ret = stats->power;
    return stats->has_power;
}

static bool read_clock(const struct board_stats *stats, double *ret)
{
    *ret = stats->clock_mhz * 1e6;
    return stats->has_clock;
}

static bool read_ecc(const struct board_stats *stats, double *ret)
{
    *ret = stats->ecc_errors;
    return stats->has_ecc;
}

/* Of boards that have the sensor; of none, nothing. */
static void write_sensors(struct buf *out, const struct batch_board_info *boards, uint32_t n)
{
    static const struct {
        const char *name, *type, *help;
        bool (*read)(const struct board_stats *stats, double *ret);
    } sensors[] = {
        {"bertd_board_temperature_celsius", "gauge", "Temperature of a board that has a sensor", read_temperature},
        {"bertd_board_power_watts", "gauge", "Power of a board's card that has a sensor", read_power},
        {"bertd_board_clock_hertz", "gauge", "Clock of a card's engine", read_clock},
        {"bertd_board_ecc_errors_total", "counter", "Errors of a card's memories, corrected or not", read_ecc},
    };
    for (size_t s = 0; s < sizeof sensors / sizeof *sensors; s++) {
        bool any = false;
        for (uint32_t b = 0; b < n; b++) {
            double value;
            if (!sensors[s].read(&boards[b].stats, &value))
                continue;
            if (!any)
                metrics_write_head(out, sensors[s].name, sensors[s].type, sensors[s].help);
            any = true;
            buf_printf(out, "%s{board=\"%s\"} %.1f\n", sensors[s].name, boards[b].name, value);
        }
    }
}

static void write_states(struct buf *out, const struct batch_board_info *boards, uint32_t n)
{
    static const char *const states[] = {"idle", "busy", "quarantined", "testing"};
    metrics_write_head(out, "bertd_board_state", "gauge", "1 for the state the board is in");
    for (uint32_t b = 0; b < n; b++) {
        for (size_t s = 0; s < sizeof states / sizeof *states; s++)
            buf_printf(out, "bertd_board_state{board=\"%s\",state=\"%s\"} %d\n", boards[b].name, states[s],
                       strcmp(boards[b].state, states[s]) == 0);
    }
}

static void write_boards(struct buf *out, const struct batch_board_info *boards, uint32_t n)
{
    write_tasks(out, boards, n);
    for (size_t c = 0; c < sizeof series / sizeof *series; c++) {
        metrics_write_head(out, series[c].name, series[c].type, series[c].help);
        for (uint32_t b = 0; b < n; b++)
            buf_printf(out, "%s{board=\"%s\"} %.10g\n", series[c].name, boards[b].name, series[c].read(&boards[b]));
    }
    write_states(out, boards, n);
    write_sensors(out, boards, n);
}

static void write_room(struct buf *out, struct batch *batch)
{
    static const char *const placements[BATCH_PLACEMENTS] = {NULL, "replicate", "pipeline", "split", "tensor"};
    struct batch_stats stats;
    batch_get_stats(batch, &stats);
    metrics_write_head(out, "bertd_queue_items", "gauge", "Texts waiting for a board");
    for (int c = 0; c < BATCH_CLASSES; c++)
        buf_printf(out, "bertd_queue_items{class=\"%s\"} %u\n", batch_class_name((enum batch_class)c),
                   stats.queued_items_of[c]);
    metrics_write_head(out, "bertd_queue_tokens", "gauge", "Tokens waiting for a board");
    for (int c = 0; c < BATCH_CLASSES; c++)
        buf_printf(out, "bertd_queue_tokens{class=\"%s\"} %llu\n", batch_class_name((enum batch_class)c),
                   (unsigned long long)stats.queued_tokens_of[c]);
    metrics_write_head(out, "bertd_flights_total", "counter", "Batches begun, by how they were laid over boards");
    for (int p = BATCH_REPLICATE; p < BATCH_PLACEMENTS; p++)
        for (int c = 0; c < BATCH_CLASSES; c++)
            buf_printf(out, "bertd_flights_total{placement=\"%s\",class=\"%s\"} %llu\n", placements[p],
                       batch_class_name((enum batch_class)c), (unsigned long long)stats.flights[p][c]);
    metrics_write_head(out, "bertd_scrubs_total", "counter", "Times the checksum of the model in memory was verified");
    buf_printf(out, "bertd_scrubs_total %llu\n", (unsigned long long)stats.scrubs);
    metrics_write_head(out, "bertd_scrub_failures_total", "counter", "Times the model in memory was found damaged");
    buf_printf(out, "bertd_scrub_failures_total %llu\n", (unsigned long long)stats.scrub_failures);
}

static enum status write_all(struct serve_call *call, struct error *err)
{
    const struct serve_options *options = serve_server_options(call->server);
    struct batch_board_info *boards = mem_calloc(options->n_boards, sizeof *boards);
    if (!boards)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u boards", options->n_boards);
    batch_get_boards(options->batch, boards);
    metrics_registry_write(options->metrics, &call->reply);
    write_room(&call->reply, options->batch);
    write_boards(&call->reply, boards, options->n_boards);
    mem_free(boards);
    return STATUS_OK;
}

/* Where it is liked better than plain text, as Prometheus does. */
static void turn_into_openmetrics(struct serve_call *call)
{
    struct buf text = call->reply;
    call->reply = (struct buf){0};
    metrics_write_openmetrics(&call->reply, text.data ? text.data : "", text.len);
    call->reply.failed |= text.failed;
    buf_finish(&text);
    http_request_of(call)->content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

static enum serve_progress start(struct serve_call *call)
{
    const char *accept = net_exchange_header(http_request_of(call)->net, "accept");
    call->status = write_all(call, &call->err);
    if (http_media_quality(accept, "application/openmetrics-text") > http_media_quality(accept, "text/plain"))
        turn_into_openmetrics(call);
    net_add(http_request_of(call)->net, "vary", "Accept");
    return SERVE_DONE;
}

const struct http_endpoint http_metrics = {.method = {.start = start, .immediate = true},
                                           .content_type = "text/plain; version=0.0.4; charset=utf-8",
                                           .public = true,
                                           .admin = true};
