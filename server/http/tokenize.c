/* POST /tokenize: the tokens of texts, never truncated. */
#include "server/http/endpoints.h"
#include "server/http/requests.h"
#include "server/serve/serve.h"
#include "server/serve/tokens.h"
#include "server/wire/response.h"

enum { TOKEN_COST = 80 /* bytes of JSON, without its text */ };

static enum status write_tokens(struct serve_call *call, uint32_t index, const struct token_encoding *encoding,
                                const char *text, size_t len, struct error *err)
{
    enum status status = serve_call_reserve(call, (uint64_t)encoding->n * TOKEN_COST + len, err);
    if (status != STATUS_OK)
        return status;
    buf_puts(&call->reply, index ? "," : "");
    wire_write_tokens(&call->reply, serve_server_options(call->server)->vocab, encoding, text);
    return STATUS_OK;
}

static enum status tokenize(struct serve_call *call, struct error *err)
{
    struct wire_limits limits = http_limits(call);
    struct wire_tokenize tokenize;
    struct serve_inputs inputs;
    enum status status = wire_tokenize_read(&tokenize, call->request, call->request_len, &limits, call->arena, err);
    if (status == STATUS_OK)
        status = http_map_inputs(call, &tokenize.inputs, &inputs, err);
    if (status != STATUS_OK)
        return status;
    http_note_unknown(call, &tokenize.unknown);
    struct serve_tokenize_spec spec = {inputs, tokenize.add_special_tokens, http_map_string(tokenize.prompt_name)};
    buf_append(&call->reply, "[", 1);
    status = serve_tokenize(call, &spec, write_tokens, err);
    buf_append(&call->reply, "]", 1);
    return status;
}

static enum serve_progress start(struct serve_call *call)
{
    call->status = tokenize(call, &call->err);
    return SERVE_DONE;
}

const struct http_endpoint http_tokenize = {.method = {.start = start}};
