/* bertd: options, the model, the boards, the scheduler, the HTTP server; then wait for a signal and drain. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "accel/board.h"
#include "accel/cpu/cpu_flags.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/batch/batch.h"
#include "server/config/config.h"
#include "server/faults/faults.h"
#include "server/http/http.h"
#include "server/model/model.h"
#include "server/serve/serve.h"
#include "server/token/token.h"

enum { TYPICAL_TEXTS = 32 /* of a request that is not small: what the queue is made for */ };
enum { PROBE_SECONDS = 10 /* an idle board is tested so often: else its next task would find that it is dead */ };
enum { FINISH_SECONDS = 10, LAST_RESORT_SECONDS = 30, LOG_MS = 1000, SPARE_FILES = 64 };

/* All that is to be ended, in the order it was begun. */
struct program {
    struct config config;
    char model_dir[4096];
    char *key; /* from --api-key-file */
    int listen_fd;
    uint16_t port;
    struct token_vocab *vocab;
    struct model_info info;
    uint32_t max_input_length;
    struct image *image;
    struct board **boards;
    uint32_t n_boards;
    uint32_t cores;
    struct batch *batch;
    struct faults_schedule schedule;
    struct faults_runner *faults;
    struct metrics_registry *metrics;
    struct serve_server *serve;
    struct http_server *http;
};

static const char *get_env(const char *name)
{
    return getenv(name);
}

static double seconds_since(uint64_t begin)
{
    return (double)(clock_now_ns() - begin) * 1e-9;
}

static int print_help(void)
{
    struct buf text = {0};
    config_write_help(&text);
    bool written = !text.failed && fwrite(text.data, 1, text.len, stdout) == text.len;
    buf_finish(&text);
    return !written;
}

static int check(const struct config *config)
{
    struct error err;
    if (http_check(config->hostname, (uint16_t)config->port, &err) == STATUS_OK)
        return 0;
    fprintf(stderr, "bertd: %s\n", err.message);
    return 1;
}

/* A descriptor below 3 that is closed would become a socket, and what is printed would go to it. */
static void hold_standard_files(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            _exit(1);
    }
}

static enum status check_mask(struct error *err)
{
    const char *text = getenv("BERTD_CPU_MASK");
    unsigned mask;
    if (!text || !*text || cpu_flags_parse(text, &mask))
        return STATUS_OK;
    return error_set(err, STATUS_USAGE,
                     "BERTD_CPU_MASK in the environment: \"%s\" is not one of c, avx2, avxvnni, avx512vnni", text);
}

/* Every connection is a file: take what the system allows. */
static void raise_file_limit(const struct config *config)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur != RLIM_INFINITY && config->max_connections + SPARE_FILES > limit.rlim_cur)
        log_warn("fewer files may be open than --max-connections needs", log_int("files", (int64_t)limit.rlim_cur),
                 log_int("max_connections", (int64_t)config->max_connections));
}

static void warn_of_variables(void)
{
    char name[128];
    const char *suggestion;
    for (char **entry = environ; *entry; entry++) {
        if (config_is_unknown_variable(*entry, name, sizeof name, &suggestion))
            log_warn("unknown variable in the environment: it has no effect", log_str("variable", name),
                     log_str("did_you_mean", suggestion));
    }
}

static void warn_of_model(const struct program *program)
{
    const struct config *config = &program->config;
    const struct model_info *info = &program->info;
    const char *note = token_vocab_note(program->vocab);
    if (note)
        log_warn(note, log_str("path", program->model_dir));
    if (info->lowercase && !token_vocab_lowercases(program->vocab))
        log_warn("sentence_bert_config.json has do_lower_case true, the tokenizer keeps the case, which counts",
                 log_str("path", program->model_dir));
    if (config->pooling == CONFIG_POOL_MODEL && !info->pooling_known)
        log_warn("the model directory names no pooling; using cls (see --pooling)");
    if (!config->default_prompt && !config->default_prompt_name && info->default_prompt_name[0])
        log_warn("the model's default prompt goes before inputs whose request names none (see --default-prompt-name)",
                 log_str("default_prompt_name", info->default_prompt_name));
}

