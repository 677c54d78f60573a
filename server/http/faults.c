/* POST /admin/faults: make something go wrong on an emulated board, where the server was started for that. */
#include "server/wire/faults.h"
#include "server/http/endpoints.h"
#include "server/http/server.h"

static enum status start(struct http_call *call, bool *ret_pending, struct error *err)
{
    (void)ret_pending;
    const struct http_options *options = &call->server->options;
    if (!options->inject_faults)
        return error_set(err, STATUS_FORBIDDEN, "faults are not injected here: see --enable-fault-injection");
    uint32_t board;
    struct board_fault fault;
    enum status status = wire_fault_read(&board, &fault, call->body, call->body_len, options->n_boards, err);
    if (status == STATUS_OK)
        status = batch_inject(options->batch, board, &fault, err);
    if (status == STATUS_UNSUPPORTED)
        status = err->status = STATUS_UNIMPLEMENTED;
    if (status == STATUS_OK)
        buf_printf(&call->reply.body, "{\"board\":%u,\"kind\":\"%s\"}", board, board_fault_name(fault.kind));
    return status;
}

/* Light, so that it is not kept out by the load it is to be tried under. */
const struct http_endpoint http_faults = {.start = start, .light = true};
