/* Every call, against every kind of server. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/clients/kinds.h"

TestSuite(calls, .timeout = 120);

static const char *const some[] = {"one", "another text", "F\xc3\xbcr \"Elise\"\n\\", "\xf0\x9f\x98\x80 smile"};
enum { SOME = sizeof some / sizeof some[0] };

static struct stand stand;
static struct kinds kinds;
static struct bertd_client *client;
static struct bertd_error err;

static void begin(stand_handler *handler)
{
    stand_start(&stand, &(struct stand_options){.handler = handler, .cookie = &kinds});
    const char *addresses[] = {stand.address};
    client = kinds_client(addresses, 1);
}

static void finish(void)
{
    bertd_client_destroy(&client);
    cr_assert_null(client);
    stand_stop(&stand);
}

static void embed_some(size_t n)
{
    struct bertd_embeddings *found = NULL;
    char **texts = kinds_texts(n);
    cr_assert_eq(bertd_embed(client, (const char *const *)texts, NULL, n, NULL, &found, &err), BERTD_OK, "%s",
                 err.message);
    kinds_check(found, (const char *const *)texts, NULL, n);
    bertd_free(found);
    kinds_free_texts(texts, n);
}

Test(calls, bertd_in_protobuf)
{
    struct bertd_embeddings *found = NULL;
    begin(kinds_bertd);
    cr_assert_eq(bertd_embed(client, some, NULL, SOME, NULL, &found, &err), BERTD_OK, "%s", err.message);
    kinds_check(found, some, NULL, SOME);
    for (size_t i = 0; i < SOME; i++) {
        cr_assert_eq(found->tokens[i], strlen(some[i]) + 200);
        cr_assert_eq(found->truncated[i], strlen(some[i]) % 2);
    }
    cr_assert_gt(found->total_tokens, 800);
    bertd_free(found);
    finish();
}

Test(calls, bertd_without_the_batch_call_in_json)
{
    struct bertd_embeddings *found = NULL;
    kinds.no_batch_call = true;
    begin(kinds_bertd);
    cr_assert_eq(bertd_embed(client, some, NULL, SOME, NULL, &found, &err), BERTD_OK, "%s", err.message);
    kinds_check(found, some, NULL, SOME);
    cr_assert_null(found->tokens);
    cr_assert_null(found->truncated);
    cr_assert_eq(found->total_tokens, 3 * SOME);
    bertd_free(found);
    embed_some(3);
    cr_assert_eq(stand.requests, 4); /* info, the batch call once, /embed twice */
    finish();
}

Test(calls, text_embeddings_inference)
{
    struct bertd_embeddings *found = NULL;
    begin(kinds_tei);
    cr_assert_eq(bertd_embed(client, some, NULL, SOME, NULL, &found, &err), BERTD_OK, "%s", err.message);
    kinds_check(found, some, NULL, SOME);
    bertd_free(found);
    finish();
}

Test(calls, openai)
{
    for (int form = 0; form < 4; form++) {
        struct bertd_embeddings *found = NULL;
        kinds.floats = form & 1;
        kinds.backwards = form & 2;
        begin(kinds_openai);
        cr_assert_eq(bertd_embed(client, some, NULL, SOME, NULL, &found, &err), BERTD_OK, "%s", err.message);
        kinds_check(found, some, NULL, SOME);
        cr_assert_eq(found->total_tokens, 8);
        bertd_free(found);
        finish();
    }
}

Test(calls, openai_by_an_address_that_ends_with_v1)
{
    struct bertd_options options = bertd_options_default();
    struct bertd_embeddings *found = NULL;
    char address[160];
    begin(kinds_openai);
    bertd_client_destroy(&client);
    snprintf(address, sizeof address, "%s/v1/", stand.address);
    options.endpoints = (const char *const[]){address};
    options.n_endpoints = 1;
    options.model = "text-embedding-3-small";
    cr_assert_eq(bertd_client_create(&client, &options, &err), BERTD_OK);
    cr_assert_eq(bertd_embed(client, some, NULL, SOME, NULL, &found, &err), BERTD_OK, "%s", err.message);
    kinds_check(found, some, NULL, SOME);
    cr_assert_eq(stand.requests, 1);
    bertd_free(found);
    cr_assert_eq(bertd_check_health(client, NULL, &err), BERTD_OK);
    finish();
}

