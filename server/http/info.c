/* GET /info: the model and the limits. */
#include "server/http/endpoints.h"
#include "server/http/http.h"
#include "server/net/net.h"
#include "server/serve/serve.h"
#include "server/wire/response.h"

static const char *pooling_name(enum batch_pooling pooling)
{
    static const char *const names[] = {"cls", "mean", "max", "none"};
    return names[pooling];
}

static void write_text(struct buf *out, const char *key, const char *value)
{
    buf_printf(out, "\"%s\":", key);
    wire_write_text(out, value);
    buf_puts(out, ",");
}

static enum serve_progress start(struct serve_call *call)
{
    const struct serve_options *options = serve_server_options(call->server);
    struct buf *out = &call->reply;
    buf_puts(out, "{");
    write_text(out, "model_id", options->model_id);
    write_text(out, "model_sha", NULL);
    write_text(out, "model_dtype", options->model_dtype);
    write_text(out, "served_model_name", options->served_model_name);
    buf_printf(out, "\"model_type\":{\"embedding\":{\"pooling\":\"%s\"}},", pooling_name(options->pooling));
    buf_printf(out, "\"max_concurrent_requests\":%u,\"max_input_length\":%u,\"max_batch_tokens\":%u,",
               options->max_concurrent_requests, options->max_input_length, options->max_batch_tokens);
    if (options->max_batch_requests)
        buf_printf(out, "\"max_batch_requests\":%u,", options->max_batch_requests);
    else
        buf_puts(out, "\"max_batch_requests\":null,");
    buf_printf(out, "\"max_client_batch_size\":%u,\"auto_truncate\":%s,\"tokenization_workers\":%u,",
               options->max_client_batch_size, options->auto_truncate ? "true" : "false", options->workers);
    buf_printf(out, "\"auto_chunk\":%s,\"chunk_overlap\":%u,\"max_chunks\":%u,", options->auto_chunk ? "true" : "false",
               options->chunk_overlap, options->max_chunks);
    write_text(out, "compute_type", options->compute_type);
    write_text(out, "instruction_set", options->instruction_set);
    write_text(out, "libmicrohttpd", net_library_version());
    buf_printf(out, "\"boards\":%u,\"version\":\"%s\"}", options->n_boards, options->version);
    return SERVE_DONE;
}

const struct http_endpoint http_info = {.method = {.start = start, .immediate = true}};
