/* What is kept of an answer: lines in the log, and spans. */
#ifndef BERTD_SERVE_RECORD_H
#define BERTD_SERVE_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "server/serve/call.h"

/** What a transport knows of an answer. Borrowed for the call. */
struct serve_record {
    const char *route;                        /* "/embed"; "other" where there is none */
    const char *method;                       /* "POST"; NULL: a transport without methods */
    const char *client;                       /* its address, where the call has failed; NULL: not known */
    const char *name;                         /* of the span: "POST /embed" */
    unsigned code;                            /* of the answer, in the transport's terms */
    size_t bytes;                             /* of the answer's body */
    bool probe;                               /* asks for the server's health: a failure refuses nobody anything */
    const struct trace_attribute *attributes; /* [n_attributes], of the span, in the transport's terms */
    uint32_t n_attributes;
};

/** Say that a call has been answered, once, after serve_call_answer and before serve_call_finish: a line at level
 * debug; where it failed also one at info or error; spans where the call's trace is sampled. */
void serve_record(const struct serve_call *call, const struct serve_record *record);

#endif
