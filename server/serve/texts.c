#include "server/serve/texts.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Longer texts cannot have so few tokens: text-embeddings-inference's bound on the work a text may ask for. */
enum { MAX_CHARS_PER_TOKEN = 250 };

uint64_t serve_text_chars(const struct serve_input *input)
{
    return input->ids ? input->n_ids : utf8_count(input->text.bytes, input->text.len);
}

static struct serve_string keep_first(struct serve_string text, uint64_t chars)
{
    size_t at = 0;
    for (; at < text.len; at++) {
        if (((unsigned char)text.bytes[at] & 0xC0) != 0x80 && chars-- == 0)
            break;
    }
    return (struct serve_string){text.bytes, at};
}

static struct serve_string keep_last(struct serve_string text, uint64_t chars)
{
    size_t at = text.len;
    while (at > 0 && chars > 0) {
        at--;
        chars -= ((unsigned char)text.bytes[at] & 0xC0) != 0x80;
    }
    return (struct serve_string){text.bytes + at, text.len - at};
}

const char *serve_text_name(int64_t index, char *name, size_t size)
{
    if (index < 0)
        snprintf(name, size, "`inputs`");
    else
        snprintf(name, size, "`inputs[%lld]`", (long long)index);
    return name;
}

enum status serve_inputs_check(const struct serve_server *server, const struct serve_inputs *inputs, const char *name,
                               struct error *err)
{
    uint32_t limit = server->options.max_client_batch_size;
    if (inputs->n == 0)
        return error_set(err, STATUS_EMPTY, "`%s` cannot be empty", name);
    if (inputs->n > limit)
        return error_set(err, STATUS_VALIDATION,
                         "batch size %u > maximum allowed batch size %u (see --max-client-batch-size)", inputs->n,
                         limit);
    for (uint32_t i = 0; i < inputs->n; i++) {
        const struct serve_input *input = &inputs->items[i];
        if (input->ids ? input->n_ids > 0 : input->text.len > 0)
            continue;
        if (inputs->single)
            return error_set(err, STATUS_EMPTY, "`%s` cannot be empty", name);
        return error_set(err, STATUS_EMPTY, "`%s[%u]` cannot be empty", name, i);
    }
    return STATUS_OK;
}

/* Refuse what is far too long, or cut it at the end that truncation cuts at, before the tokenizer sees it. */
static enum status bound_chars(const struct serve_server *server, const struct serve_input *input, int64_t index,
                               const struct serve_text_options *options, struct serve_text *ret, struct error *err)
{
    char name[32];
    uint64_t limit = (uint64_t)server->options.max_input_length * MAX_CHARS_PER_TOKEN;
    if (options->chunk)
        limit *= server->options.max_chunks;
    uint64_t chars = input->ids || input->text.len > limit ? serve_text_chars(input) : 0;
    ret->text = input->text;
    if (chars <= limit)
        return STATUS_OK;
    if (!options->truncate)
        return error_set(err, STATUS_VALIDATION,
                         "%s must have less than %llu characters. Given: %llu (see --max-input-length%s)",
                         serve_text_name(index, name, sizeof name), (unsigned long long)limit,
                         (unsigned long long)chars, options->chunk ? " and --max-chunks" : "");
    if (input->ids)
        return STATUS_OK;
    ret->text = options->direction == TOKEN_LEFT ? keep_last(ret->text, limit) : keep_first(ret->text, limit);
    ret->cut = true;
    return STATUS_OK;
}

static enum status join(struct serve_string prompt, struct serve_string text, struct arena *arena,
                        struct serve_string *ret, struct error *err)
{
    char *bytes = arena_alloc(arena, prompt.len + text.len);
    if (!bytes)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a prompt and a text of %zu bytes", text.len);
    memcpy(bytes, prompt.bytes, prompt.len);
    if (text.len)
        memcpy(bytes + prompt.len, text.bytes, text.len);
    *ret = (struct serve_string){bytes, prompt.len + text.len};
    return STATUS_OK;
}

