/* GET /v2 and /v2/models/{model}: what the Open Inference Protocol wants to know of the server and the model. */
#include "server/http/endpoints.h"
#include "server/http/requests.h"
#include "server/serve/serve.h"
#include "server/wire/v2.h"

static enum serve_progress server(struct serve_call *call)
{
    buf_printf(&call->reply, "{\"name\":\"bertd\",\"version\":\"%s\",\"extensions\":[\"binary_tensor_data\"]}",
               serve_server_options(call->server)->version);
    return SERVE_DONE;
}

static enum serve_progress model(struct serve_call *call)
{
    const struct serve_options *options = serve_server_options(call->server);
    call->status = http_check_model(call, &call->err);
    buf_puts(&call->reply, "{\"name\":");
    wire_write_text(&call->reply, options->served_model_name);
    buf_printf(&call->reply,
               ",\"versions\":[\"1\"],\"platform\":\"bertd\",\"inputs\":[{\"name\":\"" WIRE_V2_TEXT
               "\",\"datatype\":\"BYTES\",\"shape\":[-1]}],\"outputs\":[{\"name\":\"" WIRE_V2_EMBEDDING
               "\",\"datatype\":\"FP32\",\"shape\":[-1,%u]}]}",
               options->width);
    return SERVE_DONE;
}

const struct http_endpoint http_v2_server = {.method = {.start = server, .immediate = true}};
const struct http_endpoint http_v2_model = {.method = {.start = model, .immediate = true}};