static void warn_of_settings(const struct program *program)
{
    const struct config *config = &program->config;
    for (uint32_t i = 0; i < config->n_notes; i++)
        log_warn(config->notes[i]);
    warn_of_variables();
    bool local = strncmp(config->hostname, "127.", 4) == 0 || strcmp(config->hostname, "::1") == 0 ||
                 strcmp(config->hostname, "localhost") == 0;
    if (!local && !config->api_key)
        log_warn("anyone who reaches this address may use the server: there is no --api-key",
                 log_str("hostname", config->hostname));
    if (config->enable_fault_injection)
        log_warn("faults are injected on request: whoever may call the server may make its boards fail");
    warn_of_model(program);
}

/* The option, else what the model directory says. */
static const char *default_prompt_name(const struct program *program)
{
    const struct config *config = &program->config;
    const char *models_own = program->info.default_prompt_name;
    if (config->default_prompt_name || config->default_prompt || !models_own[0])
        return config->default_prompt_name;
    return models_own;
}

static enum status settle_length(struct program *program, struct error *err)
{
    const struct config *config = &program->config;
    uint32_t most = program->info.shape.positions;
    uint64_t length = config->max_input_length ? config->max_input_length : program->info.max_seq_length;
    if (most > IMAGE_MAX_SEQUENCE)
        most = IMAGE_MAX_SEQUENCE;
    if (config->max_input_length > most)
        return error_set(err, STATUS_USAGE,
                         "--max-input-length %llu is more than the %u tokens that this model and its "
                         "boards take",
                         (unsigned long long)length, most);
    if (length > most)
        length = most;
    if (length < 3)
        return error_set(err, STATUS_USAGE,
                         "%s: the longest input is %llu tokens; it must be at least 3: [CLS], a token, [SEP] (see "
                         "--max-input-length)",
                         config->max_input_length ? "--max-input-length" : program->model_dir,
                         (unsigned long long)length);
    if (length > config->max_batch_tokens)
        return error_set(err, STATUS_USAGE, "--max-batch-tokens %llu is less than an input may have: %llu tokens",
                         (unsigned long long)config->max_batch_tokens, (unsigned long long)length);
    program->max_input_length = (uint32_t)length;
    return STATUS_OK;
}

static enum status load_model(struct program *program, struct error *err)
{
    struct config *config = &program->config;
    uint64_t begin = clock_now_ns();
    enum status status =
        config_find_model(program->model_dir, sizeof program->model_dir, config->model_id, get_env, err);
    if (status == STATUS_OK)
        status = model_read_info(&program->info, program->model_dir, config->pooling != CONFIG_POOL_MODEL, err);
    if (status == STATUS_OK)
        status = settle_length(program, err);
    if (status == STATUS_OK)
        status = token_vocab_load(&program->vocab, program->model_dir, err);
    if (status == STATUS_OK && token_vocab_size(program->vocab) > program->info.shape.vocab)
        status = error_set(err, STATUS_FORMAT, "%s: the tokenizer has %u entries, the model %u", program->model_dir,
                           token_vocab_size(program->vocab), program->info.shape.vocab);
    enum image_precision precision = config->dtype == CONFIG_FLOAT32 ? IMAGE_FP32 : IMAGE_INT8;
    if (status == STATUS_OK)
        status = model_load_image(&program->image, program->model_dir, &program->info, precision,
                                  board_sections(config_board_kind(config)), err);
    if (status != STATUS_OK)
        return status;
    log_info("model loaded", log_str("path", program->model_dir), log_int("layers", program->info.shape.layers),
             log_int("hidden", program->info.shape.hidden), log_str("checkpoint", program->info.checkpoint_dtype),
             log_int("bytes", (int64_t)program->image->size), log_int("max_input_length", program->max_input_length),
             log_real("seconds", seconds_since(begin)));
    return STATUS_OK;
}

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