Test(calls, openai_with_several_models_wants_one_named)
{
    struct bertd_embeddings *found = NULL;
    kinds.models = 3;
    begin(kinds_openai);
    cr_assert_eq(bertd_embed(client, some, NULL, SOME, NULL, &found, &err), BERTD_INVALID);
    cr_assert_not_null(strstr(err.message, "model"), "%s", err.message);
    finish();
}

Test(calls, what_openai_does_not_know_is_refused)
{
    struct bertd_call_options options = bertd_call_options_default();
    struct bertd_embeddings *found = NULL;
    struct bertd_token_embeddings *all = NULL;
    struct bertd_tokens *tokens = NULL;
    begin(kinds_openai);
    options.prompt_name = "query";
    cr_assert_eq(bertd_embed(client, some, NULL, SOME, &options, &found, &err), BERTD_UNSUPPORTED);
    cr_assert_not_null(strstr(err.message, "prompt_name"), "%s", err.message);
    cr_assert_eq(bertd_embed_all(client, some, NULL, SOME, NULL, &all, &err), BERTD_UNSUPPORTED);
    cr_assert_eq(bertd_tokenize(client, some, NULL, SOME, NULL, &tokens, &err), BERTD_UNSUPPORTED);
    cr_assert_eq(kinds.embeds, 0);
    finish();
}

Test(calls, what_is_found_out_is_remembered)
{
    stand_handler *handlers[] = {kinds_bertd, kinds_tei, kinds_openai};
    for (int i = 0; i < 3; i++) {
        begin(handlers[i]);
        embed_some(1);
        unsigned first = stand.requests;
        embed_some(1);
        embed_some(1);
        cr_assert_eq(stand.requests, first + 2);
        finish();
    }
}

Test(calls, many_texts_are_divided_and_keep_their_order)
{
    stand_handler *handlers[] = {kinds_bertd, kinds_tei, kinds_openai};
    const unsigned batches[] = {KINDS_BATCH, KINDS_BATCH, KINDS_OPENAI_BATCH};
    for (int i = 0; i < 3; i++) {
        kinds.embeds = kinds.most = 0;
        begin(handlers[i]);
        embed_some(1000);
        cr_assert_eq(kinds.embeds, (1000 + batches[i] - 1) / batches[i]);
        cr_assert_leq(kinds.most, batches[i]);
        finish();
    }
}

Test(calls, requests_keep_to_their_bytes)
{
    struct bertd_options options = bertd_options_default();
    begin(kinds_bertd);
    bertd_client_destroy(&client);
    options.endpoints = (const char *const[]){stand.address};
    options.n_endpoints = 1;
    options.max_request_bytes = 20;
    cr_assert_eq(bertd_client_create(&client, &options, &err), BERTD_OK);
    embed_some(10); /* of 6 bytes */
    cr_assert_eq(kinds.most, 3);
    finish();
}

Test(calls, what_is_too_large_is_halved)
{
    kinds.largest_body = 100; /* "text nn" is 9 bytes in protobuf */
    begin(kinds_bertd);
    embed_some(100);
    cr_assert_lt(kinds.most, 13);
    finish();
}

Test(calls, what_is_too_large_and_one_is_refused)
{
    struct bertd_embeddings *found = NULL;
    char text[200];
    const char *texts[] = {text};
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    kinds.largest_body = 100;
    begin(kinds_bertd);
    cr_assert_eq(bertd_embed(client, texts, NULL, 1, NULL, &found, &err), BERTD_REFUSED);
    cr_assert_eq(err.http_status, 413);
    cr_assert_null(found);
    finish();
}

Test(calls, lengths_count_and_not_the_nul)
{
    const char *texts[] = {"one and more", "two"};
    const size_t lengths[] = {3, 3};
    struct bertd_embeddings *found = NULL;
    begin(kinds_tei);
    cr_assert_eq(bertd_embed(client, texts, lengths, 2, NULL, &found, &err), BERTD_OK, "%s", err.message);
    kinds_check(found, texts, lengths, 2);
    bertd_free(found);
    finish();
}

