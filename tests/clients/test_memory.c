/* Each allocation of the library fails in turn: NO_MEMORY or the right result, and nothing leaks. Those of libcurl are
 * left out: libcurl 7.88 divides by the size of a table that it had no memory for. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/clients/kinds.h"

TestSuite(memory, .timeout = 300);

enum { TEXTS = 70 };

static atomic_long fail_at = -1; /* this allocation from now on fails; negative: none */
static atomic_long in_use;

static bool fails(void)
{
    return atomic_load(&fail_at) >= 0 && atomic_fetch_sub(&fail_at, 1) == 0;
}

static void *take(void *cookie, size_t size)
{
    (void)cookie;
    if (fails())
        return NULL;
    in_use++;
    return malloc(size);
}

static void *take_again(void *cookie, void *memory, size_t size)
{
    (void)cookie;
    if (fails())
        return NULL;
    in_use += memory == NULL;
    return realloc(memory, size);
}

static void give(void *cookie, void *memory)
{
    (void)cookie;
    in_use -= memory != NULL;
    free(memory);
}

static struct stand stand;
static char **texts;
static bool only_embeds;

static struct bertd_options options_for(const char *const *addresses)
{
    struct bertd_options options = bertd_options_default();
    options.endpoints = addresses;
    options.n_endpoints = 1;
    options.api_key = "key";
    options.backoff_ms = 1;
    options.breaker_rest_ms = 1;
    options.allocate = take;
    options.reallocate = take_again;
    options.release = give;
    return options;
}

static enum bertd_status call_for_tokens(struct bertd_client *client, struct bertd_error *err)
{
    const char *const *some = (const char *const *)texts;
    struct bertd_token_embeddings *all = NULL;
    struct bertd_tokens *tokens = NULL;
    enum bertd_status status = bertd_embed_all(client, some, NULL, TEXTS, NULL, &all, err);
    if (status == BERTD_OK)
        status = bertd_tokenize(client, some, NULL, TEXTS, NULL, &tokens, err);
    if (status == BERTD_OK)
        cr_assert_str_eq(tokens->tokens[tokens->begin[TEXTS - 1] + 1].text, some[TEXTS - 1]);
    bertd_free(all);
    bertd_free(tokens);
    return status;
}

/* Everything that can be called. Returns the first status that is not OK. */
static enum bertd_status call_all(struct bertd_error *err)
{
    const char *const *some = (const char *const *)texts;
    const char *addresses[] = {stand.address};
    const struct bertd_options options = options_for(addresses);
    struct bertd_client *client = NULL;
    struct bertd_embeddings *embeddings = NULL;
    struct bertd_info *info = NULL;
    struct bertd_cancel *cancel = NULL;
    float scores[TEXTS];
    enum bertd_status status = bertd_client_create(&client, &options, err);
    if (status == BERTD_OK)
        status = bertd_cancel_create(client, &cancel, err);
    if (status == BERTD_OK)
        status = bertd_embed(client, some, NULL, TEXTS, NULL, &embeddings, err);
    if (status == BERTD_OK)
        kinds_check(embeddings, some, NULL, TEXTS);
    if (status == BERTD_OK && !only_embeds)
        status = call_for_tokens(client, err);
    if (status == BERTD_OK)
        status = bertd_similarity(client, some[0], some, NULL, TEXTS, NULL, scores, err);
    if (status == BERTD_OK)
        status = bertd_get_info(client, NULL, &info, err);
    if (status == BERTD_OK)
        status = bertd_check_health(client, NULL, err);
    bertd_free(embeddings);
    bertd_free(info);
    bertd_cancel_destroy(&cancel);
    bertd_client_destroy(&client);
    return status;
}

/* One after the other, until all succeed. */
static void fail_each(stand_handler *handler)
{
    struct bertd_error err;
    bool failed = true;
    texts = kinds_texts(TEXTS);
    stand_start(&stand, &(struct stand_options){.handler = handler});
    for (long n = 0; failed; n++) {
        fail_at = n;
        enum bertd_status status = call_all(&err);
        failed = fail_at < 0;
        cr_assert(failed || n > 30);
        cr_assert_eq(in_use, 0, "allocation %ld", n);
        cr_assert(status == BERTD_OK || (failed && status == BERTD_NO_MEMORY), "allocation %ld: %s: %s", n,
                  bertd_status_name(status), err.message);
    }
    stand_stop(&stand);
    kinds_free_texts(texts, TEXTS);
}

Test(memory, of_bertd)
{
    fail_each(kinds_bertd);
}

Test(memory, of_text_embeddings_inference)
{
    fail_each(kinds_tei);
}

Test(memory, of_openai)
{
    only_embeds = true;
    fail_each(kinds_openai);
}
