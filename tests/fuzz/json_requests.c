/* Every request decoder on arbitrary bytes: no crash, no leak, and what is accepted keeps its promises. */
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "server/wire/openai.h"
#include "server/wire/request.h"
#include "server/wire/response.h"
#include "server/wire/v2.h"
#include "tests/fuzz/require.h"

static volatile uint32_t sink;

static void check_string(struct wire_string string)
{
    REQUIRE(utf8_valid(string.bytes, string.len) == string.len);
}

static void check_inputs(const struct wire_inputs *inputs, const struct wire_limits *limits)
{
    REQUIRE(inputs->n > 0 && inputs->n <= limits->max_inputs);
    for (uint32_t i = 0; i < inputs->n; i++) {
        const struct wire_input *input = &inputs->items[i];
        REQUIRE(input->ids ? input->n_ids > 0 : input->text.len > 0);
        uint32_t sum = 0;
        for (uint32_t j = 0; j < input->n_ids; j++)
            sum += input->ids[j]; /* the sanitizer checks that they are there */
        sink = sum;
        if (!input->ids)
            check_string(input->text);
    }
}

/* What is written as a string reads back the same. */
static void check_round_trip(struct wire_string string, struct arena *arena)
{
    struct buf buf = {0};
    wire_write_string(&buf, string.bytes, string.len);
    struct wire_json json;
    struct wire_string back;
    struct error err;
    wire_json_init(&json, buf.data, buf.len, arena, &err);
    REQUIRE(wire_json_peek(&json) == WIRE_JSON_STRING && wire_json_read_string(&json, &back) && wire_json_end(&json));
    REQUIRE(back.len == string.len && memcmp(back.bytes, string.bytes, back.len) == 0);
    buf_finish(&buf);
}

static void check_status(enum status status, const struct error *err)
{
    REQUIRE(status == STATUS_OK || (status == err->status && err->message[0]));
    REQUIRE(status == STATUS_OK || utf8_valid(err->message, strlen(err->message)) == strlen(err->message));
}

/* The readers of the other surfaces; the JSON of a tensor request ends at its first NUL. */
static void check_others(const char *body, size_t size, const struct wire_limits *limits,
                         const struct wire_embed_defaults *defaults, struct arena *arena)
{
    struct error err = {0};
    struct wire_embed embed;
    struct wire_openai openai;
    struct wire_v2 v2;
    const char *nul = memchr(body, '\0', size);
    size_t json_len = nul ? (size_t)(nul - body) : size;
    enum status status = wire_similarity_read(&embed, body, size, limits, defaults, arena, &err);
    check_status(status, &err);
    if (status == STATUS_OK)
        check_inputs(&embed.inputs, limits);
    status = wire_openai_read(&openai, body, size, limits, defaults, arena, &err);
    check_status(status, &err);
    if (status == STATUS_OK)
        check_inputs(&openai.embed.inputs, limits);
    status = wire_v2_read(&v2, body, size, json_len, limits, defaults, arena, &err);
    check_status(status, &err);
    if (status == STATUS_OK)
        check_inputs(&v2.embed.inputs, limits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct wire_limits limits = {.max_inputs = 8};
    static const struct wire_embed_defaults defaults = {.truncate = true, .chunk_overlap = 32};
    const char *body = (const char *)data;
    struct arena *arena = arena_create(1 << 24);
    struct error err = {0};
    struct wire_embed embed;
    enum status status = wire_embed_read(&embed, body, size, &limits, &defaults, true, arena, &err);
    check_status(status, &err);
    if (status == STATUS_OK) {
        check_inputs(&embed.inputs, &limits);
        if (!embed.inputs.items[0].ids)
            check_round_trip(embed.inputs.items[0].text, arena);
        if (embed.prompt_name.bytes)
            check_string(embed.prompt_name);
    }
    check_status(wire_embed_read(&embed, body, size, &limits, &defaults, false, arena, &err), &err);
    struct wire_tokenize tokenize;
    status = wire_tokenize_read(&tokenize, body, size, &limits, arena, &err);
    check_status(status, &err);
    if (status == STATUS_OK)
        check_inputs(&tokenize.inputs, &limits);
    struct wire_decode decode;
    status = wire_decode_read(&decode, body, size, &limits, arena, &err);
    check_status(status, &err);
    if (status == STATUS_OK)
        check_inputs(&decode.inputs, &limits);
    check_others(body, size, &limits, &defaults, arena);
    REQUIRE(arena_used(arena) <= 64 * size + 16384); /* memory is bounded by the text */
    arena_destroy(&arena);
    return 0;
}
