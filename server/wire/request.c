#include "server/wire/request.h"

#include <string.h>

#include "server/wire/fields.h"

struct wire_embed wire_embed_begin(const struct wire_embed_defaults *defaults)
{
    return (struct wire_embed){.truncate = defaults->truncate,
                               .chunk = defaults->chunk,
                               .chunk_overlap = defaults->chunk_overlap,
                               .normalize = true};
}

void wire_embed_options(struct wire_embed *embed, struct wire_field ret[WIRE_EMBED_OPTIONS])
{
    const struct wire_field fields[WIRE_EMBED_OPTIONS] = {
        {"truncate", wire_field_bool, &embed->truncate, false},
        {"truncation_direction", wire_field_direction, &embed->direction, false},
        {"prompt_name", wire_field_string, &embed->prompt_name, false},
        {"chunk", wire_field_bool, &embed->chunk, false},
        {"chunk_overlap", wire_field_count, &embed->chunk_overlap, false},
        {"normalize", wire_field_bool, &embed->normalize, false},
        {"dimensions", wire_field_positive, &embed->dimensions, false},
    };
    memcpy(ret, fields, sizeof fields);
}

enum status wire_embed_read(struct wire_embed *ret, const char *body, size_t len, const struct wire_limits *limits,
                            const struct wire_embed_defaults *defaults, bool with_output, struct arena *arena,
                            struct error *err)
{
    struct wire_embed embed = wire_embed_begin(defaults);
    struct wire_field fields[1 + WIRE_EMBED_OPTIONS] = {{"inputs", wire_field_inputs, &embed.inputs, true}};
    wire_embed_options(&embed, fields + 1);
    uint32_t n = 1 + (with_output ? WIRE_EMBED_OPTIONS : WIRE_EMBED_INPUT_OPTIONS);
    enum status status = wire_fields_read(body, len, fields, n, &embed.unknown, limits, arena, err);
    if (status == STATUS_OK)
        *ret = embed;
    return status;
}

/* The source and the sentences as the inputs of one request. */
static enum status join_sentences(struct wire_embed *embed, struct wire_string source,
                                  const struct wire_inputs *sentences, const struct wire_limits *limits,
                                  struct arena *arena, struct error *err)
{
    if (source.len == 0)
        return error_set(err, STATUS_EMPTY, "`source_sentence` cannot be empty");
    if (sentences->single)
        return error_set(err, STATUS_VALIDATION, "`sentences`: expected an array of strings, got a string");
    uint32_t n = sentences->n + 1;
    enum status status = wire_check_count(n, limits, err);
    if (status != STATUS_OK)
        return status;
    struct wire_input *items = arena_alloc_array(arena, n, sizeof *items, _Alignof(struct wire_input));
    if (!items)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the sentences");
    items[0] = (struct wire_input){.text = source};
    memcpy(items + 1, sentences->items, sentences->n * sizeof *items);
    embed->inputs = (struct wire_inputs){.items = items, .n = n};
    return STATUS_OK;
}

enum status wire_similarity_read(struct wire_embed *ret, const char *body, size_t len, const struct wire_limits *limits,
                                 const struct wire_embed_defaults *defaults, struct arena *arena, struct error *err)
{
    struct wire_embed embed = wire_embed_begin(defaults);
    struct wire_string source = {0};
    struct wire_inputs sentences = {0};
    const struct wire_field inputs[] = {
        {"source_sentence", wire_field_string, &source, true},
        {"sentences", wire_field_texts, &sentences, true},
    };
    struct wire_field options[WIRE_EMBED_OPTIONS];
    wire_embed_options(&embed, options);
    const struct wire_field fields[] = {
        {"inputs", wire_field_object, &(struct wire_object){inputs, 2, &embed.unknown}, true},
        {"parameters", wire_field_object, &(struct wire_object){options, WIRE_EMBED_INPUT_OPTIONS, &embed.unknown},
         false},
    };
    enum status status = wire_fields_read(body, len, fields, 2, &embed.unknown, limits, arena, err);
    if (status == STATUS_OK)
        status = join_sentences(&embed, source, &sentences, limits, arena, err);
    if (status == STATUS_OK)
        *ret = embed;
    return status;
}

enum status wire_tokenize_read(struct wire_tokenize *ret, const char *body, size_t len,
                               const struct wire_limits *limits, struct arena *arena, struct error *err)
{
    struct wire_tokenize tokenize = {.add_special_tokens = true};
    const struct wire_field fields[] = {
        {"inputs", wire_field_texts, &tokenize.inputs, true},
        {"add_special_tokens", wire_field_bool, &tokenize.add_special_tokens, false},
        {"prompt_name", wire_field_string, &tokenize.prompt_name, false},
    };
    enum status status =
        wire_fields_read(body, len, fields, sizeof fields / sizeof *fields, &tokenize.unknown, limits, arena, err);
    if (status == STATUS_OK)
        *ret = tokenize;
    return status;
}

enum status wire_decode_read(struct wire_decode *ret, const char *body, size_t len, const struct wire_limits *limits,
                             struct arena *arena, struct error *err)
{
    struct wire_decode decode = {.skip_special_tokens = true};
    const struct wire_field fields[] = {
        {"ids", wire_field_ids, &decode.inputs, true},
        {"skip_special_tokens", wire_field_bool, &decode.skip_special_tokens, false},
    };
    enum status status =
        wire_fields_read(body, len, fields, sizeof fields / sizeof *fields, &decode.unknown, limits, arena, err);
    if (status == STATUS_OK)
        *ret = decode;
    return status;
}
