/* Options of clients and calls: what is sent because of them, and what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/clients/kinds.h"

TestSuite(options, .timeout = 120);

static const char *const some[] = {"one", "another text"};
enum { SOME = sizeof some / sizeof some[0] };

static struct stand stand;
static struct bertd_client *client;
static struct bertd_error err;

static void begin(stand_handler *handler)
{
    stand_start(&stand, &(struct stand_options){.handler = handler});
    const char *addresses[] = {stand.address};
    client = kinds_client(addresses, 1);
}

static void finish(void)
{
    bertd_client_destroy(&client);
    stand_stop(&stand);
}

static void note_headers(void *cookie, const struct stand_request *request, struct stand_reply *reply)
{
    static const char *const headers[] = {"Authorization: Bearer secret", "X-Request-Id: job 7", "Traceparent: 00-",
                                          "User-Agent: libbertd/"};
    if (strcmp(request->path, "/embed") == 0) {
        for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
            cr_assert_not_null(strstr(request->head, headers[i]), "%s: %s", headers[i], request->head);
        cr_assert_not_null(strstr(request->head, "X-Bertd-Priority: bulk"));
        cr_assert_not_null(strstr(request->head, "X-Request-Timeout-Ms: "));
        cr_assert_null(strstr(request->head, "Expect"));
        cr_assert_not_null(strstr(request->body, "\"truncate\":false"));
        cr_assert_not_null(strstr(request->body, "\"truncation_direction\":\"Left\""));
        cr_assert_not_null(strstr(request->body, "\"prompt_name\":\"query\""));
        cr_assert_not_null(strstr(request->body, "\"normalize\":true"));
        cr_assert_not_null(strstr(request->body, "\"dimensions\":5"));
    }
    kinds_tei(cookie, request, reply);
}

Test(options, are_sent)
{
    struct bertd_options options = bertd_options_default();
    struct bertd_call_options call = bertd_call_options_default();
    struct bertd_embeddings *found = NULL;
    begin(note_headers);
    bertd_client_destroy(&client);
    options.endpoints = (const char *const[]){stand.address};
    options.n_endpoints = 1;
    options.api_key = "secret";
    cr_assert_eq(bertd_client_create(&client, &options, &err), BERTD_OK);
    call.priority = BERTD_PRIORITY_BULK;
    call.truncate = BERTD_NO;
    call.truncate_direction = BERTD_LEFT;
    call.normalize = BERTD_YES;
    call.dimensions = 5;
    call.prompt_name = "query";
    call.request_id = "job 7";
    call.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    cr_assert_eq(bertd_embed(client, some, NULL, SOME, &call, &found, &err), BERTD_OK, "%s", err.message);
    bertd_free(found);
    finish();
}

/* A proxy is asked for the whole address. */
static void answer_as_proxy(void *cookie, const struct stand_request *request, struct stand_reply *reply)
{
    struct stand_request inner = *request;
    static const char site[] = "http://embeddings.invalid:3000";
    cr_assert_eq(strncmp(request->path, site, sizeof site - 1), 0, "%s", request->path);
    snprintf(inner.path, sizeof inner.path, "%s", request->path + sizeof site - 1);
    kinds_bertd(cookie, &inner, reply);
}

Test(options, through_a_proxy)
{
    struct bertd_options options = bertd_options_default();
    begin(answer_as_proxy);
    bertd_client_destroy(&client);
    options.endpoints = (const char *const[]){"http://embeddings.invalid:3000"};
    options.n_endpoints = 1;
    options.proxy = stand.address;
    cr_assert_eq(bertd_client_create(&client, &options, &err), BERTD_OK);
    struct bertd_embeddings *found = NULL;
    cr_assert_eq(bertd_embed(client, some, NULL, SOME, NULL, &found, &err), BERTD_OK, "%s", err.message);
    kinds_check(found, some, NULL, SOME);
    bertd_free(found);
    finish();
}

Test(options, wrong_arguments)
{
    struct bertd_embeddings *found = NULL;
    struct bertd_options options = bertd_options_default();
    struct bertd_call_options call = bertd_call_options_default();
    struct bertd_client *none = NULL;
    static const char *const addresses[] = {"", "ftp://host", "host:3000", "unix:relative", "http://a b", "http://a?b"};
    const char *const absent[] = {"one", NULL};
    begin(kinds_bertd);
    cr_assert_eq(bertd_embed(client, some, NULL, 0, NULL, &found, &err), BERTD_INVALID);
    cr_assert_eq(bertd_embed(client, absent, NULL, 2, NULL, &found, &err), BERTD_INVALID);
    cr_assert_eq(err.input, 1);
    call.request_id = "two\r\nheaders: 1";
    cr_assert_eq(bertd_embed(client, some, NULL, 1, &call, &found, &err), BERTD_INVALID);
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        options.endpoints = &addresses[i];
        options.n_endpoints = 1;
        cr_assert_eq(bertd_client_create(&none, &options, &err), BERTD_INVALID, "%s", addresses[i]);
    }
    options = bertd_options_default();
    options.api_key = "a\nb";
    cr_assert_eq(bertd_client_create(&none, &options, &err), BERTD_INVALID);
    cr_assert_null(none);
    cr_assert_eq(stand.requests, 0);
    finish();
}

Test(options, of_older_and_newer_headers)
{
    struct {
        struct bertd_options options;
        uint64_t later;
    } newer = {.options = bertd_options_default()};
    struct bertd_client *made = NULL;
    newer.options.size = sizeof newer;
    cr_assert_eq(bertd_client_create(&made, &newer.options, &err), BERTD_OK);
    bertd_client_destroy(&made);
    newer.later = 1;
    cr_assert_eq(bertd_client_create(&made, &newer.options, &err), BERTD_INVALID);
    newer.options.size = offsetof(struct bertd_options, api_key); /* before there were keys */
    newer.options.api_key = "a\nb";
    cr_assert_eq(bertd_client_create(&made, &newer.options, &err), BERTD_OK);
    bertd_client_destroy(&made);
    newer.options.size = 0;
    cr_assert_eq(bertd_client_create(&made, &newer.options, &err), BERTD_INVALID);
}

Test(options, a_password_in_the_address_is_not_told)
{
    struct bertd_options options = bertd_options_default();
    struct bertd_embeddings *found = NULL;
    options.endpoints = (const char *const[]){"http://user:secret@127.0.0.1:1"};
    options.n_endpoints = 1;
    options.retries = BERTD_NO_RETRIES;
    cr_assert_eq(bertd_client_create(&client, &options, &err), BERTD_OK);
    cr_assert_eq(bertd_embed(client, some, NULL, 1, NULL, &found, &err), BERTD_CONNECT);
    cr_assert_null(strstr(err.message, "secret"), "%s", err.message);
    bertd_client_destroy(&client);
}
