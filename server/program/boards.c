/* The boards, their scheduler, and faults on purpose. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/program/program.h"

enum { TYPICAL_TEXTS = 32 /* of a request that is not small: what the queue is made for */ };
enum { PROBE_SECONDS = 10 /* an idle board is tested so often: else its next task would find that it is dead */ };

/* What the scheduler has to tell. */
static void on_event(void *cookie, const struct batch_event *event)
{
    (void)cookie;
    static const struct {
        enum log_level level;
        const char *message;
    } words[] = {
        [BATCH_BOARD_OUT] = {LOG_WARN, "board out of service"},
        [BATCH_TEST_FAILED] = {LOG_WARN, "board failed its test"},
        [BATCH_BOARD_BACK] = {LOG_INFO, "board back in service"},
        [BATCH_IMAGE_DAMAGED] = {LOG_ERROR, "no board in service: the model in memory is damaged"},
        [BATCH_IMAGE_REPAIRED] = {LOG_WARN, "model in memory repaired"},
        [BATCH_IMAGE_LOST] = {LOG_ERROR, "model in memory not repaired"},
        [BATCH_FAULT] = {LOG_WARN, "fault injected"},
    };
    const struct log_field fields[] = {
        log_str("board", event->board), log_str("reason", event->words), {NULL, LOG_END, {0}}};
    log_write(words[event->kind].level, words[event->kind].message, fields);
}

static enum status rebuild(void *cookie, struct image **ret, struct error *err)
{
    const struct program *program = cookie;
    return model_load_image(ret, program->model_dir, &program->info, program->image->precision,
                            &program->image->sections, err);
}

static enum status read_faults(struct program *program, uint32_t n_boards, struct error *err)
{
    const char *path = program->config.fault_file;
    struct file_map file = {0};
    if (!path)
        return STATUS_OK;
    enum status status = file_map(&file, path, err);
    if (status == STATUS_OK) {
        status = faults_read_schedule(&program->schedule, (const char *)file.data, file.size, n_boards, err);
        if (status != STATUS_OK)
            error_prefix(err, status, "%s: ", path);
    }
    file_unmap(&file);
    return status == STATUS_OK ? STATUS_OK : error_prefix(err, STATUS_USAGE, "--fault-file: ");
}

static enum status open_board(struct program *program, const struct config_board *named, uint32_t unit,
                              struct error *err)
{
    const struct config *config = &program->config;
    struct board_options options = {.kind = named->kind,
                                    .index = program->n_boards,
                                    .no_verify = !config->verify,
                                    .patience = (uint32_t)config->timeout_scale,
                                    .card = named->card,
                                    .unit = unit,
                                    .xclbin = config->xclbin,
                                    .xrt_host = config->xrt_host};
    struct board *board = NULL;
    if (program->n_boards == PROGRAM_BOARDS)
        return error_set(err, STATUS_USAGE, "more than %d boards", PROGRAM_BOARDS);
    enum status status = board_open(&board, &options, err);
    if (status != STATUS_OK)
        return named->card[0] ? error_prefix(err, status, "--board xrt:%s: ", named->card) : status;
    program->boards[program->n_boards++] = board;
    status = board_selftest(board, err);
    if (status != STATUS_OK)
        return error_prefix(err, status, "board %s: ", board_name(board));
    return STATUS_OK;
}

/* All compute units of a card, or as many as are asked for. */
static enum status open_boards(struct program *program, const struct config_board *named, struct error *err)
{
    const struct config *config = &program->config;
    uint64_t begin = clock_now_ns();
    uint32_t first = program->n_boards, n = config->boards ? (uint32_t)config->boards : program->cores;
    for (uint32_t unit = 0; unit < n; unit++) {
        enum status status = open_board(program, named, unit, err);
        if (status != STATUS_OK)
            return status;
        if (named->card[0])
            n = board_siblings(program->boards[first]);
    }
    log_info("boards ready", log_str("kind", named->kind), log_int("boards", n),
             log_str("instruction_set", board_instruction_set(program->boards[first])),
             log_int("cores", program->cores), log_real("seconds", program_seconds_since(begin)));
    return STATUS_OK;
}

enum status program_start_boards(struct program *program, struct error *err)
{
    const struct config *config = &program->config;
    program->boards = mem_calloc(PROGRAM_BOARDS, sizeof(struct board *));
    if (!program->boards)
        return error_set(err, STATUS_NO_MEMORY, "no memory for boards");
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < config->board.n && status == STATUS_OK; i++)
        status = open_boards(program, &config->board.list[i], err);
    uint32_t n = program->n_boards;
    if (status == STATUS_OK)
        status = read_faults(program, n, err);
    if (status != STATUS_OK)
        return status;
    static const enum batch_placement placements[] = {BATCH_AUTO, BATCH_REPLICATE, BATCH_PIPELINE, BATCH_SPLIT,
                                                      BATCH_TENSOR};
    uint64_t texts = config->max_client_batch_size < TYPICAL_TEXTS ? config->max_client_batch_size : TYPICAL_TEXTS;
    uint64_t queued = config->max_concurrent_requests * texts;
    struct batch_options options = {.image = program->image,
                                    .boards = program->boards,
                                    .n_boards = n,
                                    .max_tokens = (uint32_t)config->max_batch_tokens,
                                    .max_sequences = (uint32_t)config->max_batch_requests,
                                    .placement = placements[config->placement],
                                    .scrub_interval_ns = config->scrub_interval * 1000000000u,
                                    .timeout_scale = (double)config->timeout_scale,
                                    .probe_interval_ns = PROBE_SECONDS * 1000000000ull,
                                    .on_event = on_event,
                                    .rebuild = rebuild,
                                    .cookie = program,
                                    .max_queued_items = queued < UINT32_MAX ? (uint32_t)queued : UINT32_MAX};
    return batch_create(&program->batch, &options, err);
}

static void on_fault_refused(void *cookie, const char *reason)
{
    (void)cookie;
    log_error("fault not injected", log_str("reason", reason));
}

enum status program_start_faults(struct program *program, struct error *err)
{
    if (program->schedule.n == 0)
        return STATUS_OK;
    log_warn("faults are injected by a schedule", log_str("path", program->config.fault_file),
             log_int("faults", program->schedule.n));
    return faults_start(&program->faults, program->batch, &program->schedule, on_fault_refused, NULL, err);
}
