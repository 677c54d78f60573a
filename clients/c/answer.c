#include <string.h>

#include "clients/c/error.h"
#include "clients/c/request.h"
#include "clients/c/results.h"

/* A new block with a copy of an answer's bytes, which end with NUL besides; NULL: no memory. */
static struct bertd_text *copy_text(const struct bertd_memory *memory, const struct bertd_bytes *answer)
{
    struct bertd_text *text = bertd_memory_block(memory, sizeof *text + answer->len + 1);
    if (!text)
        return NULL;
    if (answer->len > 0)
        memcpy(text + 1, answer->data, answer->len);
    *text = (struct bertd_text){.data = (const char *)(text + 1), .length = answer->len};
    return text;
}

/* The answer is of the type that was asked for: else it is another server's. */
static bool type_fits(const struct bertd_part *part)
{
    const char *type = NULL;
    const char *wanted = bertd_request_is_batch(part) ? "application/proto" : "application/json";
    curl_easy_getinfo(part->transfer->easy, CURLINFO_CONTENT_TYPE, &type);
    size_t len = strlen(wanted);
    return part->call->inputs.operation > BERTD_TOKENIZE ||
           (type && strncasecmp(type, wanted, len) == 0 && (!type[len] || strchr("; \t", type[len])));
}

enum bertd_status bertd_answer_read(struct bertd_part *part, struct bertd_error *err)
{
    if (!type_fits(part))
        return bertd_results_broken(part, err, "its Content-Type is another than asked for");
    switch (part->call->inputs.operation) {
    case BERTD_EMBED:
        return part->known.server == BERTD_SERVER_OPENAI ? bertd_openai_read(part, err) : bertd_vectors_read(part, err);
    case BERTD_EMBED_ALL:
        return bertd_pieces_read_vectors(part, err);
    case BERTD_TOKENIZE:
        return bertd_pieces_read_tokens(part, err);
    case BERTD_GET:
        part->call->result = copy_text(&part->call->queue->client->memory, &part->transfer->answer);
        return part->call->result ? BERTD_OK : bertd_fail_memory(err);
    case BERTD_INFO: /* by its own step */
    case BERTD_HEALTH:
        break;
    }
    return BERTD_OK;
}

static void finish_embeddings(struct bertd_call *call)
{
    struct bertd_embeddings *embeddings = call->embeddings;
    if (call->lacks_tokens)
        embeddings->tokens = NULL;
    if (call->lacks_truncated)
        embeddings->truncated = NULL;
    call->embeddings = NULL;
    call->result = embeddings;
}

enum bertd_status bertd_answer_finish(struct bertd_call *call, struct bertd_error *err)
{
    enum bertd_operation operation = call->inputs.operation;
    if (operation > BERTD_TOKENIZE)
        return BERTD_OK; /* it has its result, or none */
    if (operation == BERTD_EMBED)
        finish_embeddings(call);
    else
        call->result = operation == BERTD_EMBED_ALL ? (void *)bertd_pieces_vectors(call) : bertd_pieces_tokens(call);
    return call->result ? BERTD_OK : bertd_fail_memory(err);
}

void bertd_answer_drop(struct bertd_call *call)
{
    bertd_free(call->embeddings);
    bertd_pieces_drop(call);
    bertd_free(call->result);
    call->embeddings = NULL;
    call->result = NULL;
}
