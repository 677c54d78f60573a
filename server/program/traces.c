/* Spans for a collector, where the environment names one. */
#include "base/log.h"
#include "server/program/program.h"
#include "server/trace/trace.h"

static void on_change(const char *reason)
{
    if (reason)
        log_warn("spans do not reach the collector", log_str("reason", reason));
    else
        log_info("spans reach the collector again");
}

void program_start_traces(struct program *program)
{
    struct error err;
    if (trace_exporter_create(&program->traces, CONFIG_VERSION, program_get_env, on_change, &err) != STATUS_OK)
        log_warn("no spans are sent", log_str("error", err.message));
    else if (program->traces)
        log_info("spans are sent to a collector");
}
