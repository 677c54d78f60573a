/* POST /decode: token ids back to text. */
#include "server/http/endpoints.h"
#include "server/http/server.h"
#include "server/wire/request.h"
#include "server/wire/response.h"

static enum status write_input(struct http_call *call, const struct wire_input *input, bool skip_special_tokens,
                               struct error *err)
{
    char *text = NULL;
    size_t len = 0;
    enum status status = token_decode(call->server->options.vocab, input->ids, input->n_ids, skip_special_tokens,
                                      call->arena, &text, &len, err);
    if (status == STATUS_OK)
        status = http_call_reserve(call, 2 * len, err); /* here and in the response */
    if (status == STATUS_OK)
        wire_write_string(&call->reply.body, text, len);
    return status;
}

static enum status start(struct http_call *call, bool *ret_pending, struct error *err)
{
    (void)ret_pending;
    struct http_telemetry *telemetry = &call->server->telemetry;
    struct wire_limits limits = {.max_inputs = call->server->options.max_client_batch_size};
    struct wire_decode decode;
    metrics_counter_add(telemetry->requests[HTTP_DECODE], 1);
    enum status status = wire_decode_read(&decode, call->body, call->body_len, &limits, call->arena, err);
    if (status != STATUS_OK)
        return status;
    buf_append(&call->reply.body, "[", 1);
    for (uint32_t i = 0; i < decode.inputs.n; i++) {
        if (i > 0)
            buf_append(&call->reply.body, ",", 1);
        status = write_input(call, &decode.inputs.items[i], decode.skip_special_tokens, err);
        if (status != STATUS_OK)
            return status;
    }
    buf_append(&call->reply.body, "]", 1);
    metrics_counter_add(telemetry->successes[HTTP_DECODE], 1);
    return STATUS_OK;
}

const struct http_endpoint http_decode = {.start = start};