static enum status decode_ids(const struct serve_server *server, const struct serve_input *input, int64_t index,
                              bool skip_special, struct arena *arena, struct serve_string *ret, struct error *err)
{
    char *bytes = NULL, name[32];
    size_t len = 0;
    for (uint32_t i = 0; i < input->n_ids; i++) {
        if (!token_vocab_text(server->options.vocab, input->ids[i]))
            return error_set(err, STATUS_VALIDATION, "%s: %u is not the id of a token (the vocabulary has %u entries)",
                             serve_text_name(index, name, sizeof name), input->ids[i],
                             token_vocab_size(server->options.vocab));
    }
    enum status status =
        token_decode(server->options.vocab, input->ids, input->n_ids, skip_special, arena, &bytes, &len, err);
    if (status == STATUS_OK)
        *ret = (struct serve_string){bytes, len};
    return status;
}

static enum status check_length(const struct serve_server *server, int64_t index, bool chunk,
                                const struct token_encoding *encoding, struct error *err)
{
    char name[32];
    uint32_t limit = server->options.max_input_length;
    if (encoding->n > limit && !chunk)
        return error_set(err, STATUS_VALIDATION, "%s must have at most %u tokens. Given: %u (see --max-input-length)",
                         serve_text_name(index, name, sizeof name), limit, encoding->n);
    if (encoding->n == 0)
        return error_set(err, STATUS_VALIDATION, "%s: no tokens", serve_text_name(index, name, sizeof name));
    return STATUS_OK;
}

/* Ids come with special tokens of their own: at most one at each end counts as such. */
static void find_ends(const struct token_vocab *vocab, size_t prompt_len, bool template, struct serve_text *text)
{
    const struct token_encoding *e = &text->encoding;
    uint32_t lead = 0, trail = 0;
    if (!template) {
        lead = token_vocab_is_special(vocab, e->ids[0]);
        trail = e->n > 1 && token_vocab_is_special(vocab, e->ids[e->n - 1]);
    } else {
        while (lead < e->n && e->template_token[lead])
            lead++;
        while (trail < e->n - lead && e->template_token[e->n - 1 - trail])
            trail++;
        while (lead < e->n - trail && e->spans[lead].stop <= prompt_len)
            lead++;
    }
    text->n_lead = lead;
    text->n_trail = trail;
}

enum status serve_text_encode(const struct serve_server *server, const struct serve_input *input, int64_t index,
                              const struct serve_text_options *options, struct arena *arena, struct serve_text *ret,
                              struct error *err)
{
    struct serve_text text = {0};
    bool has_prompt = options->prompt.bytes != NULL;
    bool template = options->add_special_tokens && (!input->ids || has_prompt);
    bool chunk = options->limit_tokens && options->chunk;
    enum status status = bound_chars(server, input, index, options, &text, err);
    if (status == STATUS_OK && input->ids)
        status = decode_ids(server, input, index, has_prompt, arena, &text.text, err);
    if (status == STATUS_OK && has_prompt)
        status = join(options->prompt, text.text, arena, &text.text, err);
    struct token_options how = {
        .add_special_tokens = template,
        .max_tokens = options->limit_tokens && options->truncate && !chunk ? server->options.max_input_length : 0,
        .direction = options->direction,
    };
    if (status == STATUS_OK)
        status = token_encode(server->options.vocab, text.text.bytes, text.text.len, &how, arena, &text.encoding, err);
    if (status == STATUS_OK && options->limit_tokens)
        status = check_length(server, index, chunk, &text.encoding, err);
    if (status != STATUS_OK)
        return status;
    text.cut = text.cut || text.encoding.n < text.encoding.n_full;
    if (chunk)
        find_ends(server->options.vocab, options->prompt.len, template, &text);
    *ret = text;
    return STATUS_OK;
}
