/* POST /decode: token ids back to text. */
#include "server/http/endpoints.h"
#include "server/http/requests.h"
#include "server/serve/tokens.h"
#include "server/wire/response.h"

static enum status write_text(struct serve_call *call, uint32_t index, const char *text, size_t len, struct error *err)
{
    enum status status = serve_call_reserve(call, 2 * len, err); /* here and in the response */
    if (status != STATUS_OK)
        return status;
    buf_puts(&call->reply, index ? "," : "");
    wire_write_string(&call->reply, text, len);
    return STATUS_OK;
}

static enum status decode(struct serve_call *call, struct error *err)
{
    struct wire_limits limits = http_limits(call);
    struct wire_decode decode;
    struct serve_inputs inputs;
    enum status status = wire_decode_read(&decode, call->request, call->request_len, &limits, call->arena, err);
    if (status == STATUS_OK)
        status = http_map_inputs(call, &decode.inputs, &inputs, err);
    if (status != STATUS_OK)
        return status;
    http_note_unknown(call, &decode.unknown);
    buf_append(&call->reply, "[", 1);
    status = serve_decode(call, &inputs, decode.skip_special_tokens, write_text, err);
    buf_append(&call->reply, "]", 1);
    return status;
}

static enum serve_progress start(struct serve_call *call)
{
    call->status = decode(call, &call->err);
    return SERVE_DONE;
}

const struct http_endpoint http_decode = {.method = {.start = start}};
