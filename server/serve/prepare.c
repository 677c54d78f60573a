#include "server/serve/prepare.h"

#include <string.h>

#include "base/clock.h"
#include "server/serve/server.h"
#include "server/serve/texts.h"
#include "server/serve/windows.h"

enum { SCRATCH_LIMIT = 1 << 30 };

struct preparation {
    struct serve_infer *infer;
    const struct serve_infer_spec *spec;
    struct serve_text_options options;
    uint32_t capacity; /* of infer->items */
    uint32_t unpooled; /* tokens at a text's beginning that pooling leaves out */
};

static struct batch_item *add_item(struct preparation *p)
{
    struct serve_infer *infer = p->infer;
    if (infer->n_items == p->capacity) {
        uint32_t larger = p->capacity * 2;
        struct batch_item *copy =
            arena_alloc_array(infer->call->arena, larger, sizeof *copy, _Alignof(struct batch_item));
        if (!copy)
            return NULL;
        memcpy(copy, infer->items, infer->n_items * sizeof *copy);
        infer->items = copy;
        p->capacity = larger;
    }
    struct batch_item *item = &infer->items[infer->n_items++];
    *item = (struct batch_item){.pooling = p->spec->pooling};
    return item;
}

static uint32_t *put(uint32_t *to, const uint32_t *ids, uint32_t n)
{
    memcpy(to, ids, n * sizeof *ids);
    return to + n;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Leave the first tokens of a text out of what is pooled, but for one row. Every window begins with them: cls is the
 * first token behind them in each. */
static void leave_out(struct batch_item *item, uint32_t unpooled, bool first)
{
    if (first)
        item->n_rows -= least(unpooled, item->n_rows - 1);
    if (first || item->pooling == BATCH_POOL_CLS)
        item->first_row = least(unpooled, item->n_tokens - item->n_rows);
}

/* One window of a text: what every window repeats, around its slice; `skip` tokens are left out in front of all. The
 * repeated tokens belong to the first and the last window. */
static enum status add_window(struct preparation *p, uint32_t input, const struct serve_text *text, uint32_t skip,
                              const struct serve_windows *windows, uint32_t index, struct error *err)
{
    /* Where the prompt itself was cut at its beginning, less of it is there. */
    uint32_t cut = p->spec->direction == TOKEN_LEFT ? text->encoding.n_full - text->encoding.n : 0;
    uint32_t unpooled = p->unpooled > cut ? p->unpooled - cut : p->unpooled > 0;
    struct serve_window window = serve_windows_at(windows, index);
    uint32_t lead = text->n_lead, trail = text->n_trail;
    uint32_t n = lead + (window.end - window.begin) + trail;
    const uint32_t *all = text->encoding.ids;
    enum status status = serve_call_reserve(p->infer->call, n * sizeof *all + 2 * sizeof(struct batch_item), err);
    if (status != STATUS_OK)
        return status;
    uint32_t *ids = arena_alloc_array(p->infer->call->arena, n, sizeof *ids, sizeof *ids);
    struct batch_item *item = ids ? add_item(p) : NULL;
    if (!item)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u tokens", n);
    uint32_t *to = put(ids, all, lead);
    to = put(to, all + lead + skip + window.begin, window.end - window.begin);
    put(to, all + text->encoding.n - trail, trail);
    bool first = index == 0, last = index + 1 == windows->n;
    item->ids = ids;
    item->n_tokens = n;
    item->input = input;
    item->first_row = first || item->pooling == BATCH_POOL_CLS ? 0 : lead + window.own_begin - window.begin;
    item->n_rows = (first ? lead : 0) + (window.own_end - window.own_begin) + (last ? trail : 0);
    if (unpooled > 0)
        leave_out(item, unpooled, first);
    return STATUS_OK;
}

static enum status plan_windows(const struct preparation *p, uint32_t input, const struct serve_text *text,
                                struct serve_windows *ret, struct error *err)
{
    const struct serve_options *options = &p->infer->call->server->options;
    char name[32];
    uint32_t repeated = text->n_lead + text->n_trail;
    serve_text_name(p->spec->inputs.single ? -1 : (int64_t)input, name, sizeof name);
    if (repeated >= options->max_input_length)
        return error_set(
            err, STATUS_VALIDATION,
            "%s: a prompt of %u tokens leaves no room for a text within %u tokens (see --max-input-length)", name,
            repeated, options->max_input_length);
    uint32_t tokens = text->encoding.n - repeated;
    *ret =
        serve_windows_plan(tokens, options->max_input_length - repeated, p->spec->chunk_overlap, options->max_chunks);
    if (ret->tokens < tokens && !p->spec->truncate)
        return error_set(err, STATUS_VALIDATION,
                         "%s must have at most %u tokens to fit into %u chunks. Given: %u (see --max-chunks)", name,
                         ret->tokens + repeated, options->max_chunks, text->encoding.n);
    return STATUS_OK;
}

static enum status add_text(struct preparation *p, uint32_t input, const struct serve_text *text, struct error *err)
{
    uint32_t n = text->encoding.n, limit = p->infer->call->server->options.max_input_length;
    struct serve_windows windows = {.n = 1, .tokens = n - text->n_lead - text->n_trail};
    enum status status = n > limit ? plan_windows(p, input, text, &windows, err) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    uint32_t left_out = n - text->n_lead - text->n_trail - windows.tokens;
    struct serve_infer_input *out = &p->infer->inputs[input];
    *out = (struct serve_infer_input){.first_item = p->infer->n_items,
                                      .n_items = windows.n,
                                      .n_tokens = n - left_out,
                                      .truncated = text->cut || left_out > 0};
    uint32_t skip = p->spec->direction == TOKEN_LEFT ? left_out : 0;
    for (uint32_t w = 0; w < windows.n && status == STATUS_OK; w++)
        status = add_window(p, input, text, skip, &windows, w, err);
    return status;
}

/* Tokenised in memory of its own, which a long text may need a lot of; only the ids are kept. */
static enum status prepare_input(struct preparation *p, uint32_t index, struct error *err)
{
    const struct serve_inputs *inputs = &p->spec->inputs;
    struct arena *scratch = arena_create(SCRATCH_LIMIT);
    if (!scratch)
        return error_set(err, STATUS_NO_MEMORY, "no memory for tokenizing");
    struct serve_text text;
    enum status status = serve_text_encode(p->infer->call->server, &inputs->items[index],
                                           inputs->single ? -1 : (int64_t)index, &p->options, scratch, &text, err);
    if (status == STATUS_OK)
        status = add_text(p, index, &text, err);
    arena_destroy(&scratch);
    return status;
}

/* As sentence-transformers: the tokens of the prompt alone, with [CLS] before them but without [SEP] behind. */
static enum status count_unpooled(struct preparation *p, struct error *err)
{
    const struct serve_options *options = &p->infer->call->server->options;
    struct serve_string prompt = p->options.prompt;
    if (!options->unpooled_prompt || prompt.len == 0 || p->spec->pooling == BATCH_POOL_NONE)
        return STATUS_OK;
    struct arena *scratch = arena_create(SCRATCH_LIMIT);
    if (!scratch)
        return error_set(err, STATUS_NO_MEMORY, "no memory for tokenizing");
    struct token_options how = {.add_special_tokens = true, .max_tokens = options->max_input_length};
    struct token_encoding e;
    enum status status = token_encode(options->vocab, prompt.bytes, prompt.len, &how, scratch, &e, err);
    if (status == STATUS_OK)
        p->unpooled = e.n - (e.n > 0 && token_vocab_is_special(options->vocab, e.ids[e.n - 1]));
    arena_destroy(&scratch);
    return status;
}

static void count(struct serve_infer *infer, const struct serve_inputs *inputs)
{
    uint64_t vectors = 0;
    for (uint32_t i = 0; i < infer->n_items; i++) {
        const struct batch_item *item = &infer->items[i];
        infer->tokens += item->n_tokens;
        vectors += item->pooling == BATCH_POOL_NONE ? item->n_rows : 1;
    }
    infer->n_values = vectors * infer->width;
    for (uint32_t i = 0; i < inputs->n; i++)
        infer->chars += serve_text_chars(&inputs->items[i]);
}

enum status serve_prepare_items(struct serve_infer *infer, const struct serve_infer_spec *spec, struct error *err)
{
    struct serve_server *server = infer->call->server;
    struct arena *arena = infer->call->arena;
    uint32_t n = spec->inputs.n;
    struct preparation p = {.infer = infer, .spec = spec, .capacity = n};
    p.options = (struct serve_text_options){.add_special_tokens = true,
                                            .truncate = spec->truncate,
                                            .limit_tokens = true,
                                            .chunk = spec->chunk,
                                            .direction = spec->direction};
    uint64_t begin = clock_now_ns();
    infer->items = arena_alloc_array(arena, n, sizeof *infer->items, _Alignof(struct batch_item));
    infer->inputs = arena_alloc_array(arena, n, sizeof *infer->inputs, _Alignof(struct serve_infer_input));
    infer->n_inputs = n;
    infer->n_items = 0;
    infer->begun_ns = begin;
    if (!infer->items || !infer->inputs)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u inputs", n);
    enum status status = serve_prompts_find(&server->prompts, spec->prompt_name, &p.options.prompt, err);
    if (status == STATUS_OK)
        status = count_unpooled(&p, err);
    for (uint32_t i = 0; i < n && status == STATUS_OK; i++)
        status = prepare_input(&p, i, err);
    if (status == STATUS_OK)
        count(infer, &spec->inputs);
    infer->tokenization_ns = clock_now_ns() - begin;
    return status;
}
