/* Each allocation fails in turn, the library's and libcurl's: NO_MEMORY or the right result, nothing leaks, and the
 * client is as before. */
#include <criterion/criterion.h>
#include <curl/curl.h>
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

static void *curl_take(size_t size)
{
    return fails() ? NULL : malloc(size);
}

static void *curl_take_again(void *memory, size_t size)
{
    return fails() ? NULL : realloc(memory, size);
}

static char *curl_copy(const char *text)
{
    return fails() ? NULL : strdup(text);
}

static void *curl_take_zeroed(size_t n, size_t size)
{
    return fails() ? NULL : calloc(n, size);
}

static struct stand stand;
static char **texts;
static uint32_t timeout_ms;

static struct bertd_options options_for(const char *const *addresses)
{
    struct bertd_options options = bertd_options_default();
    options.endpoints = addresses;
    options.n_endpoints = 1;
    options.api_key = "key";
    options.backoff_ms = 1;
    options.breaker_rest_ms = 1;
    options.timeout_ms = timeout_ms;
    options.allocate = take;
    options.reallocate = take_again;
    options.release = give;
    return options;
}

/* Everything that can be called. Returns the first status that is not OK. */
static enum bertd_status call_all(struct bertd_error *err)
{
    const char *const *some = (const char *const *)texts;
    const char *addresses[] = {stand.address};
    const struct bertd_options options = options_for(addresses);
    struct bertd_client *client = NULL;
    struct bertd_embeddings *embeddings = NULL;
    struct bertd_token_embeddings *all = NULL;
    struct bertd_tokens *tokens = NULL;
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
    if (status == BERTD_OK)
        status = bertd_embed_all(client, some, NULL, TEXTS, NULL, &all, err);
    if (status == BERTD_OK)
        status = bertd_tokenize(client, some, NULL, TEXTS, NULL, &tokens, err);
    if (status == BERTD_OK)
        cr_assert_str_eq(tokens->tokens[tokens->begin[TEXTS - 1] + 1].text, some[TEXTS - 1]);
    if (status == BERTD_OK)
        status = bertd_similarity(client, some[0], some, NULL, TEXTS, NULL, scores, err);
    if (status == BERTD_OK)
        status = bertd_get_info(client, NULL, &info, err);
    if (status == BERTD_OK)
        status = bertd_check_health(client, NULL, err);
    bertd_free(embeddings);
    bertd_free(all);
    bertd_free(tokens);
    bertd_free(info);
    bertd_cancel_destroy(&cancel);
    bertd_client_destroy(&client);
    return status;
}

/* One after the other, until all succeed. */
static void fail_each(stand_handler *handler, bool of_libcurl)
{
    struct bertd_error err;
    bool failed = true;
    texts = kinds_texts(TEXTS);
    stand_start(&stand, &(struct stand_options){.handler = handler});
    /* libcurl forgets a socket where it has no memory to note it: then the deadline ends the call. It has more than one
     * name for that, too. */
    timeout_ms = of_libcurl ? 300 : 60000;
    for (long n = 0; failed; n++) {
        fail_at = n;
        enum bertd_status status = call_all(&err);
        failed = fail_at < 0;
        cr_assert(failed || n > 50);
        cr_assert_eq(in_use, 0, "allocation %ld", n);
        cr_assert(status == BERTD_OK || status == BERTD_NO_MEMORY || of_libcurl, "allocation %ld: %s: %s", n,
                  bertd_status_name(status), err.message);
    }
    fail_at = -1;
    timeout_ms = 60000;
    cr_assert_eq(call_all(&err), BERTD_OK, "%s", err.message);
    stand_stop(&stand);
    kinds_free_texts(texts, TEXTS);
}

Test(memory, of_bertd)
{
    fail_each(kinds_bertd, false);
}

Test(memory, of_text_embeddings_inference)
{
    fail_each(kinds_tei, false);
}

Test(memory, of_libcurl)
{
    cr_assert_eq(
        curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_take, free, curl_take_again, curl_copy, curl_take_zeroed),
        CURLE_OK);
    fail_each(kinds_bertd, true);
    curl_global_cleanup();
}
