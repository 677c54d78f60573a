/* bertd.v1.Boards: each board's state, work and last error. */
#include "base/clock.h"
#include "base/mem.h"
#include "bertd.pb-c.h"
#include "server/rpc/services.h"
#include "server/serve/serve.h"

enum { STANDARD_MS = 1000, LEAST_MS = 100, MOST_MS = 3600000 };

/* A board's message and what it points to. */
struct row {
    Bertd__V1__Board board;
    Bertd__V1__BoardError error;
};

/* What `info` holds is borrowed. */
static void fill_row(struct row *row, const struct batch_board_info *info, uint64_t now_ns)
{
    const struct board_stats *stats = &info->stats;
    Bertd__V1__Board *board = &row->board;
    bertd__v1__board__init(board);
    board->name = (char *)(uintptr_t)info->name;
    board->kind = (char *)(uintptr_t)info->kind;
    board->state = (char *)(uintptr_t)info->state;
    board->layer_begin = info->layer_begin;
    board->layer_end = info->layer_end;
    board->tasks_done = stats->tasks_done;
    board->tasks_failed = stats->tasks_failed;
    board->tasks_cancelled = stats->tasks_cancelled;
    board->queued = stats->queued;
    board->layers = stats->layers;
    board->rows = stats->rows;
    board->flights = info->flights;
    board->splits = info->splits;
    board->busy_seconds = (double)stats->busy_ns * 1e-9;
    board->busy_share = info->busy_share;
    board->quarantines = info->quarantined;
    board->readmissions = info->readmitted;
    board->faults_injected = info->faults;
    if (stats->has_temperature) {
        board->has_temperature_case = BERTD__V1__BOARD__HAS_TEMPERATURE_TEMPERATURE;
        board->temperature = (float)stats->temperature;
    }
    if (info->last_error[0]) {
        bertd__v1__board_error__init(&row->error);
        row->error.message = (char *)(uintptr_t)info->last_error;
        row->error.seconds_ago = now_ns > info->last_error_ns ? (double)(now_ns - info->last_error_ns) * 1e-9 : 0;
        board->has_last_error_case = BERTD__V1__BOARD__HAS_LAST_ERROR_LAST_ERROR;
        board->last_error = &row->error;
    }
}

static void write_boards(const struct serve_options *options, struct batch_board_info *infos, struct row *rows,
                         Bertd__V1__Board **list, enum rpc_codec codec, struct buf *out)
{
    Bertd__V1__ListBoardsResponse response = BERTD__V1__LIST_BOARDS_RESPONSE__INIT;
    struct batch_stats stats;
    batch_get_stats(options->batch, &stats);
    batch_get_boards(options->batch, infos);
    uint64_t now_ns = clock_now_ns();
    for (uint32_t b = 0; b < options->n_boards; b++) {
        fill_row(&rows[b], &infos[b], now_ns);
        list[b] = &rows[b].board;
    }
    response.in_service = stats.boards_ready;
    response.boards = list;
    response.n_boards = options->n_boards;
    rpc_encode(out, codec, &response.base);
}

static enum status write_all(struct serve_server *server, enum rpc_codec codec, struct buf *out, struct error *err)
{
    const struct serve_options *options = serve_server_options(server);
    struct batch_board_info *infos = mem_calloc(options->n_boards, sizeof *infos);
    struct row *rows = mem_calloc(options->n_boards, sizeof *rows);
    Bertd__V1__Board **list = mem_calloc(options->n_boards, sizeof *list);
    enum status status = STATUS_OK;
    if (infos && rows && list)
        write_boards(options, infos, rows, list, codec, out);
    else
        status = error_set(err, STATUS_NO_MEMORY, "no memory for %u boards", options->n_boards);
    mem_free(infos);
    mem_free(rows);
    mem_free(list);
    return status;
}

static enum serve_progress start_list(struct serve_call *call, const ProtobufCMessage *message)
{
    (void)message;
    call->status = write_all(call->server, rpc_calls_codec(call), &call->reply, &call->err);
    return SERVE_DONE;
}

const struct rpc_action rpc_boards_list = {.start = start_list, .immediate = true};

static enum status begin(struct rpc_watching *watching, const ProtobufCMessage *message, struct error *err)
{
    uint32_t interval_ms = ((const Bertd__V1__WatchBoardsRequest *)message)->interval_ms;
    if (interval_ms == 0)
        interval_ms = STANDARD_MS;
    if (interval_ms < LEAST_MS || interval_ms > MOST_MS)
        return error_set(err, STATUS_VALIDATION, "`interval_ms`: expected %d to %d, got %u", LEAST_MS, MOST_MS,
                         interval_ms);
    watching->interval_ns = interval_ms * 1000000ull;
    return STATUS_OK;
}

static bool is_due(const struct rpc_watching *watching)
{
    return clock_now_ns() >= watching->next_ns;
}

static enum status write_now(struct rpc_watching *watching, struct buf *out, struct error *err)
{
    watching->next_ns = clock_now_ns() + watching->interval_ns;
    return write_all(rpc_server_of(watching->stream), rpc_codec_of(watching->stream), out, err);
}

const struct rpc_watch_action rpc_boards_watch = {.begin = begin, .is_due = is_due, .write = write_now};
