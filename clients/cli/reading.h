/* One reading of a server: what `bertctl status` shows. */
#ifndef CLIENTS_CLI_READING_H
#define CLIENTS_CLI_READING_H

#include <jansson.h>
#include <stdbool.h>

#include "clients/c/bertd.h"

#define CLI_CLASSES 2

struct cli_class {
    double requests; /**< a second */
    double p50;      /**< seconds of a request */
    double p99;
    double queue_items;
    double queue_tokens;
};

struct cli_reading {
    double time;     /**< of cli_now */
    double interval; /**< seconds that rates are of; 0: since the server began */
    char *metrics;   /**< the text; ends with NUL */
    json_t *boards;  /**< the object of /boards */
    bool draining;
    double ready;
    double n_boards;
    double texts; /**< a second */
    double tokens;
    double failed;    /**< requests a second that failed */
    double hit_share; /**< of the cache, 0 to 1; below 0: there is none */
    double active_requests;
    double running_texts;
    double connections;
    double memory_bytes;
    double cpu; /**< cores */
    double up_seconds;
    struct cli_class classes[CLI_CLASSES]; /**< interactive, bulk */
};

/** Read /metrics and /boards.
 *  before   an earlier reading, for rates; NULL: rates since the server began
 *  ret      for cli_reading_finish
 *  Errors   those of bertd_get; SYSTEM where an answer cannot be read */
enum bertd_status cli_reading_take(struct cli_reading *ret, const struct cli_reading *before,
                                   struct bertd_client *client, const struct bertd_call_options *call,
                                   struct bertd_error *error);

/** Free what is in it. All 0 is fine. */
void cli_reading_finish(struct cli_reading *reading);

/** It as JSON, with /boards' own array. New. */
json_t *cli_reading_json(const struct cli_reading *reading);

#endif
