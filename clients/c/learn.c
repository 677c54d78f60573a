#include "clients/c/learn.h"

#include <stdlib.h>
#include <string.h>

#include "clients/c/error.h"
#include "clients/c/json.h"

enum { OPENAI_BATCH = 256 };

/* The texts of an info, until they are in its block. */
enum { VERSION, MODEL_ID, SERVED_NAME, DTYPE, POOLING, N_TEXTS };

struct draft {
    struct bertd_info info;
    struct bertd_bytes bytes; /* texts, each with NUL */
    size_t at[N_TEXTS];       /* where in `bytes`; 0: "" */
    bool bertd;               /* has a member that only bertd has */
};

static void begin(struct draft *draft, const struct bertd_memory *memory)
{
    *draft = (struct draft){.bytes = {.memory = memory}};
    bertd_bytes_append(&draft->bytes, "", 1);
}

static bool keep(struct draft *draft, int which, struct bertd_slice text)
{
    draft->at[which] = draft->bytes.len;
    bool fine = bertd_json_unescape(&draft->bytes, text);
    bertd_bytes_append(&draft->bytes, "", 1);
    return fine;
}

/* The block: info, texts, endpoint, JSON. */
static struct bertd_info *finish(struct draft *draft, const char *endpoint, const char *json, size_t json_len)
{
    const struct bertd_bytes *bytes = &draft->bytes;
    size_t endpoint_size = strlen(endpoint) + 1;
    struct bertd_info *info = NULL;
    if (!bytes->failed)
        info = bertd_memory_block(bytes->memory, sizeof *info + bytes->len + endpoint_size + json_len + 1);
    if (!info)
        return NULL;
    char *texts = (char *)(info + 1);
    *info = draft->info;
    memcpy(texts, bytes->data, bytes->len);
    info->version = texts + draft->at[VERSION];
    info->model_id = texts + draft->at[MODEL_ID];
    info->served_model_name = texts + draft->at[SERVED_NAME];
    info->model_dtype = texts + draft->at[DTYPE];
    info->pooling = texts + draft->at[POOLING];
    info->endpoint = memcpy(texts + bytes->len, endpoint, endpoint_size);
    char *copy = texts + bytes->len + endpoint_size;
    if (json_len > 0)
        memcpy(copy, json, json_len);
    info->json = copy;
    info->json_length = json_len;
    return info;
}

/* {"embedding": {"pooling": "mean"}} */
static bool read_model_type(struct draft *draft, struct bertd_json *json, bool inner)
{
    size_t members = 0;
    int more = 0;
    struct bertd_slice name, text;
    if (bertd_json_peek(json) != '{')
        return bertd_json_skip(json);
    bertd_json_open(json, '{');
    while ((more = bertd_json_more(json, '}', &members)) == 1) {
        if (!bertd_json_name(json, &name))
            return false;
        if (bertd_json_is(name, "pooling") && bertd_json_peek(json) == '"') {
            if (!bertd_json_text(json, &text) || !keep(draft, POOLING, text))
                return false;
        } else if (!inner && bertd_json_is(name, "embedding") ? !read_model_type(draft, json, true)
                                                              : !bertd_json_skip(json)) {
            return false;
        }
    }
    return more == 0;
}

struct member {
    const char *name;
    int text;      /* which of the texts; -1: a number */
    size_t number; /* where in the info */
};

static const struct member members[] = {
    {"version", VERSION, 0},
    {"model_id", MODEL_ID, 0},
    {"served_model_name", SERVED_NAME, 0},
    {"model_dtype", DTYPE, 0},
    {"max_input_length", -1, offsetof(struct bertd_info, max_input_length)},
    {"max_batch_tokens", -1, offsetof(struct bertd_info, max_batch_tokens)},
    {"max_concurrent_requests", -1, offsetof(struct bertd_info, max_concurrent_requests)},
    {"max_client_batch_size", -1, offsetof(struct bertd_info, max_client_batch_size)},
    {"boards", -1, offsetof(struct bertd_info, boards)},
};

static bool read_known(struct draft *draft, const struct member *member, struct bertd_json *json)
{
    struct bertd_slice text;
    uint64_t number = 0;
    if (member->text >= 0 && bertd_json_peek(json) == '"')
        return bertd_json_text(json, &text) && keep(draft, member->text, text);
    if (member->text >= 0 || bertd_json_peek(json) < '0' || bertd_json_peek(json) > '9')
        return bertd_json_skip(json);
    if (!bertd_json_count(json, &number))
        return false;
    uint32_t value = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
    memcpy((char *)&draft->info + member->number, &value, sizeof value);
    return true;
}

static bool read_member(struct draft *draft, struct bertd_slice name, struct bertd_json *json)
{
    draft->bertd |= bertd_json_is(name, "boards") || bertd_json_is(name, "instruction_set");
    if (bertd_json_is(name, "model_type"))
        return read_model_type(draft, json, false);
    if (bertd_json_is(name, "auto_truncate")) {
        draft->info.auto_truncate = bertd_json_peek(json) == 't';
        return bertd_json_skip(json);
    }
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (bertd_json_is(name, members[i].name))
            return read_known(draft, &members[i], json);
    return bertd_json_skip(json);
}

