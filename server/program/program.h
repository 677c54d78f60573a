/* The program's parts, from options to a running server: the model, the boards with their scheduler, the server. main.c
 * begins them in this order and ends them.
 */
#ifndef BERTD_PROGRAM_PROGRAM_H
#define BERTD_PROGRAM_PROGRAM_H

#include <stdlib.h>

#include "accel/board.h"
#include "base/clock.h"
#include "base/status.h"
#include "server/batch/batch.h"
#include "server/config/config.h"
#include "server/faults/faults.h"
#include "server/http/http.h"
#include "server/model/model.h"
#include "server/net/net.h"
#include "server/rpc/rpc.h"
#include "server/serve/serve.h"
#include "server/token/token.h"

enum {
    PROGRAM_LENT_SOCKETS = 8,
    PROGRAM_LISTENERS = PROGRAM_LENT_SOCKETS + 2,
    PROGRAM_HANDLERS = 2,
    PROGRAM_BOARDS = 1024
};

/** All that is to be ended, in the order it was begun. */
struct program {
    struct config config;
    char model_dir[4096];
    char *key; /* of --api-key or --api-key-file; NULL: none */
    struct net_listener listeners[PROGRAM_LISTENERS];
    uint32_t n_listeners;
    uint16_t port;
    uint16_t admin_port; /* 0: there is none */
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
    struct trace_exporter *traces; /* NULL: no spans are sent */
    struct serve_server *serve;
    struct http_server *http;
    struct rpc_server *rpc;
    struct net_handler handlers[PROGRAM_HANDLERS];
    struct net_tls *tls;    /* NULL: plain */
    struct net_server *net; /* has the listeners' sockets; NULL: not begun */
};

/** Tell the service manager that started this process how it is (sd_notify(3)); nothing where none wants to know. */
void program_notify(const char *state);
/** Its listening sockets, where it gives some (sd_listen_fds(3)), into `listeners`. Errors: USAGE */
enum status program_take_sockets(struct program *program, struct error *err);
/** Take the addresses, so that one that is not free is told of before the model is loaded. Errors: USAGE, IO */
enum status program_listen(struct program *program, struct error *err);

/** Find and read the model: `image`, `vocab`, `info`, `max_input_length`. Errors: USAGE, IO, FORMAT, UNSUPPORTED,
 *  NO_MEMORY; here and below, what was begun stays in `program`. */
enum status program_load_model(struct program *program, struct error *err);
/** Read the key of --api-key-file, or take that of --api-key. Errors: USAGE, IO, NO_MEMORY. */
enum status program_read_key(struct program *program, struct error *err);
/** Read again what SIGHUP is for: the files of keys. Where one is wrong the old keys stay; the log says which and why.
 */
void program_reload(struct program *program);
/** Tell the log of settings that are probably not meant so. */
void program_warn(const struct program *program);
/** Open and test the boards, and start the scheduler. Errors: USAGE (the schedule of faults), BACKEND, NO_MEMORY, ...
 */
enum status program_start_boards(struct program *program, struct error *err);
/** Start the injection of faults, where there is a schedule. Errors: INTERNAL, NO_MEMORY. */
enum status program_start_faults(struct program *program, struct error *err);
/** Start sending spans, where the environment asks for it. Its variables are OpenTelemetry's and may be meant for other
 *  programs: one that is wrong ends nothing but the traces, and the log says so. */
void program_start_traces(struct program *program);
/** Start the request core. Errors: USAGE, IO, FORMAT, INTERNAL, NO_MEMORY. */
enum status program_start_server(struct program *program, struct error *err);

/** Start the transports over the request core. Errors: IO, INTERNAL, NO_MEMORY. */
enum status program_start_transports(struct program *program, struct error *err);
/** End them; the request core cancels what it still does. */
void program_stop_transports(struct program *program);

/** getenv with the type that readers of the environment ask for. */
static inline const char *program_get_env(const char *name)
{
    return getenv(name);
}

/** Seconds since `begin_ns` on clock_now_ns, for the log. */
static inline double program_seconds_since(uint64_t begin_ns)
{
    return (double)(clock_now_ns() - begin_ns) * 1e-9;
}

#endif
