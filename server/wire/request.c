#include "server/wire/request.h"

#include "server/wire/fields.h"

enum status wire_embed_read(struct wire_embed *ret, const char *body, size_t len, const struct wire_limits *limits,
                            const struct wire_embed_defaults *defaults, bool with_output, struct arena *arena,
                            struct error *err)
{
    struct wire_embed embed = {.truncate = defaults->truncate,
                               .chunk = defaults->chunk,
                               .chunk_overlap = defaults->chunk_overlap,
                               .normalize = true};
    const struct wire_field fields[] = {
        {"inputs", wire_field_inputs, &embed.inputs, true},
        {"truncate", wire_field_bool, &embed.truncate, false},
        {"truncation_direction", wire_field_direction, &embed.direction, false},
        {"prompt_name", wire_field_string, &embed.prompt_name, false},
        {"chunk", wire_field_bool, &embed.chunk, false},
        {"chunk_overlap", wire_field_count, &embed.chunk_overlap, false},
        {"normalize", wire_field_bool, &embed.normalize, false},
        {"dimensions", wire_field_positive, &embed.dimensions, false},
    };
    uint32_t n = sizeof fields / sizeof *fields - (with_output ? 0 : 2);
    enum status status = wire_fields_read(body, len, fields, n, &embed.unknown, limits, arena, err);
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