static bool read_info(struct draft *draft, const struct bertd_bytes *answer)
{
    struct bertd_json json = bertd_json_of(answer->data, answer->len);
    struct bertd_slice name;
    size_t count = 0;
    int more = 0;
    if (!bertd_json_open(&json, '{'))
        return false;
    while ((more = bertd_json_more(&json, '}', &count)) == 1)
        if (!bertd_json_name(&json, &name) || !read_member(draft, name, &json))
            return false;
    return more == 0 && draft->at[MODEL_ID] > 0;
}

enum bertd_status bertd_learn_info(const struct bertd_client *client, const struct bertd_endpoint *endpoint,
                                   const struct bertd_bytes *answer, struct bertd_info **ret, struct bertd_error *err)
{
    struct draft draft;
    struct bertd_info *info = NULL;
    begin(&draft, &client->memory);
    bool known = read_info(&draft, answer);
    if (known) {
        draft.info.server = draft.bertd ? BERTD_SERVER_BERTD : BERTD_SERVER_TEI;
        info = finish(&draft, endpoint->shown, answer->data, answer->len);
    }
    bool failed = draft.bytes.failed || (known && !info);
    bertd_bytes_finish(&draft.bytes);
    if (failed)
        return bertd_fail_memory(err);
    *ret = info;
    return BERTD_OK;
}

/* {"id": "name"}; the first one's is kept. */
static bool read_model(struct draft *draft, struct bertd_json *json)
{
    struct bertd_slice name, text;
    size_t count = 0;
    int more = 0;
    if (!bertd_json_open(json, '{'))
        return false;
    while ((more = bertd_json_more(json, '}', &count)) == 1) {
        if (!bertd_json_name(json, &name))
            return false;
        bool id = bertd_json_is(name, "id") && draft->at[MODEL_ID] == 0;
        if (id ? !bertd_json_text(json, &text) || !keep(draft, MODEL_ID, text) : !bertd_json_skip(json))
            return false;
    }
    return more == 0;
}

static bool read_list(struct draft *draft, struct bertd_json *json, size_t *ret_n)
{
    int more = 0;
    if (!bertd_json_open(json, '['))
        return false;
    while ((more = bertd_json_more(json, ']', ret_n)) == 1)
        if (!read_model(draft, json))
            return false;
    return more == 0;
}

/* {"data": [model, ..]}. False: it is not that. */
static bool read_models(struct draft *draft, const struct bertd_bytes *answer, size_t *ret_n)
{
    struct bertd_json json = bertd_json_of(answer->data, answer->len);
    struct bertd_slice name;
    size_t count = 0;
    bool listed = false;
    int more = 0;
    if (!bertd_json_open(&json, '{'))
        return false;
    while ((more = bertd_json_more(&json, '}', &count)) == 1) {
        if (!bertd_json_name(&json, &name))
            return false;
        bool list = bertd_json_is(name, "data") && !listed;
        if (list ? !read_list(draft, &json, ret_n) : !bertd_json_skip(&json))
            return false;
        listed |= list;
    }
    return more == 0 && listed;
}

enum bertd_status bertd_learn_models(const struct bertd_client *client, const struct bertd_endpoint *endpoint,
                                     const struct bertd_bytes *answer, bool model_needed, struct bertd_info **ret,
                                     struct bertd_error *err)
{
    const char *model = client->options.model;
    struct draft draft;
    struct bertd_info *info = NULL;
    size_t n = 0;
    begin(&draft, &client->memory);
    bool known = answer ? read_models(&draft, answer, &n) : model != NULL;
    if (model) {
        draft.at[MODEL_ID] = draft.bytes.len;
        bertd_bytes_append(&draft.bytes, model, strlen(model) + 1);
    }
    draft.at[SERVED_NAME] = draft.at[MODEL_ID];
    draft.info.server = BERTD_SERVER_OPENAI;
    draft.info.max_client_batch_size = OPENAI_BATCH;
    bool unclear = known && model_needed && !model && n != 1;
    if (known && !unclear)
        info = finish(&draft, endpoint->shown, answer ? answer->data : "", answer ? answer->len : 0);
    bool failed = draft.bytes.failed;
    bertd_bytes_finish(&draft.bytes);
    if (failed || (known && !unclear && !info))
        return bertd_fail_memory(err);
    if (unclear)
        return bertd_fail(err, BERTD_INVALID, "%s serves %zu models: say in the option model which one embeds",
                          endpoint->shown, n);
    if (!known)
        return bertd_fail(err, BERTD_PROTOCOL,
                          "%s answers neither /info nor /v1/models as an embeddings server does: "
                          "check the address",
                          endpoint->shown);
    *ret = info;
    return BERTD_OK;
}

struct bertd_knowledge bertd_learn_knowledge(const struct bertd_info *info)
{
    return (struct bertd_knowledge){
        .server = info->server, .max_batch = info->max_client_batch_size, .model = info->model_id};
}