Test(calls, the_callers_buffer)
{
    struct bertd_call_options options = bertd_call_options_default();
    struct bertd_embeddings *found = NULL;
    float buffer[SOME * KINDS_WIDTH + 1];
    begin(kinds_bertd);
    options.buffer = buffer;
    options.capacity = SOME * KINDS_WIDTH - 1;
    cr_assert_eq(bertd_embed(client, some, NULL, SOME, &options, &found, &err), BERTD_BUFFER);
    cr_assert_not_null(strstr(err.message, "20"), "%s", err.message);
    cr_assert_null(found);
    options.capacity++;
    buffer[SOME * KINDS_WIDTH] = 7;
    cr_assert_eq(bertd_embed(client, some, NULL, SOME, &options, &found, &err), BERTD_OK);
    cr_assert_eq(found->vectors, buffer);
    kinds_check(found, some, NULL, SOME);
    cr_assert_eq(buffer[SOME * KINDS_WIDTH], 7);
    bertd_free(found);
    finish();
}

Test(calls, embed_one)
{
    float vector[KINDS_WIDTH];
    size_t width = 0;
    begin(kinds_bertd);
    cr_assert_eq(bertd_embed_one(client, "one", NULL, vector, KINDS_WIDTH, &width, &err), BERTD_OK);
    cr_assert_eq(width, (size_t)KINDS_WIDTH);
    cr_assert_eq(vector[2], kinds_value("one", 3, 2));
    cr_assert_eq(bertd_embed_one(client, "one", NULL, vector, KINDS_WIDTH - 1, &width, &err), BERTD_BUFFER);
    cr_assert_eq(bertd_embed_one(client, "one", NULL, vector, KINDS_WIDTH, NULL, NULL), BERTD_OK);
    finish();
}

Test(calls, embed_all)
{
    enum { N = 100 };
    struct bertd_token_embeddings *found = NULL;
    char **texts = kinds_texts(N);
    begin(kinds_bertd);
    cr_assert_eq(bertd_embed_all(client, (const char *const *)texts, NULL, N, NULL, &found, &err), BERTD_OK, "%s",
                 err.message);
    cr_assert_eq(found->texts, (size_t)N);
    cr_assert_eq(found->width, (size_t)KINDS_WIDTH);
    for (size_t i = 0; i < N; i++) {
        size_t len = strlen(texts[i]);
        cr_assert_eq(found->begin[i + 1] - found->begin[i], len % 4);
        for (size_t t = 0; t < len % 4; t++)
            cr_assert_eq(found->vectors[(found->begin[i] + t) * KINDS_WIDTH + 1],
                         kinds_value(texts[i] + t, len - t, 1));
    }
    bertd_free(found);
    kinds_free_texts(texts, N);
    finish();
}

Test(calls, tokenize)
{
    struct bertd_tokens *found = NULL;
    begin(kinds_tei);
    cr_assert_eq(bertd_tokenize(client, some, NULL, SOME, NULL, &found, &err), BERTD_OK, "%s", err.message);
    cr_assert_eq(found->texts, (size_t)SOME);
    for (size_t i = 0; i < SOME; i++) {
        const struct bertd_token *tokens = &found->tokens[found->begin[i]];
        cr_assert_eq(found->begin[i + 1] - found->begin[i], 3);
        cr_assert_eq(tokens[0].id, 101);
        cr_assert(tokens[0].special);
        cr_assert_str_eq(tokens[0].text, "[CLS]");
        cr_assert_not(tokens[1].special);
        cr_assert_str_eq(tokens[1].text, some[i]);
        cr_assert_eq(tokens[1].length, strlen(some[i]));
        cr_assert_eq(tokens[1].end, strlen(some[i]));
    }
    bertd_free(found);
    finish();
}

Test(calls, similarity)
{
    stand_handler *handlers[] = {kinds_bertd, kinds_tei, kinds_openai};
    for (int kind = 0; kind < 3; kind++) {
        float scores[SOME];
        begin(handlers[kind]);
        cr_assert_eq(bertd_similarity(client, some[1], some, NULL, SOME, NULL, scores, &err), BERTD_OK, "%s",
                     err.message);
        for (size_t i = 0; i < SOME; i++) {
            double dot = 0, a2 = 0, b2 = 0;
            for (size_t j = 0; j < KINDS_WIDTH; j++) {
                double a = (double)kinds_value(some[1], strlen(some[1]), j);
                double b = (double)kinds_value(some[i], strlen(some[i]), j);
                dot += a * b, a2 += a * a, b2 += b * b;
            }
            cr_assert_float_eq(scores[i], dot / sqrt(a2 * b2), 1e-6);
        }
        finish();
    }
}

