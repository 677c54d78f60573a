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

#include "accel/cpu/cpu_flags.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/http/http.h"
#include "server/net/net.h"
#include "server/program/program.h"

/* From when nobody is accepted any more: who is silent is waited for; requests are begun; what runs is answered. */
enum { SILENT_SECONDS = 1, BEGIN_SECONDS = 5, FINISH_SECONDS = 10 };
enum { LAST_RESORT_SECONDS = 30, LOG_MS = 1000, SPARE_FILES = 64 };

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
    bool admin = config->admin_port != CONFIG_NONE && config->admin_port != 0;
    if (http_check(admin ? config->admin_hostname : config->hostname,
                   (uint16_t)(admin ? config->admin_port : config->port), config->tls_cert && !admin,
                   &err) == STATUS_OK)
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
    return error_set(err, STATUS_USAGE, "BERTD_CPU_MASK in the environment: \"%s\" is not one of " CPU_SET_NAMES, text);
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

/* It means "read again" as soon as there is something to read again; before, it waits. */
static void block_hangup(void)
{
    sigset_t hangup;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &hangup, NULL);
}

static enum status start(struct program *program, const sigset_t *signals, struct error *err)
{
    enum status status = program_read_key(program, err);
    if (status == STATUS_OK)
        status = program_listen(program, err);
    if (status == STATUS_OK)
        status = program_load_model(program, err);
    if (status != STATUS_OK)
        return status;
    program_warn(program);
    pthread_sigmask(SIG_BLOCK, signals, NULL); /* from here on there are threads, and signals are waited for */
    status = program_start_boards(program, err);
    if (cpu_flags_refused())
        log_warn("the system refuses the tiles of AMX: boards use AVX-512 VNNI",
                 log_str("error", strerror(cpu_flags_refused())));
    program_start_traces(program);
    if (status == STATUS_OK)
        status = program_start_server(program, err);
    if (status == STATUS_OK)
        status = program_start_transports(program, err);
    if (status == STATUS_OK)
        status = program_start_faults(program, err);
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

static void reload(struct program *program)
{
    char state[64];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(clock_now_ns() / 1000));
    program_notify(state);
    program_reload(program);
    program_notify("READY=1");
}

/* Who was accepted may ask, and is served. */
static bool may_ask(const struct program *program, double seconds)
{
    uint32_t newcomers = net_server_newcomers(program->net, seconds < SILENT_SECONDS);
    return seconds < BEGIN_SECONDS && (newcomers > 0 || net_server_active(program->net) > 0);
}

static void finish_requests(struct program *program, const sigset_t *signals, bool hurry)
{
    uint64_t begin = clock_now_ns();
    net_server_quiesce(program->net);
    while (!hurry && may_ask(program, program_seconds_since(begin)))
        hurry = wait_signal(signals, 0.01);
    serve_server_close(program->serve, hurry);
    while (!hurry && net_server_active(program->net) > 0 && program_seconds_since(begin) < FINISH_SECONDS)
        hurry = wait_signal(signals, 0.01);
}

static void serve_until_signal(struct program *program, const sigset_t *signals)
{
    int signal = 0;
    sigset_t with_hangup = *signals; /* which has been blocked since the start */
    sigaddset(&with_hangup, SIGHUP);
    while (sigwait(&with_hangup, &signal) == 0 && signal == SIGHUP)
        reload(program);
    program_notify("STOPPING=1");
    log_info("draining", log_int("signal", signal), log_int("seconds", (int64_t)program->config.drain_seconds));
    serve_server_drain(program->serve);
    net_server_drain(program->net);
    finish_requests(program, signals, wait_signal(signals, (double)program->config.drain_seconds));
    log_info("stopping", log_int("unfinished_requests", net_server_active(program->net)));
}

static void finish(struct program *program)
{
    alarm(LAST_RESORT_SECONDS); /* a board that never answers must not keep the process */
    faults_stop(&program->faults);
    faults_schedule_finish(&program->schedule);
    program_stop_transports(program);
    serve_server_destroy(&program->serve);
    if (program->batch)
        batch_destroy(&program->batch, false);
    else
        while (program->n_boards > 0)
            board_close(&program->boards[--program->n_boards]);
    trace_exporter_destroy(&program->traces);
    metrics_registry_destroy(&program->metrics);
    mem_free(program->boards);
    image_release(&program->image);
    token_vocab_destroy(&program->vocab);
    mem_free(program->key);
}

/* The line `listening` is the last one: who waits for it has the others. */
static void log_listeners(const struct program *program)
{
    const struct config *config = &program->config;
    bool lent = program->listeners[0].lent;
    if (program->admin_port)
        log_info("admin listener", log_str("hostname", config->admin_hostname), log_int("port", program->admin_port));
    if (config->unix_socket)
        log_info("unix socket", log_str("path", config->unix_socket));
    log_info("listening", log_str("hostname", lent ? "of the service manager" : config->hostname),
             log_int("port", program->port), log_bool("tls", program->tls != NULL),
             log_str("libmicrohttpd", net_library_version()));
}

int main(int argc, char **argv)
{
    static struct program program = {0};
    struct config *config = &program.config;
    struct error err;
    hold_standard_files();
    mem_return_large_blocks();
    if (config_read(config, argc, argv, program_get_env, &err) != STATUS_OK ||
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
    block_hangup();
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    enum status status = start(&program, &signals, &err);
    if (status == STATUS_OK) {
        log_listeners(&program);
        program_notify("READY=1");
        serve_until_signal(&program, &signals);
    } else {
        log_error("cannot start", log_str("status", status_name(status)), log_str("error", err.message));
    }
    finish(&program);
    log_stop(LOG_MS);
    return status == STATUS_OK ? 0 : status == STATUS_USAGE ? 2 : 1;
}
