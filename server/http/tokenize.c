/* POST /tokenize: the tokens of texts, never truncated. */
#include "server/http/endpoints.h"
#include "server/http/texts.h"
#include "server/wire/response.h"

enum { SCRATCH_LIMIT = 1 << 30, TOKEN_COST = 80 /* bytes of JSON, without its text */ };

static enum status write_input(struct http_call *call, const struct wire_input *input, int64_t index,
                               const struct http_text_options *options, struct error *err)
{
    struct arena *scratch = arena_create(SCRATCH_LIMIT);
    if (!scratch)
        return error_set(err, STATUS_NO_MEMORY, "no memory for tokenizing");
    struct http_text text;
    enum status status = http_text_encode(call->server, input, index, options, scratch, &text, err);
    if (status == STATUS_OK)
        status = http_call_reserve(call, (uint64_t)text.encoding.n * TOKEN_COST + text.text.len, err);
    if (status == STATUS_OK)
        wire_write_tokens(&call->reply.body, call->server->options.vocab, &text.encoding, text.text.bytes);
    arena_destroy(&scratch);
    return status;
}

static enum status start(struct http_call *call, bool *ret_pending, struct error *err)
{
    (void)ret_pending;
    struct http_server *server = call->server;
    struct wire_limits limits = {.max_inputs = server->options.max_client_batch_size};
    struct wire_tokenize tokenize;
    metrics_counter_add(server->telemetry.requests[HTTP_TOKENIZE], 1);
    enum status status = wire_tokenize_read(&tokenize, call->body, call->body_len, &limits, call->arena, err);
    struct http_text_options options = {0};
    if (status == STATUS_OK)
        status = http_prompts_find(&server->prompts, tokenize.prompt_name, &options.prompt, err);
    if (status != STATUS_OK)
        return status;
    options.add_special_tokens = tokenize.add_special_tokens;
    struct buf *out = &call->reply.body;
    buf_append(out, "[", 1);
    for (uint32_t i = 0; i < tokenize.inputs.n; i++) {
        if (i > 0)
            buf_append(out, ",", 1);
        status = write_input(call, &tokenize.inputs.items[i], tokenize.inputs.single ? -1 : (int64_t)i, &options, err);
        if (status != STATUS_OK)
            return status;
    }
    buf_append(out, "]", 1);
    metrics_counter_add(server->telemetry.successes[HTTP_TOKENIZE], 1);
    return STATUS_OK;
}

const struct http_endpoint http_tokenize = {.start = start};
