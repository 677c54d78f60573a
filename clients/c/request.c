#include "clients/c/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clients/c/error.h"
#include "clients/c/json.h"
#include "clients/c/proto.h"

static const char method[] = "/bertd.v1.Embeddings/EmbedBatch";

size_t bertd_call_length(const struct bertd_inputs *inputs, size_t i)
{
    return inputs->lengths ? inputs->lengths[i] : strlen(inputs->texts[i]);
}

bool bertd_request_is_batch(const struct bertd_part *part)
{
    return part->call->inputs.operation == BERTD_EMBED && part->known.server == BERTD_SERVER_BERTD &&
           !part->known.rest_only;
}

static void put_field(struct bertd_bytes *body, const char *name, const char *value)
{
    bertd_bytes_puts(body, ",\"");
    bertd_bytes_puts(body, name);
    bertd_bytes_puts(body, "\":");
    bertd_bytes_puts(body, value);
}

static void put_text(struct bertd_bytes *body, const char *name, const char *value)
{
    if (!value)
        return;
    put_field(body, name, "");
    bertd_json_write(body, value, strlen(value));
}

static void put_choice(struct bertd_bytes *body, const char *name, enum bertd_choice choice)
{
    if (choice != BERTD_DEFAULT)
        put_field(body, name, choice == BERTD_YES ? "true" : "false");
}

static void put_dimensions(struct bertd_bytes *body, const struct bertd_call_options *options)
{
    char number[16];
    snprintf(number, sizeof number, "%" PRIu32, options->dimensions);
    if (options->dimensions)
        put_field(body, "dimensions", number);
}

static void put_inputs(struct bertd_bytes *body, const char *name, const struct bertd_part *part)
{
    const struct bertd_inputs *inputs = &part->call->inputs;
    bertd_bytes_puts(body, "{\"");
    bertd_bytes_puts(body, name);
    bertd_bytes_puts(body, "\":[");
    for (size_t i = part->begin; i < part->end; i++) {
        if (i > part->begin)
            bertd_bytes_puts(body, ",");
        bertd_json_write(body, inputs->texts[i], bertd_call_length(inputs, i));
    }
    bertd_bytes_puts(body, "]");
}

static void put_cutting(struct bertd_bytes *body, const struct bertd_call_options *options)
{
    put_choice(body, "truncate", options->truncate);
    if (options->truncate_direction == BERTD_LEFT)
        put_field(body, "truncation_direction", "\"Left\"");
    put_text(body, "prompt_name", options->prompt_name);
    put_choice(body, "chunk", options->chunk);
}

static void write_batch(struct bertd_part *part)
{
    struct bertd_bytes *body = &part->transfer->body;
    const struct bertd_inputs *inputs = &part->call->inputs;
    for (size_t i = part->begin; i < part->end; i++)
        bertd_proto_write_text(body, inputs->texts[i], bertd_call_length(inputs, i));
    bertd_proto_write_options(body, &part->call->options);
}

static void write_openai(struct bertd_part *part)
{
    struct bertd_bytes *body = &part->transfer->body;
    put_inputs(body, "input", part);
    put_text(body, "model", part->known.model);
    put_field(body, "encoding_format", "\"base64\"");
    put_dimensions(body, &part->call->options);
    bertd_bytes_puts(body, "}");
}

static void write_json(struct bertd_part *part)
{
    struct bertd_bytes *body = &part->transfer->body;
    const struct bertd_call_options *options = &part->call->options;
    enum bertd_operation operation = part->call->inputs.operation;
    put_inputs(body, "inputs", part);
    if (operation == BERTD_TOKENIZE)
        put_text(body, "prompt_name", options->prompt_name);
    else
        put_cutting(body, options);
    if (operation == BERTD_EMBED) {
        put_choice(body, "normalize", options->normalize);
        put_dimensions(body, options);
    }
    bertd_bytes_puts(body, "}");
}

