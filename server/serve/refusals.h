/* Log lines about refused requests: one each, but so few a second that a flood of them does not fill the log. */
#ifndef BERTD_SERVE_REFUSALS_H
#define BERTD_SERVE_REFUSALS_H

#include <stdint.h>

#include "base/status.h"

struct serve_call;

/* Lines a second and status; what goes beyond is counted in the next one. */
enum { SERVE_REFUSALS_A_SECOND = 10 };

/** Borrowed for the call; NULL: not known. */
struct serve_refusal {
    const char *id;
    const char *route;
    const char *client; /* its address */
    enum status status;
    const char *reason;
    unsigned code;                 /* of the answer; 0: not known */
    const struct serve_call *call; /* for its trace and its key; NULL: it never became one */
};

/** A line at level info. Thread: any. */
void serve_log_refusal(const struct serve_refusal *refusal);
/** Whether a line of this status may be written at this time (any clock, in seconds); if so, `ret_left_out` were not
 *  since the last one. Thread: any. */
int serve_refusals_allow(enum status status, uint64_t second, uint64_t *ret_left_out);

#endif