Test(calls, info)
{
    struct bertd_info *info = NULL;
    begin(kinds_bertd);
    cr_assert_eq(bertd_get_info(client, NULL, &info, &err), BERTD_OK, "%s", err.message);
    cr_assert_eq(info->server, BERTD_SERVER_BERTD);
    cr_assert_str_eq(info->endpoint, stand.address);
    cr_assert_str_eq(info->model_id, "/models/mini");
    cr_assert_str_eq(info->served_model_name, "mini");
    cr_assert_str_eq(info->pooling, "mean");
    cr_assert_eq(info->max_client_batch_size, 32);
    cr_assert_eq(info->boards, 2);
    cr_assert(info->auto_truncate);
    cr_assert_eq(strlen(info->json), info->json_length);
    bertd_free(info);
    finish();
    begin(kinds_tei);
    cr_assert_eq(bertd_get_info(client, NULL, &info, &err), BERTD_OK, "%s", err.message);
    cr_assert_eq(info->server, BERTD_SERVER_TEI);
    cr_assert_str_eq(info->model_dtype, "float16");
    cr_assert_not(info->auto_truncate);
    bertd_free(info);
    finish();
    begin(kinds_openai);
    cr_assert_eq(bertd_get_info(client, NULL, &info, &err), BERTD_OK, "%s", err.message);
    cr_assert_eq(info->server, BERTD_SERVER_OPENAI);
    cr_assert_str_eq(info->model_id, "text-embedding-3-small");
    bertd_free(info);
    finish();
}

Test(calls, health_and_paths)
{
    struct bertd_text *text = NULL;
    stand_handler *handlers[] = {kinds_bertd, kinds_tei, kinds_openai};
    for (int kind = 0; kind < 3; kind++) {
        begin(handlers[kind]);
        cr_assert_eq(bertd_check_health(client, NULL, &err), BERTD_OK, "%s", err.message);
        finish();
    }
    begin(kinds_bertd);
    cr_assert_eq(bertd_get(client, "/info", NULL, &text, &err), BERTD_OK);
    cr_assert_eq(strlen(text->data), text->length);
    cr_assert_not_null(strstr(text->data, "instruction_set"));
    bertd_free(text);
    cr_assert_eq(bertd_get(client, "/none", NULL, &text, &err), BERTD_UNSUPPORTED);
    cr_assert_eq(bertd_get(client, "none", NULL, &text, &err), BERTD_INVALID);
    cr_assert_eq(bertd_get(client, "/no ne", NULL, &text, &err), BERTD_INVALID);
    finish();
}

Test(calls, over_a_unix_socket)
{
    char path[96];
    snprintf(path, sizeof path, "/tmp/bertd-client-%d.sock", getpid());
    stand_start(&stand, &(struct stand_options){.handler = kinds_bertd, .cookie = &kinds, .socket = path});
    const char *addresses[] = {stand.address};
    client = kinds_client(addresses, 1);
    embed_some(100);
    finish();
}

static void refuse_the_third(void *cookie, const struct stand_request *request, struct stand_reply *reply)
{
    kinds_bertd(cookie, request, reply);
    if (strstr(request->path, "EmbedBatch"))
        stand_say(
            reply, 400, "application/json",
            "{\"code\":\"invalid_argument\",\"message\":\"`inputs[2]` must have at most 256 tokens. Given: 302\"}");
}

Test(calls, the_servers_words_and_its_input_are_told)
{
    struct bertd_embeddings *found = NULL;
    float scores[SOME];
    begin(refuse_the_third);
    cr_assert_eq(bertd_embed(client, some, NULL, SOME, NULL, &found, &err), BERTD_REFUSED);
    cr_assert_eq(err.input, 2);
    cr_assert_eq(err.http_status, 400);
    cr_assert_eq(err.attempts, 1);
    cr_assert_not_null(strstr(err.message, "at most 256 tokens"), "%s", err.message);
    cr_assert_eq(bertd_similarity(client, "source", some, NULL, SOME, NULL, scores, &err), BERTD_REFUSED);
    cr_assert_eq(err.input, 1);
    finish();
}
