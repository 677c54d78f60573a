#include "server/serve/tokens.h"

#include "server/serve/server.h"
#include "server/serve/texts.h"

enum { SCRATCH_LIMIT = 1 << 30 };

/* In memory of its own, which a long text may need a lot of. */
static enum status tokenize(struct serve_call *call, const struct serve_inputs *inputs, uint32_t index,
                            const struct serve_text_options *options, serve_tokens_write *write, struct error *err)
{
    struct arena *scratch = arena_create(SCRATCH_LIMIT);
    if (!scratch)
        return error_set(err, STATUS_NO_MEMORY, "no memory for tokenizing");
    struct serve_text text;
    enum status status = serve_text_encode(call->server, &inputs->items[index], inputs->single ? -1 : (int64_t)index,
                                           options, scratch, &text, err);
    if (status == STATUS_OK)
        status = write(call, index, &text.encoding, text.text.bytes, text.text.len, err);
    arena_destroy(&scratch);
    return status;
}

enum status serve_tokenize(struct serve_call *call, const struct serve_tokenize_spec *spec, serve_tokens_write *write,
                           struct error *err)
{
    struct serve_server *server = call->server;
    struct serve_text_options options = {.add_special_tokens = spec->add_special_tokens};
    metrics_counter_add(server->telemetry.requests[SERVE_TOKENIZE], 1);
    enum status status = serve_inputs_check(server, &spec->inputs, "inputs", err);
    if (status == STATUS_OK)
        status = serve_prompts_find(&server->prompts, spec->prompt_name, &options.prompt, err);
    for (uint32_t i = 0; i < spec->inputs.n && status == STATUS_OK; i++)
        status = tokenize(call, &spec->inputs, i, &options, write, err);
    if (status == STATUS_OK)
        metrics_counter_add(server->telemetry.successes[SERVE_TOKENIZE], 1);
    return status;
}

enum status serve_decode(struct serve_call *call, const struct serve_inputs *inputs, bool skip_special_tokens,
                         serve_text_write *write, struct error *err)
{
    struct serve_server *server = call->server;
    metrics_counter_add(server->telemetry.requests[SERVE_DECODE], 1);
    enum status status = serve_inputs_check(server, inputs, "ids", err);
    for (uint32_t i = 0; i < inputs->n && status == STATUS_OK; i++) {
        char *text = NULL;
        size_t len = 0;
        status = token_decode(server->options.vocab, inputs->items[i].ids, inputs->items[i].n_ids, skip_special_tokens,
                              call->arena, &text, &len, err);
        if (status == STATUS_OK)
            status = write(call, i, text, len, err);
    }
    if (status == STATUS_OK)
        metrics_counter_add(server->telemetry.successes[SERVE_DECODE], 1);
    return status;
}
