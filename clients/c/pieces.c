/* Answers of which each text has many rows: they are kept in pieces, and put together when the last one is there. */
#include <string.h>

#include "clients/c/error.h"
#include "clients/c/results.h"

static const char broken_off[] = "it breaks off, or is no array";

static void free_piece(const struct bertd_memory *memory, struct bertd_piece *piece)
{
    bertd_bytes_finish(&piece->values);
    bertd_bytes_finish(&piece->texts);
    bertd_memory_free(memory, piece->counts);
    bertd_memory_free(memory, piece);
}

/* A new piece for a part. NULL: no memory. */
static struct bertd_piece *new_piece(const struct bertd_part *part)
{
    const struct bertd_memory *memory = &part->call->queue->client->memory;
    struct bertd_piece *piece = bertd_memory_new(memory, 1, sizeof *piece);
    if (!piece)
        return NULL;
    piece->begin = part->begin;
    piece->n = part->end - part->begin;
    piece->values.memory = piece->texts.memory = memory;
    piece->counts = bertd_memory_new(memory, piece->n, sizeof *piece->counts);
    if (piece->counts)
        return piece;
    free_piece(memory, piece);
    return NULL;
}

static void insert(struct bertd_call *call, struct bertd_piece *piece)
{
    struct bertd_piece **at = &call->pieces;
    while (*at && (*at)->begin < piece->begin)
        at = &(*at)->next;
    piece->next = *at;
    *at = piece;
}

static bool lacks_memory(const struct bertd_piece *piece)
{
    return piece->values.failed || piece->texts.failed;
}

/* One text's array. Returns NULL, or what is wrong with it. */
typedef const char *read_one(struct bertd_call *call, struct bertd_piece *piece, struct bertd_json *json,
                             size_t *ret_count);

static enum bertd_status read_piece(struct bertd_part *part, read_one *read, struct bertd_error *err)
{
    const struct bertd_bytes *answer = &part->transfer->answer;
    struct bertd_json json = bertd_json_of(answer->data, answer->len);
    struct bertd_piece *piece = new_piece(part);
    const char *wrong = NULL;
    size_t texts = 0;
    int more = 0;
    if (!piece)
        return bertd_fail_memory(err);
    if (!bertd_json_open(&json, '['))
        wrong = broken_off;
    while (!wrong && !lacks_memory(piece) && (more = bertd_json_more(&json, ']', &texts)) == 1)
        wrong = texts > piece->n ? "more arrays than texts" : read(part->call, piece, &json, &piece->counts[texts - 1]);
    bool failed = lacks_memory(piece);
    if (!wrong && !failed && (more != 0 || texts != piece->n || !bertd_json_ends(&json)))
        wrong = "other arrays than texts";
    if (!wrong && !failed) {
        insert(part->call, piece);
        return BERTD_OK;
    }
    free_piece(&part->call->queue->client->memory, piece);
    return failed ? bertd_fail_memory(err) : bertd_results_broken(part, err, wrong);
}

static const char *read_rows(struct bertd_call *call, struct bertd_piece *piece, struct bertd_json *json,
                             size_t *ret_count)
{
    int more = 0;
    if (!bertd_json_open(json, '['))
        return broken_off;
    while ((more = bertd_json_more(json, ']', ret_count)) == 1) {
        size_t before = piece->values.len;
        if (!bertd_results_vector(json, &piece->values))
            return "a vector is no array of numbers";
        size_t width = (piece->values.len - before) / sizeof(float);
        if (piece->values.failed)
            return NULL;
        if (width == 0 || (call->width && width != call->width))
            return "vectors of different widths";
        call->width = width;
    }
    return more == 0 ? NULL : broken_off;
}

/* A number, or null: 0. */
static bool read_offset(struct bertd_json *json, size_t *ret)
{
    uint64_t value = 0;
    if (bertd_json_peek(json) == 'n')
        return bertd_json_skip(json);
    if (!bertd_json_count(json, &value))
        return false;
    *ret = (size_t)value;
    return true;
}

/* What a piece has for each token: its text is a place in the piece's texts until the pieces are put together. */
struct held_token {
    struct bertd_token token;
    size_t text_at;
};

static bool read_token(struct bertd_piece *piece, struct bertd_json *json, struct held_token *held)
{
    struct bertd_token *token = &held->token;
    size_t members = 0, id = 0;
    int more = 0;
    if (!bertd_json_open(json, '{'))
        return false;
    held->text_at = piece->texts.len;
    while ((more = bertd_json_more(json, '}', &members)) == 1) {
        struct bertd_slice name, text;
        bool fine = bertd_json_name(json, &name);
        if (fine && bertd_json_is(name, "text")) {
            fine = bertd_json_text(json, &text) && bertd_json_unescape(&piece->texts, text);
            token->length = piece->texts.len - held->text_at;
        } else if (fine && bertd_json_is(name, "id")) {
            fine = read_offset(json, &id);
        } else if (fine && bertd_json_is(name, "special")) {
            token->special = bertd_json_peek(json) == 't';
            fine = bertd_json_skip(json);
        } else if (fine && bertd_json_is(name, "start")) {
            fine = read_offset(json, &token->begin);
        } else if (fine && bertd_json_is(name, "stop")) {
            fine = read_offset(json, &token->end);
        } else {
            fine = fine && bertd_json_skip(json);
        }
        if (!fine)
            return false;
    }
    token->id = (uint32_t)id;
    bertd_bytes_append(&piece->texts, "", 1);
    return more == 0;
}

