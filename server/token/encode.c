#include <stdalign.h>

#include "base/utf8.h"
#include "server/token/added.h"
#include "server/token/list.h"
#include "server/token/scan.h"
#include "server/token/token.h"
#include "server/token/vocab.h"

enum { MAX_TEXTS = 2 };

struct text {
    const char *bytes;
    size_t len;
};

static enum status check_text(const struct text *text, struct error *err)
{
    if (text->len > TOKEN_MAX_TEXT)
        return error_set(err, STATUS_TOKENIZER, "a text of %zu bytes; the limit is %d", text->len, TOKEN_MAX_TEXT);
    size_t valid = utf8_valid(text->bytes, text->len);
    if (valid < text->len)
        return error_set(err, STATUS_TOKENIZER, "the text is not valid UTF-8 at byte %zu", valid);
    return STATUS_OK;
}

/* How many tokens of each text stay, within `budget` for both: a text that fits into half of it stays whole. */
static void share(const struct token_list *lists, uint32_t n_texts, uint32_t budget, uint32_t kept[MAX_TEXTS])
{
    kept[0] = token_list_kept(&lists[0]);
    if (n_texts == 1)
        return;
    kept[1] = token_list_kept(&lists[1]);
    if ((uint64_t)lists[0].n + lists[1].n <= budget)
        return;
    uint32_t shorter = lists[0].n > lists[1].n; /* of equal ones the first */
    if (kept[shorter] > budget / 2)
        kept[shorter] = budget / 2;
    kept[!shorter] = budget - kept[shorter];
}

static bool allocate(struct token_encoding *e, struct arena *arena, uint32_t n)
{
    *e = (struct token_encoding){.n = n};
    e->ids = arena_alloc_array(arena, n, sizeof *e->ids, alignof(uint32_t));
    e->spans = arena_alloc_array(arena, n, sizeof *e->spans, alignof(struct token_span));
    e->type_ids = arena_alloc_array(arena, n, sizeof *e->type_ids, 1);
    e->template_token = arena_alloc_array(arena, n, sizeof *e->template_token, 1);
    return e->ids && e->spans && e->type_ids && e->template_token;
}

static void put(struct token_encoding *e, uint32_t at, uint32_t id, struct token_span span, uint8_t type_id, bool added)
{
    e->ids[at] = id;
    e->spans[at] = span;
    e->type_ids[at] = type_id;
    e->template_token[at] = added;
}

static void fill(struct token_encoding *e, const struct token_template *t, bool add_special_tokens,
                 const struct token_list *lists, const uint32_t *kept)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        const struct token_template_item *item = &t->items[i];
        if (item->slot == TOKEN_SLOT_ID) {
            if (add_special_tokens)
                put(e, at++, item->id, (struct token_span){0, 0}, item->type_id, true);
            continue;
        }
        const struct token_list *list = &lists[item->slot == TOKEN_SLOT_SECOND];
        uint32_t n = kept[item->slot == TOKEN_SLOT_SECOND];
        for (uint32_t j = 0; j < n; j++) {
            const struct token_item *token = token_list_at(list, n, j);
            put(e, at++, token->id, token->span, item->type_id, false);
        }
    }
}

static enum status assemble(const struct token_template *t, const struct token_options *options, uint32_t budget,
                            const struct token_list *lists, uint32_t n_texts, struct arena *arena,
                            struct token_encoding *ret, struct error *err)
{
    struct token_encoding e;
    uint32_t kept[MAX_TEXTS] = {0}, n_special = options->add_special_tokens ? t->n_special : 0;
    share(lists, n_texts, budget, kept);
    uint32_t n = n_special + kept[0] + kept[1];
    if (!allocate(&e, arena, n))
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u tokens", n);
    fill(&e, t, options->add_special_tokens, lists, kept);
    e.n_full = n_special + lists[0].n + (n_texts > 1 ? lists[1].n : 0);
    *ret = e;
    return STATUS_OK;
}

static enum status encode(const struct token_vocab *vocab, const struct text *texts, uint32_t n_texts,
                          const struct token_options *options, struct arena *arena, struct token_encoding *ret,
                          struct error *err)
{
    const struct token_template *t = n_texts == 1 ? &vocab->single : &vocab->pair;
    uint32_t n_special = options->add_special_tokens ? t->n_special : 0, budget = UINT32_MAX;
    if (options->max_tokens > 0)
        budget = options->max_tokens > n_special ? options->max_tokens - n_special : 0;
    struct token_list lists[MAX_TEXTS];
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < n_texts; i++) {
        token_list_init(&lists[i], budget, options->direction);
        if (status == STATUS_OK)
            status = check_text(&texts[i], err);
        if (status == STATUS_OK)
            status = token_scan(vocab, texts[i].bytes, texts[i].len, &lists[i], NULL, err);
    }
    if (status == STATUS_OK)
        status = assemble(t, options, budget, lists, n_texts, arena, ret, err);
    for (uint32_t i = 0; i < n_texts; i++)
        token_list_finish(&lists[i]);
    return status;
}

enum status token_encode(const struct token_vocab *vocab, const char *text, size_t len,
                         const struct token_options *options, struct arena *arena, struct token_encoding *ret,
                         struct error *err)
{
    return encode(vocab, &(struct text){text, len}, 1, options, arena, ret, err);
}

enum status token_encode_pair(const struct token_vocab *vocab, const char *a, size_t a_len, const char *b, size_t b_len,
                              const struct token_options *options, struct arena *arena, struct token_encoding *ret,
                              struct error *err)
{
    return encode(vocab, (struct text[]){{a, a_len}, {b, b_len}}, 2, options, arena, ret, err);
}