/* Options that a kind of server would pass over without a word. */
static enum bertd_status check_options(const struct bertd_part *part, struct bertd_error *err)
{
    const struct bertd_call_options *options = &part->call->options;
    enum bertd_operation operation = part->call->inputs.operation;
    const char *shown = part->endpoint->shown;
    if (part->known.server == BERTD_SERVER_OPENAI && operation != BERTD_EMBED)
        return bertd_fail(err, BERTD_UNSUPPORTED,
                          "%s has OpenAI's routes, which only embed: use bertd or "
                          "text-embeddings-inference for this call",
                          shown);
    const char *option = NULL;
    if (part->known.server == BERTD_SERVER_OPENAI)
        option = options->prompt_name                         ? "prompt_name"
                 : options->truncate != BERTD_DEFAULT         ? "truncate"
                 : options->truncate_direction != BERTD_RIGHT ? "truncate_direction"
                                                              : NULL;
    if (part->known.server != BERTD_SERVER_BERTD && options->chunk == BERTD_YES)
        option = "chunk";
    if (option)
        return bertd_fail(err, BERTD_UNSUPPORTED, "%s does not know the option %s: leave it out, or use bertd", shown,
                          option);
    return BERTD_OK;
}

static void put_path(struct bertd_part *part)
{
    struct bertd_bytes *url = &part->transfer->url;
    const struct bertd_endpoint *endpoint = part->endpoint;
    const struct bertd_inputs *inputs = &part->call->inputs;
    const char *v1 = endpoint->openai ? "" : "/v1";
    bool openai = part->known.server == BERTD_SERVER_OPENAI;
    const char *parts[2] = {"", ""};
    if (part->step == BERTD_STEP_INFO) {
        parts[0] = "/info";
    } else if (part->step == BERTD_STEP_MODELS || (inputs->operation == BERTD_HEALTH && endpoint->openai)) {
        parts[0] = v1;
        parts[1] = "/models";
    } else if (inputs->operation == BERTD_HEALTH) {
        parts[0] = "/health";
    } else if (inputs->operation == BERTD_GET) {
        parts[0] = inputs->path;
    } else if (inputs->operation == BERTD_EMBED && openai) {
        parts[0] = v1;
        parts[1] = "/embeddings";
    } else if (inputs->operation == BERTD_EMBED) {
        parts[0] = bertd_request_is_batch(part) ? method : "/embed";
    } else {
        parts[0] = inputs->operation == BERTD_EMBED_ALL ? "/embed_all" : "/tokenize";
    }
    bertd_bytes_puts(url, endpoint->base);
    bertd_bytes_puts(url, parts[0]);
    bertd_bytes_puts(url, parts[1]);
}

/* Headers of every request. */
static bool put_headers(struct bertd_part *part, const struct bertd_options *client)
{
    struct bertd_transfer *transfer = part->transfer;
    const struct bertd_call_options *options = &part->call->options;
    char bearer[800];
    if (client->api_key) {
        snprintf(bearer, sizeof bearer, "Bearer %s", client->api_key);
        if (!bertd_transfer_header(transfer, "Authorization", bearer))
            return false;
    }
    return (!options->request_id || bertd_transfer_header(transfer, "X-Request-Id", options->request_id)) &&
           (!options->traceparent || bertd_transfer_header(transfer, "Traceparent", options->traceparent));
}

static bool put_post_headers(struct bertd_part *part, bool proto, uint64_t left_ms)
{
    struct bertd_transfer *transfer = part->transfer;
    enum bertd_priority priority = part->call->options.priority;
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, left_ms > 0 ? left_ms : 1);
    if (!bertd_transfer_header(transfer, "Content-Type", proto ? "application/proto" : "application/json"))
        return false;
    if (proto)
        return bertd_transfer_header(transfer, "Connect-Protocol-Version", "1") &&
               bertd_transfer_header(transfer, "Connect-Timeout-Ms", number);
    const char *name = priority == BERTD_PRIORITY_BULK ? "bulk" : "interactive";
    return bertd_transfer_header(transfer, "X-Request-Timeout-Ms", number) &&
           (priority == BERTD_PRIORITY_DEFAULT || bertd_transfer_header(transfer, "X-Bertd-Priority", name));
}

enum bertd_status bertd_request_write(struct bertd_part *part, uint64_t left_ms, bool *ret_post,
                                      struct bertd_error *err)
{
    enum bertd_operation operation = part->call->inputs.operation;
    bool post = part->step == BERTD_STEP_REQUEST && operation <= BERTD_TOKENIZE;
    bool proto = post && bertd_request_is_batch(part);
    if (post) {
        enum bertd_status status = check_options(part, err);
        if (status != BERTD_OK)
            return status;
        if (proto)
            write_batch(part);
        else if (part->known.server == BERTD_SERVER_OPENAI)
            write_openai(part);
        else
            write_json(part);
    }
    put_path(part);
    if (!put_headers(part, &part->call->queue->client->options) || (post && !put_post_headers(part, proto, left_ms)))
        return bertd_fail_memory(err);
    *ret_post = post;
    return BERTD_OK;
}
