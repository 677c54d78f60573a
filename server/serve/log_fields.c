#include "server/serve/log_fields.h"

#include "server/serve/access.h"

void serve_add_call_fields(struct log_field *fields, const struct serve_call *call, struct serve_call_words *words)
{
    if (!call)
        return;
    while (fields->kind != LOG_END)
        fields++;
    const char *key = serve_access_name(call);
    trace_write_ids(&call->trace, words->trace_id, words->span_id);
    *fields++ = log_str("trace_id", words->trace_id);
    *fields++ = log_str("span_id", words->span_id);
    if (key)
        *fields++ = log_str("key", key);
    *fields = (struct log_field){NULL, LOG_END, {0}};
}
