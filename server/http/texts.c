#include "server/http/texts.h"

#include <string.h>

/* Longer texts cannot have so few tokens: text-embeddings-inference's bound on the work a text may ask for. */
enum { MAX_CHARS_PER_TOKEN = 250 };

uint64_t http_text_chars(const struct wire_input *input)
{
    return input->ids ? input->n_ids : wire_utf8_count(input->text.bytes, input->text.len);
}

static struct wire_string keep_first(struct wire_string text, uint64_t chars)
{
    size_t at = 0;
    for (; at < text.len; at++) {
        if (((unsigned char)text.bytes[at] & 0xC0) != 0x80 && chars-- == 0)
            break;
    }
    return (struct wire_string){text.bytes, at};
}

static struct wire_string keep_last(struct wire_string text, uint64_t chars)
{
    size_t at = text.len;
    while (at > 0 && chars > 0) {
        at--;
        chars -= ((unsigned char)text.bytes[at] & 0xC0) != 0x80;
    }
    return (struct wire_string){text.bytes + at, text.len - at};
}

/* Refuse what is far too long, or cut it at the end that truncation cuts at, before the tokenizer sees it. */
static enum status bound_chars(const struct http_server *server, const struct wire_input *input,
                               const struct http_text_options *options, struct wire_string *ret, struct error *err)
{
    uint64_t limit = (uint64_t)server->options.max_input_length * MAX_CHARS_PER_TOKEN;
    uint64_t chars = input->ids || input->text.len > limit ? http_text_chars(input) : 0;
    *ret = input->text;
    if (chars <= limit)
        return STATUS_OK;
    if (!options->truncate)
        return error_set(err, STATUS_VALIDATION, "`inputs` must have less than %llu characters. Given: %llu",
                         (unsigned long long)limit, (unsigned long long)chars);
    if (!input->ids)
        *ret = options->direction == TOKEN_LEFT ? keep_last(*ret, limit) : keep_first(*ret, limit);
    return STATUS_OK;
}

static enum status join(struct wire_string prompt, struct wire_string text, struct arena *arena,
                        struct wire_string *ret, struct error *err)
{
    char *bytes = arena_alloc(arena, prompt.len + text.len);
    if (!bytes)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a prompt and a text of %zu bytes", text.len);
    memcpy(bytes, prompt.bytes, prompt.len);
    if (text.len)
        memcpy(bytes + prompt.len, text.bytes, text.len);
    *ret = (struct wire_string){bytes, prompt.len + text.len};
    return STATUS_OK;
}

static enum status decode_ids(const struct http_server *server, const struct wire_input *input, bool skip_special,
                              struct arena *arena, struct wire_string *ret, struct error *err)
{
    char *bytes = NULL;
    size_t len = 0;
    enum status status =
        token_decode(server->options.vocab, input->ids, input->n_ids, skip_special, arena, &bytes, &len, err);
    if (status == STATUS_OK)
        *ret = (struct wire_string){bytes, len};
    return status;
}

static enum status check_length(const struct http_server *server, const struct token_encoding *encoding,
                                struct error *err)
{
    uint32_t limit = server->options.max_input_length;
    if (encoding->n > limit)
        return error_set(err, STATUS_VALIDATION, "`inputs` must have at most %u tokens. Given: %u", limit, encoding->n);
    if (encoding->n == 0)
        return error_set(err, STATUS_VALIDATION, "`inputs`: none of the token ids is in the vocabulary (%u entries)",
                         token_vocab_size(server->options.vocab));
    return STATUS_OK;
}

enum status http_text_encode(const struct http_server *server, const struct wire_input *input,
                             const struct http_text_options *options, struct arena *arena, struct token_encoding *ret,
                             struct wire_string *ret_text, struct error *err)
{
    struct wire_string text;
    bool has_prompt = options->prompt.bytes != NULL;
    enum status status = bound_chars(server, input, options, &text, err);
    if (status == STATUS_OK && input->ids)
        status = decode_ids(server, input, has_prompt, arena, &text, err);
    if (status == STATUS_OK && has_prompt)
        status = join(options->prompt, text, arena, &text, err);
    struct token_options how = {
        .add_special_tokens = options->add_special_tokens && (!input->ids || has_prompt),
        .max_tokens = options->limit_tokens && options->truncate ? server->options.max_input_length : 0,
        .direction = options->direction,
    };
    struct token_encoding encoding = {0};
    if (status == STATUS_OK)
        status = token_encode(server->options.vocab, text.bytes, text.len, &how, arena, &encoding, err);
    if (status == STATUS_OK && options->limit_tokens)
        status = check_length(server, &encoding, err);
    if (status != STATUS_OK)
        return status;
    *ret = encoding;
    *ret_text = text;
    return STATUS_OK;
}