static const char *read_tokens(struct bertd_call *call, struct bertd_piece *piece, struct bertd_json *json,
                               size_t *ret_count)
{
    (void)call;
    int more = 0;
    if (!bertd_json_open(json, '['))
        return broken_off;
    while ((more = bertd_json_more(json, ']', ret_count)) == 1) {
        struct held_token held = {.text_at = 0};
        if (!read_token(piece, json, &held))
            return "a token is not one";
        bertd_bytes_append(&piece->values, &held, sizeof held);
    }
    return more == 0 ? NULL : broken_off;
}

enum bertd_status bertd_pieces_read_vectors(struct bertd_part *part, struct bertd_error *err)
{
    return read_piece(part, read_rows, err);
}

enum bertd_status bertd_pieces_read_tokens(struct bertd_part *part, struct bertd_error *err)
{
    return read_piece(part, read_tokens, err);
}

/* begin[0 .. n] of all texts, from the counts of the pieces. */
static void sum_counts(const struct bertd_call *call, size_t *begin)
{
    size_t sum = 0;
    *begin++ = 0;
    for (const struct bertd_piece *piece = call->pieces; piece; piece = piece->next)
        for (size_t i = 0; i < piece->n; i++)
            *begin++ = sum += piece->counts[i];
}

/* Bytes of all pieces' values and texts. */
static bool sum_bytes(const struct bertd_call *call, size_t *ret_values, size_t *ret_texts)
{
    *ret_values = *ret_texts = 0;
    for (const struct bertd_piece *piece = call->pieces; piece; piece = piece->next)
        if (__builtin_add_overflow(*ret_values, piece->values.len, ret_values) ||
            __builtin_add_overflow(*ret_texts, piece->texts.len, ret_texts))
            return false;
    return true;
}

struct bertd_token_embeddings *bertd_pieces_vectors(const struct bertd_call *call)
{
    size_t size = 0, values = 0, texts = 0, begin_at = 0, vectors_at = 0, n = call->inputs.n;
    if (!sum_bytes(call, &values, &texts) || !bertd_memory_add(&size, 1, sizeof(struct bertd_token_embeddings)) ||
        !(begin_at = size) || !bertd_memory_add(&size, n + 1, sizeof(size_t)) || !(vectors_at = size) ||
        !bertd_memory_add(&size, values, 1))
        return NULL;
    char *block = bertd_memory_block(&call->queue->client->memory, size);
    if (!block)
        return NULL;
    struct bertd_token_embeddings *made = (struct bertd_token_embeddings *)(void *)block;
    char *to = block + vectors_at;
    *made = (struct bertd_token_embeddings){.texts = n, .width = call->width};
    made->begin = (size_t *)(void *)(block + begin_at);
    made->vectors = (float *)(void *)to;
    sum_counts(call, (size_t *)made->begin);
    for (const struct bertd_piece *piece = call->pieces; piece; piece = piece->next) {
        if (piece->values.len > 0)
            memcpy(to, piece->values.data, piece->values.len);
        to += piece->values.len;
    }
    return made;
}

struct bertd_tokens *bertd_pieces_tokens(const struct bertd_call *call)
{
    size_t size = 0, values = 0, texts = 0, begin_at = 0, tokens_at = 0, texts_at = 0, n = call->inputs.n;
    if (!sum_bytes(call, &values, &texts) || !bertd_memory_add(&size, 1, sizeof(struct bertd_tokens)) ||
        !(begin_at = size) || !bertd_memory_add(&size, n + 1, sizeof(size_t)) || !(tokens_at = size) ||
        !bertd_memory_add(&size, values / sizeof(struct held_token), sizeof(struct bertd_token)) ||
        !(texts_at = size) || !bertd_memory_add(&size, texts, 1))
        return NULL;
    char *block = bertd_memory_block(&call->queue->client->memory, size);
    if (!block)
        return NULL;
    struct bertd_tokens *made = (struct bertd_tokens *)(void *)block;
    struct bertd_token *token = (struct bertd_token *)(void *)(block + tokens_at);
    char *text = block + texts_at;
    *made = (struct bertd_tokens){.texts = n, .begin = (size_t *)(void *)(block + begin_at), .tokens = token};
    sum_counts(call, (size_t *)made->begin);
    for (const struct bertd_piece *piece = call->pieces; piece; piece = piece->next) {
        const struct held_token *held = (const struct held_token *)(const void *)piece->values.data;
        for (size_t i = 0; i < piece->values.len / sizeof *held; i++, token++) {
            *token = held[i].token;
            token->text = text + held[i].text_at;
        }
        if (piece->texts.len > 0)
            memcpy(text, piece->texts.data, piece->texts.len);
        text += piece->texts.len;
    }
    return made;
}

void bertd_pieces_drop(struct bertd_call *call)
{
    while (call->pieces) {
        struct bertd_piece *next = call->pieces->next;
        free_piece(&call->queue->client->memory, call->pieces);
        call->pieces = next;
    }
}
