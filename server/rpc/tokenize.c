/* tei.v1.Tokenize: text to tokens and back. */
#include "server/rpc/request.h"
#include "server/rpc/services.h"
#include "server/serve/serve.h"
#include "server/serve/tokens.h"

enum { TOKEN_COST = 2 * sizeof(Tei__V1__SimpleToken) }; /* bytes, here and in the response, without its text */

static void fill_token(struct serve_call *call, const struct token_encoding *encoding, uint32_t i, const char *text,
                       Tei__V1__SimpleToken *ret)
{
    struct token_span span = encoding->spans[i];
    tei__v1__simple_token__init(ret);
    ret->id = encoding->ids[i];
    ret->special = encoding->template_token[i];
    if (ret->special) {
        ret->text = (char *)(uintptr_t)token_vocab_text(serve_server_options(call->server)->vocab, ret->id);
        return;
    }
    ret->text = arena_copy(call->arena, text + span.start, span.stop - span.start);
    ret->has_start_case = TEI__V1__SIMPLE_TOKEN__HAS_START_START;
    ret->start = span.start;
    ret->has_stop_case = TEI__V1__SIMPLE_TOKEN__HAS_STOP_STOP;
    ret->stop = span.stop;
}

static enum status write_tokens(struct serve_call *call, uint32_t index, const struct token_encoding *encoding,
                                const char *text, size_t len, struct error *err)
{
    (void)index; /* the only one */
    uint32_t n = encoding->n;
    enum status status = serve_call_reserve(call, (uint64_t)n * TOKEN_COST + 2 * len, err);
    if (status != STATUS_OK)
        return status;
    Tei__V1__SimpleToken *tokens = arena_alloc_array(call->arena, n, sizeof *tokens, _Alignof(max_align_t));
    Tei__V1__SimpleToken **list = arena_alloc_array(call->arena, n, sizeof *list, _Alignof(max_align_t));
    if (!tokens || !list)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u tokens", n);
    for (uint32_t i = 0; i < n; i++) {
        fill_token(call, encoding, i, text, &tokens[i]);
        if (!tokens[i].text)
            return error_set(err, STATUS_NO_MEMORY, "no memory for %u tokens", n);
        list[i] = &tokens[i];
    }
    Tei__V1__EncodeResponse response = TEI__V1__ENCODE_RESPONSE__INIT;
    response.tokens = list;
    response.n_tokens = n;
    rpc_calls_reply(call, &response.base);
    return STATUS_OK;
}

static enum serve_progress start_encode(struct serve_call *call, const ProtobufCMessage *message)
{
    const Tei__V1__EncodeRequest *request = (const Tei__V1__EncodeRequest *)message;
    struct serve_tokenize_spec spec = {.add_special_tokens = request->add_special_tokens};
    if (request->has_prompt_name_case)
        spec.prompt_name = rpc_request_text(request->prompt_name);
    call->status = rpc_request_input(call, request->inputs, &spec.inputs, &call->err);
    if (call->status == STATUS_OK)
        call->status = serve_tokenize(call, &spec, write_tokens, &call->err);
    return SERVE_DONE;
}

const struct rpc_action rpc_tokenize = {.start = start_encode};

static enum status write_text(struct serve_call *call, uint32_t index, const char *text, size_t len, struct error *err)
{
    (void)index;                                                 /* the only one */
    enum status status = serve_call_reserve(call, 2 * len, err); /* here and in the response */
    if (status != STATUS_OK)
        return status;
    Tei__V1__DecodeResponse response = TEI__V1__DECODE_RESPONSE__INIT;
    response.text = arena_copy(call->arena, text, len);
    if (!response.text)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the text");
    rpc_calls_reply(call, &response.base);
    return STATUS_OK;
}

static enum serve_progress start_decode(struct serve_call *call, const ProtobufCMessage *message)
{
    const Tei__V1__DecodeRequest *request = (const Tei__V1__DecodeRequest *)message;
    const struct serve_input input = {.ids = request->ids, .n_ids = (uint32_t)request->n_ids};
    const struct serve_inputs inputs = {&input, 1, true};
    call->status = serve_decode(call, &inputs, request->skip_special_tokens, write_text, &call->err);
    return SERVE_DONE;
}

const struct rpc_action rpc_detokenize = {.start = start_decode};
