/* GET /boards: each board's state, work and last error. */
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/http/endpoints.h"
#include "server/serve/serve.h"
#include "server/wire/response.h"

static void write_error(struct buf *out, const struct batch_board_info *board, uint64_t now_ns)
{
    if (!board->last_error[0]) {
        buf_puts(out, "null");
        return;
    }
    double ago = now_ns > board->last_error_ns ? (double)(now_ns - board->last_error_ns) * 1e-9 : 0;
    time_t at = time(NULL) - (time_t)ago;
    struct tm utc;
    char text[32];
    gmtime_r(&at, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    buf_puts(out, "{\"message\":");
    wire_write_text(out, board->last_error);
    buf_printf(out, ",\"time\":\"%s\",\"seconds_ago\":%.3f}", text, ago);
}

static void write_board(struct buf *out, const struct batch_board_info *board, uint64_t now_ns)
{
    const struct board_stats *stats = &board->stats;
    buf_printf(out, "{\"name\":\"%s\",\"kind\":\"%s\",\"state\":\"%s\",\"layer_begin\":%u,\"layer_end\":%u,",
               board->name, board->kind, board->state, board->layer_begin, board->layer_end);
    buf_printf(out, "\"tasks\":{\"done\":%llu,\"failed\":%llu,\"cancelled\":%llu},\"queue\":%u,",
               (unsigned long long)stats->tasks_done, (unsigned long long)stats->tasks_failed,
               (unsigned long long)stats->tasks_cancelled, stats->queued);
    buf_printf(out, "\"layers\":%llu,\"rows\":%llu,\"flights\":%llu,\"splits\":%llu,",
               (unsigned long long)stats->layers, (unsigned long long)stats->rows, (unsigned long long)board->flights,
               (unsigned long long)board->splits);
    buf_printf(out, "\"busy_seconds\":%.6f,\"busy_share\":%.4f,", (double)stats->busy_ns * 1e-9, board->busy_share);
    buf_printf(out, "\"quarantines\":%llu,\"readmissions\":%llu,\"faults_injected\":%llu,\"last_error\":",
               (unsigned long long)board->quarantined, (unsigned long long)board->readmitted,
               (unsigned long long)board->faults);
    write_error(out, board, now_ns);
    if (stats->has_temperature)
        buf_printf(out, ",\"temperature\":%.1f}", stats->temperature);
    else
        buf_puts(out, ",\"temperature\":null}");
}

static enum status write_all(struct serve_call *call, struct error *err)
{
    const struct serve_options *options = serve_server_options(call->server);
    struct buf *out = &call->reply;
    struct batch_board_info *boards = mem_calloc(options->n_boards, sizeof *boards);
    if (!boards)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u boards", options->n_boards);
    struct batch_stats stats;
    batch_get_stats(options->batch, &stats);
    batch_get_boards(options->batch, boards);
    uint64_t now = clock_now_ns();
    buf_printf(out, "{\"in_service\":%u,\"boards\":[", stats.boards_ready);
    for (uint32_t b = 0; b < options->n_boards; b++) {
        buf_puts(out, b ? "," : "");
        write_board(out, &boards[b], now);
    }
    buf_puts(out, "]}");
    mem_free(boards);
    return STATUS_OK;
}

static enum serve_progress start(struct serve_call *call)
{
    call->status = write_all(call, &call->err);
    return SERVE_DONE;
}

const struct http_endpoint http_boards = {.method = {.start = start, .immediate = true}, .admin = true};
