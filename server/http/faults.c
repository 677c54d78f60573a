/* POST /admin/faults: make something go wrong on an emulated board, where the server was started for that. */
#include "server/faults/faults.h"
#include "server/http/endpoints.h"
#include "server/serve/serve.h"

static enum status inject(struct serve_call *call, struct error *err)
{
    const struct serve_options *options = serve_server_options(call->server);
    if (!options->inject_faults)
        return error_set(err, STATUS_FORBIDDEN, "faults are not injected here: see --enable-fault-injection");
    uint32_t board;
    struct board_fault fault;
    enum status status = faults_read_one(&board, &fault, call->request, call->request_len, options->n_boards, err);
    if (status == STATUS_OK)
        status = batch_inject(options->batch, board, &fault, err);
    if (status == STATUS_UNSUPPORTED)
        status = err->status = STATUS_UNIMPLEMENTED;
    if (status == STATUS_OK)
        buf_printf(&call->reply, "{\"board\":%u,\"kind\":\"%s\"}", board, board_fault_name(fault.kind));
    return status;
}

static enum serve_progress start(struct serve_call *call)
{
    call->status = inject(call, &call->err);
    return SERVE_DONE;
}

/* Immediate, so that it is not kept out by the load it is to be tried under. */
const struct http_endpoint http_faults = {.method = {.start = start, .immediate = true}, .admin = true};
