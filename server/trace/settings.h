/* What the environment says of traces: see trace.h. Private to the room. */
#ifndef BERTD_TRACE_SETTINGS_H
#define BERTD_TRACE_SETTINGS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum trace_sampler { TRACE_ALL, TRACE_NONE, TRACE_RATIO };

struct trace_settings {
    char *url;                  /* of the collector; NULL: there is none */
    char *certificate;          /* NULL: the system's */
    char *resource;             /* who sends, JSON */
    struct curl_slist *headers; /* of each request */
    uint32_t timeout_ms;
    uint32_t delay_ms;  /* the oldest span waits at most */
    uint32_t max_queue; /* spans */
    uint32_t max_batch; /* spans of one request */
    enum trace_sampler sampler;
    bool parent_based; /* a caller's decision goes before the sampler */
    double ratio;      /* of TRACE_RATIO */
};

/** Read them. Errors: USAGE, naming the variable but no value of headers; UNSUPPORTED (protocol grpc); NO_MEMORY; then
 *  nothing is left to finish. */
enum status trace_settings_read(struct trace_settings *ret, const char *version, const char *(*get_env)(const char *),
                                struct error *err);
void trace_settings_finish(struct trace_settings *settings);

#endif
