/* Load on a server: requests in a closed or an open loop, and how long each took. */
#ifndef CLIENTS_CLI_LOAD_H
#define CLIENTS_CLI_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "clients/c/bertd.h"
#include "clients/cli/histogram.h"

#define CLI_LOAD_AT_ONCE  10000
#define CLI_LOAD_STATUSES 32

struct cli_load {
    struct bertd_client *client;
    struct bertd_call_options call;
    const char *const *texts; /**< [n_texts + batch]: those behind n_texts are the first again */
    size_t n_texts;
    size_t batch;       /**< texts of one request */
    size_t concurrency; /**< closed loop: requests at once */
    double rate;        /**< open loop: requests a second; 0: closed loop */
    bool constant;      /**< open loop: evenly spaced, else as by chance (Poisson) */
    double warmup;      /**< seconds before what counts */
    double duration;    /**< seconds that count */
    double requests;    /**< end after so many that count; 0: by `duration` alone */
    unsigned long seed;
};

struct cli_load_result {
    struct cli_histogram latency; /**< of requests that succeeded: closed loop from sending, open loop from when it
                                       should have been sent */
    unsigned long failed[CLI_LOAD_STATUSES]; /**< by enum bertd_status */
    unsigned long n_failed;
    struct bertd_error last_error;
    double seconds; /**< from the first that counts to the last answer */
    size_t most_at_once;
    bool stopped; /**< by a signal */
};

/** Make the load. Returns false, with `error`, where it could not begin. */
bool cli_load_run(const struct cli_load *load, struct cli_load_result *result, struct bertd_error *error);

#endif
