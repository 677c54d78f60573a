/* What every line of the log about a call says of it. */
#ifndef BERTD_SERVE_LOG_FIELDS_H
#define BERTD_SERVE_LOG_FIELDS_H

#include "base/log.h"
#include "server/serve/call.h"

enum { SERVE_CALL_FIELDS = 3 };

struct serve_call_words {
    char trace_id[TRACE_ID_SIZE];
    char span_id[TRACE_SPAN_ID_SIZE];
};

/** Add trace_id, span_id and key (where there is one) to `fields`, which end with LOG_END and have room for
 *  SERVE_CALL_FIELDS more. `words` holds their text. `call` NULL: none. */
void serve_add_call_fields(struct log_field *fields, const struct serve_call *call, struct serve_call_words *words);

#endif