static void on_fault_refused(void *cookie, const char *reason)
{
    (void)cookie;
    log_error("fault not injected", log_str("reason", reason));
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

static enum status open_board(struct program *program, struct error *err)
{
    struct board_options options = {
        .kind = config_board_kind(&program->config), .index = program->n_boards, .no_verify = !program->config.verify};
    struct board *board = NULL;
    enum status status = board_open(&board, &options, err);
    if (status != STATUS_OK)
        return status;
    program->boards[program->n_boards++] = board;
    status = board_selftest(board, err);
    if (status != STATUS_OK)
        return error_prefix(err, status, "board %s: ", board_name(board));
    return STATUS_OK;
}

static enum status start_boards(struct program *program, struct error *err)
{
    const struct config *config = &program->config;
    uint64_t begin = clock_now_ns();
    uint32_t n = config->boards ? (uint32_t)config->boards : program->cores;
    enum status read = read_faults(program, n, err);
    if (read != STATUS_OK)
        return read;
    program->boards = mem_calloc(n, sizeof(struct board *));
    if (!program->boards)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u boards", n);
    while (program->n_boards < n) {
        enum status status = open_board(program, err);
        if (status != STATUS_OK)
            return status;
    }
    log_info("boards ready", log_str("kind", config_board_kind(config)), log_int("boards", n),
             log_str("instruction_set", board_instruction_set(program->boards[0])), log_int("cores", program->cores),
             log_real("seconds", seconds_since(begin)));
    static const enum batch_placement placements[] = {BATCH_AUTO, BATCH_REPLICATE, BATCH_PIPELINE, BATCH_SPLIT};
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

static enum batch_pooling pooling_of(const struct program *program)
{
    static const enum batch_pooling poolings[] = {BATCH_POOL_CLS, BATCH_POOL_MEAN, BATCH_POOL_MAX};
    int pooling = program->config.pooling;
    return poolings[pooling == CONFIG_POOL_MODEL ? (int)program->info.pooling : pooling - CONFIG_POOL_CLS];
}

static enum status start_server(struct program *program, struct error *err)
{
    const struct config *config = &program->config;
    program->metrics = metrics_registry_create();
    if (!program->metrics)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the metrics");
    struct serve_options options = {
        .model_dir = program->model_dir,
        .model_id = config->model_id,
        .served_model_name = config->served_model_name ? config->served_model_name : config->model_id,
        .model_dtype = config->dtype == CONFIG_FLOAT32 ? "float32" : "int8",
        .compute_type = board_compute_type(program->boards[0]),
        .instruction_set = board_instruction_set(program->boards[0]),
        .version = CONFIG_VERSION,
        .vocab = program->vocab,
        .batch = program->batch,
        .n_boards = program->n_boards,
        .inject_faults = config->enable_fault_injection,
        .width = program->info.shape.hidden,
        .pooling = pooling_of(program),
        .unpooled_prompt = !program->info.include_prompt,
        .max_input_length = program->max_input_length,
        .auto_truncate = config->auto_truncate,
        .auto_chunk = config->auto_chunk,
        .chunk_overlap = (uint32_t)config->chunk_overlap,
        .max_chunks = (uint32_t)config->max_chunks,
        .default_prompt = config->default_prompt,
        .default_prompt_name = default_prompt_name(program),
        .max_concurrent_requests = (uint32_t)config->max_concurrent_requests,
        .max_client_batch_size = (uint32_t)config->max_client_batch_size,
        .max_batch_tokens = (uint32_t)config->max_batch_tokens,
        .max_batch_requests = (uint32_t)config->max_batch_requests,
        .max_memory = config->max_memory,
        .cache_bytes = config->cache_bytes,
        .cache_shared = config->cache_shared,
        .request_timeout_ms = (uint32_t)config->request_timeout,
        .workers = config->tokenization_workers ? (uint32_t)config->tokenization_workers : program->cores,
        .metrics = program->metrics,
    };
    enum status status = serve_server_create(&program->serve, &options, err);
    if (status != STATUS_OK)
        return status;
    struct http_options http = {
        .payload_limit = config->payload_limit,
        .max_connections = (uint32_t)config->max_connections,
        .max_connections_per_ip = (uint32_t)config->max_connections_per_ip,
        .idle_timeout_s = (uint32_t)config->idle_timeout,
        .api_key = config->api_key,
        .cors_allow_origin = config->cors_allow_origin,
        .cores = program->cores,
    };
    return http_server_create(&program->http, program->serve, &http, program->listen_fd, err);
}

static enum status start(struct program *program, const sigset_t *signals, struct error *err)
{
    struct config *config = &program->config;
    enum status status = STATUS_OK;
    if (config->api_key_file) {
        status = config_read_key(&program->key, config->api_key_file, err);
        config->api_key = program->key;
    }
    if (status == STATUS_OK)
        status = http_listen(&program->listen_fd, &program->port, config->hostname, (uint16_t)config->port, err);
    if (status == STATUS_OK)
        status = load_model(program, err);
    if (status != STATUS_OK)
        return status;
    warn_of_settings(program);
    pthread_sigmask(SIG_BLOCK, signals, NULL); /* from here on there are threads, and signals are waited for */
    status = start_boards(program, err);
    if (status == STATUS_OK)
        status = start_server(program, err);
    if (status == STATUS_OK && program->schedule.n > 0) {
        log_warn("faults are injected by a schedule", log_str("path", config->fault_file),
                 log_int("faults", program->schedule.n));
        status = faults_start(&program->faults, program->batch, &program->schedule, on_fault_refused, NULL, err);
    }
    return status;
}

/* True when another signal came before the time was over. */
static bool wait_signal(const sigset_t *signals, double seconds)
{
    struct timespec timeout = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    int signal;
    do
        signal = sigtimedwait(signals, NULL, &timeout);
    while (signal < 0 && errno == EINTR);
    return signal > 0;
}

static void serve_until_signal(struct program *program, const sigset_t *signals)
{
    int signal = 0;
    sigwait(signals, &signal);
    log_info("draining", log_int("signal", signal), log_int("seconds", (int64_t)program->config.drain_seconds));
    serve_server_drain(program->serve);
    bool hurry = wait_signal(signals, (double)program->config.drain_seconds);
    http_server_quiesce(program->http);
    serve_server_close(program->serve, hurry);
    uint64_t begin = clock_now_ns();
    while (!hurry && http_server_active(program->http) > 0 && seconds_since(begin) < FINISH_SECONDS)
        hurry = wait_signal(signals, 0.01);
    log_info("stopping", log_int("unfinished_requests", http_server_active(program->http)));
}

static void finish(struct program *program)
{
    alarm(LAST_RESORT_SECONDS); /* a board that never answers must not keep the process */
    faults_stop(&program->faults);
    faults_schedule_finish(&program->schedule);
    http_server_destroy(&program->http);
    serve_server_destroy(&program->serve);
    if (program->batch)
        batch_destroy(&program->batch, false);
    else
        while (program->n_boards > 0)
            board_close(&program->boards[--program->n_boards]);
    metrics_registry_destroy(&program->metrics);
    mem_free(program->boards);
    image_release(&program->image);
    token_vocab_destroy(&program->vocab);
    mem_free(program->key);
}

int main(int argc, char **argv)
{
    static struct program program = {.listen_fd = -1};
    struct config *config = &program.config;
    struct error err;
    hold_standard_files();
    mem_return_large_blocks();
    if (config_read(config, argc, argv, get_env, &err) != STATUS_OK ||
        (config->action == CONFIG_SERVE && check_mask(&err) != STATUS_OK)) {
        fprintf(stderr, "bertd: %s\n", err.message);
        return 2;
    }
    if (config->action == CONFIG_HELP)
        return print_help();
    if (config->action == CONFIG_SHOW_VERSION)
        return puts("bertd " CONFIG_VERSION) < 0;
    if (config->action == CONFIG_CHECK)
        return check(config);
    log_init((enum log_level)config->log_level, config->json_output ? LOG_JSON : LOG_AUTO);
    if (log_start(&err) != STATUS_OK)
        log_warn("whoever logs waits for stderr", log_str("error", err.message));
    log_info("starting", log_str("version", CONFIG_VERSION), log_str("model", config->model_id));
    raise_file_limit(config);
    program.cores = config_count_cores();
    signal(SIGPIPE, SIG_IGN);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    enum status status = start(&program, &signals, &err);
    if (status == STATUS_OK) {
        log_info("listening", log_str("hostname", config->hostname), log_int("port", program.port),
                 log_str("libmicrohttpd", http_library_version()));
        serve_until_signal(&program, &signals);
    } else {
        log_error("cannot start", log_str("status", status_name(status)), log_str("error", err.message));
    }
    finish(&program);
    log_stop(LOG_MS);
    return status == STATUS_OK ? 0 : status == STATUS_USAGE ? 2 : 1;
}
