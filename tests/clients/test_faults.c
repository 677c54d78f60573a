/* Whatever servers and networks do: the right error, by the deadline, and the next call is served. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/clients/kinds.h"
#include "tests/net/papers.h"

TestSuite(faults, .timeout = 120);

static const char *const some[] = {"one", "two"};
static struct stand stand;
static struct bertd_client *client;
static struct bertd_error err;

/* Breaks the requests that embed, as long as `left` is not 0. */
static struct trouble {
    enum stand_fault fault;
    int status;
    const char *type;
    const char *body;
    const char *headers;
    atomic_int left;
} trouble;

static void answer(void *cookie, const struct stand_request *request, struct stand_reply *reply)
{
    stand_handler *handler = *(stand_handler **)cookie;
    handler(NULL, request, reply);
    if (!strstr(request->path, "mbed") || trouble.left == 0)
        return;
    trouble.left--;
    reply->fault = trouble.fault;
    if (trouble.status)
        stand_say(reply, trouble.status, trouble.type, trouble.body);
    if (trouble.type)
        reply->type = trouble.type;
    if (trouble.headers)
        snprintf(reply->headers, sizeof reply->headers, "%s", trouble.headers);
}

static stand_handler *handler;

static void begin(stand_handler *kind)
{
    handler = kind;
    stand_start(&stand, &(struct stand_options){.handler = answer, .cookie = &handler});
    const char *addresses[] = {stand.address};
    client = kinds_client(addresses, 1);
}

static void finish(void)
{
    bertd_client_destroy(&client);
    stand_stop(&stand);
}

static enum bertd_status embed(const struct bertd_call_options *options)
{
    struct bertd_embeddings *found = NULL;
    memset(&err, 0, sizeof err);
    enum bertd_status status = bertd_embed(client, some, NULL, 2, options, &found, &err);
    if (status == BERTD_OK)
        kinds_check(found, some, NULL, 2);
    else
        cr_assert_null(found);
    cr_assert_eq(err.status, status);
    cr_assert(status == BERTD_OK || strlen(err.message) > 10);
    bertd_free(found);
    return status;
}

static stand_handler *const kinds_of[] = {kinds_bertd, kinds_tei, kinds_openai};

static const enum stand_fault breaks[] = {STAND_DROP,      STAND_RESET,       STAND_HALF_HEAD,
                                          STAND_HALF_BODY, STAND_LONG_LENGTH, STAND_HUGE_LENGTH};

Test(faults, connections_that_break_for_ever_are_lost)
{
    for (int kind = 0; kind < 3; kind++)
        for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
            begin(kinds_of[kind]);
            trouble = (struct trouble){.fault = breaks[i], .left = -1};
            enum bertd_status status = embed(NULL);
            bool claim = breaks[i] == STAND_HUGE_LENGTH; /* more than max_answer_bytes, by its own words */
            cr_assert(status == BERTD_LOST || (claim && status == BERTD_PROTOCOL), "fault %zu: %s: %s", i,
                      bertd_status_name(status), err.message);
            cr_assert_eq(err.attempts, 5);
            trouble.left = 0;
            cr_assert_eq(embed(NULL), BERTD_OK);
            finish();
        }
}

Test(faults, connections_that_break_twice_are_tried_again)
{
    for (int kind = 0; kind < 3; kind++)
        for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
            begin(kinds_of[kind]);
            trouble = (struct trouble){.fault = breaks[i], .left = 2};
            cr_assert_eq(embed(NULL), BERTD_OK, "fault %zu: %s", i, err.message);
            finish();
        }
}

/* Set on the client's end of its connections to the server: found by the port that they lead to. */
static struct watched {
    int connections;
    int alive;
    unsigned user_timeout_ms;
} watched;

static void look(void *cookie, const struct stand_request *request, struct stand_reply *reply)
{
    int port = atoi(strrchr(stand.address, ':') + 1);
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in peer = {0};
        socklen_t size = sizeof peer, flag = sizeof watched.alive, ms = sizeof watched.user_timeout_ms;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) || ntohs(peer.sin_port) != port)
            continue;
        watched.connections++;
        getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &watched.alive, &flag);
        getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &watched.user_timeout_ms, &ms);
    }
    kinds_tei(cookie, request, reply);
}

/* What then happens to its requests, tests/deploy/swarm shows. */
Test(faults, machines_that_are_gone_without_a_word_are_noticed_by_the_kernel)
{
    stand_start(&stand, &(struct stand_options){.handler = look});
    const char *addresses[] = {stand.address};
    struct bertd_options options = kinds_options(addresses, 1);
    options.connect_timeout_ms = 1234;
    cr_assert_eq(bertd_client_create(&client, &options, NULL), BERTD_OK);
    cr_assert_eq(embed(NULL), BERTD_OK);
    cr_assert_gt(watched.connections, 0);
    cr_assert_eq(watched.alive, 1);
    cr_assert_eq(watched.user_timeout_ms, 1234);
    finish();
}

Test(faults, what_is_no_answer_of_such_a_server)
{
    static const struct trouble troubles[] = {
        {.fault = STAND_GARBAGE},
        {.fault = STAND_SHORT_LENGTH},
        {.type = "text/html"},
        {.status = 200, .type = "application/json", .body = ""},
        {.status = 200, .type = "application/json", .body = "[[1,2,3]"},
        {.status = 200, .type = "application/json", .body = "[[1,2,3]]"},
        {.status = 200, .type = "application/json", .body = "[[1],[2],[3]]"},
        {.status = 200, .type = "application/json", .body = "[[1],[2,3]]"},
        {.status = 200, .type = "application/json", .body = "[[],[]]"},
        {.status = 200, .type = "application/json", .body = "[[1],[null]]"},
        {.status = 200, .type = "application/json", .body = "{\"data\":[]}"},
        {.status = 200, .type = "application/json", .body = "{\"data\":[{\"index\":0,\"embedding\":[1]}]}"},
        {.status = 200,
         .type = "application/json",
         .body = "{\"data\":[{\"index\":0,\"embedding\":[1]},"
                 "{\"index\":0,\"embedding\":[1]}]}"},
        {.status = 200, .type = "application/json", .body = "{\"data\":[{\"index\":7,\"embedding\":\"AAAA\"}]}"},
        {.status = 200, .type = "application/json", .body = "{\"data\":[{\"index\":0,\"embedding\":\"AA*A\"},{}]}"},
        {.status = 200, .type = "application/proto", .body = ""},
        {.status = 200,
         .type = "application/proto",
         .body = "\x08\x02\x10\x01\x1a\x04"
                 "abcd"},
        {.status = 200,
         .type = "application/proto",
         .body = "\x08\x02\x10\x02\x1a\x7f"
                 "abcd"},
        {.status = 200, .type = "application/proto", .body = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
        {.status = 204, .type = "application/json", .body = ""},
        {.status = 301, .type = "text/html", .body = "moved"},
    };
    for (int kind = 0; kind < 3; kind++) {
        begin(kinds_of[kind]);
        for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++) {
            memcpy(&trouble, &troubles[i], sizeof trouble);
            trouble.left = -1;
            enum bertd_status status = embed(NULL);
            cr_assert_eq(status, BERTD_PROTOCOL, "kind %d, trouble %zu: %s: %s", kind, i, bertd_status_name(status),
                         err.message);
            trouble.left = 0;
            cr_assert_eq(embed(NULL), BERTD_OK, "%s", err.message);
        }
        finish();
    }
}

Test(faults, an_answer_that_is_too_long)
{
    struct bertd_options options;
    begin(kinds_tei);
    bertd_client_destroy(&client);
    const char *addresses[] = {stand.address};
    options = kinds_options(addresses, 1);
    options.max_answer_bytes = 1000;
    char *body = malloc(3001);
    memset(body, ' ', 3000);
    body[3000] = '\0';
    cr_assert_eq(bertd_client_create(&client, &options, &err), BERTD_OK);
    trouble = (struct trouble){.status = 200, .type = "application/json", .body = body, .left = -1};
    cr_assert_eq(embed(NULL), BERTD_PROTOCOL);
    cr_assert_not_null(strstr(err.message, "max_answer_bytes"), "%s", err.message);
    free(body);
    finish();
}

Test(faults, slow_and_silent_servers_end_by_the_deadline)
{
    static const enum stand_fault slow[] = {STAND_SLOW, STAND_SILENT};
    struct bertd_call_options call = bertd_call_options_default();
    call.timeout_ms = 300;
    for (int kind = 0; kind < 3; kind++)
        for (int i = 0; i < 2; i++) {
            begin(kinds_of[kind]);
            trouble = (struct trouble){.fault = slow[i], .left = -1};
            cr_assert_eq(embed(&call), BERTD_DEADLINE, "%s", err.message);
            trouble.left = 0;
            cr_assert_eq(embed(NULL), BERTD_OK, "%s", err.message);
            finish();
        }
}

/* A status, what it is called, and how often it is tried. */
Test(faults, every_status_has_its_error)
{
    static const struct {
        int http;
        enum bertd_status status;
        unsigned attempts;
    } rows[] = {
        {400, BERTD_REFUSED, 1},     {401, BERTD_UNAUTHENTICATED, 1}, {403, BERTD_UNAUTHENTICATED, 1},
        {413, BERTD_REFUSED, 1},     {422, BERTD_REFUSED, 1},         {424, BERTD_SERVER, 1},
        {429, BERTD_OVERLOADED, 5},  {499, BERTD_CANCELLED, 5},       {500, BERTD_SERVER, 1},
        {502, BERTD_UNAVAILABLE, 5}, {503, BERTD_UNAVAILABLE, 5},     {504, BERTD_DEADLINE, 1},
    };
    static const char *const one[] = {"one"};
    struct bertd_embeddings *found = NULL;
    for (int kind = 0; kind < 3; kind++)
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            begin(kinds_of[kind]);
            trouble = (struct trouble){.status = rows[i].http, .type = "application/json", .left = -1};
            trouble.body = kind == 2 ? "{\"error\":{\"message\":\"its own words\"}}"
                           : kind    ? "{\"error\":\"its own words\",\"error_type\":\"Some\"}"
                                     : "{\"code\":\"some\",\"message\":\"its own words\"}";
            cr_assert_eq(bertd_embed(client, one, NULL, 1, NULL, &found, &err), rows[i].status, "%d: %s", rows[i].http,
                         err.message);
            cr_assert_eq(err.attempts, rows[i].attempts, "%d: %u", rows[i].http, err.attempts);
            cr_assert_eq(err.http_status, (uint32_t)rows[i].http);
            cr_assert_not_null(strstr(err.message, "its own words ("), "%s", err.message);
            finish();
        }
}

/* `before`, then `word` a million times. New. */
static char *nest(const char *before, const char *word)
{
    enum { TIMES = 1000000 };
    char *made = malloc(strlen(before) + TIMES * strlen(word) + 1);
    cr_assert_not_null(made);
    char *to = stpcpy(made, before);
    for (int i = 0; i < TIMES; i++)
        to = stpcpy(to, word);
    return made;
}

Test(faults, words_before_what_is_no_json)
{
    begin(kinds_tei);
    trouble = (struct trouble){
        .status = 400, .type = "application/json", .body = "{\"error\":{\"message\":\"words\",\"x\":&}}", .left = -1};
    cr_assert_eq(embed(NULL), BERTD_REFUSED);
    cr_assert_not_null(strstr(err.message, " words ("), "%s", err.message);
    finish();
}

Test(faults, words_that_are_nested_without_end)
{
    char *body = nest("", "{\"error\":");
    begin(kinds_tei);
    trouble = (struct trouble){.status = 400, .type = "application/json", .body = body, .left = -1};
    cr_assert_eq(embed(NULL), BERTD_REFUSED, "%s", err.message);
    free(body);
    finish();
}

Test(faults, words_are_one_line_of_utf8_that_rules_no_terminal)
{
    static const struct {
        const char *said, *told;
    } rows[] = {
        {"{\"error\":\"caf\xc3\xa9 \\u20ac \\ud83d\\ude00\"}", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 ("},
        {"{\"error\":\"\\u001b[2J\\u0007\\nx\\u007fx\"}", " [2J  x x ("},
        {"{\"error\":\"\\u009b2Jx\"}", "  2Jx ("},
        {"\033]0;title\007", " ]0;title  ("},
        {"\x9b"
         "2J\xc3(\xed\xa0\x80\xc0\x8a",
         " 2J (      ("},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(kinds_tei);
        trouble = (struct trouble){.status = 400, .type = "text/html", .body = rows[i].said, .left = -1};
        cr_assert_eq(embed(NULL), BERTD_REFUSED);
        cr_assert_not_null(strstr(err.message, rows[i].told), "%zu: %s", i, err.message);
        finish();
    }
}

static char *info_body;

static void answer_info(void *cookie, const struct stand_request *request, struct stand_reply *reply)
{
    (void)cookie, (void)request;
    stand_say(reply, 200, "application/json", info_body);
}

Test(faults, an_info_that_is_nested_without_end)
{
    struct bertd_info *info = NULL;
    info_body = nest("{\"model_type\":", "{\"embedding\":");
    begin(answer_info);
    cr_assert_eq(bertd_get_info(client, NULL, &info, &err), BERTD_PROTOCOL, "%s", err.message);
    free(info_body);
    finish();
}

static void answer_unhealthy(void *cookie, const struct stand_request *request, struct stand_reply *reply)
{
    (void)cookie, (void)request;
    stand_say(reply, 503, "application/json", "{\"error\":\"no board is in service\",\"error_type\":\"Unhealthy\"}");
}

Test(faults, health_tells_of_servers_that_do_not_serve)
{
    struct bertd_info *info = NULL;
    begin(answer_unhealthy);
    for (int i = 0; i < 10; i++) { /* also while the breaker lets it rest */
        cr_assert_eq(bertd_check_health(client, NULL, &err), BERTD_UNAVAILABLE, "%s", err.message);
        cr_assert_not_null(strstr(err.message, "no board is in service"), "%s", err.message);
        cr_assert_eq(err.attempts, 1);
    }
    cr_assert_eq(bertd_get_info(client, NULL, &info, &err), BERTD_UNAVAILABLE);
    finish();
}

Test(faults, nobody_listens)
{
    struct bertd_options options;
    static const char *const addresses[] = {"http://127.0.0.1:1", "unix:/tmp/bertd-no-such.sock",
                                            "http://no-such-host.invalid:3000"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        options = kinds_options(&addresses[i], 1);
        options.proxy = "";
        cr_assert_eq(bertd_client_create(&client, &options, &err), BERTD_OK);
        cr_assert_eq(embed(NULL), BERTD_CONNECT, "%s", err.message);
        cr_assert_eq(bertd_check_health(client, NULL, &err), BERTD_CONNECT);
        bertd_client_destroy(&client);
    }
}

/* TLS ----------------------------------------------------------------------------------------------------------- */

static struct papers papers;

/* A client of https://localhost, as `options` says further. */
static enum bertd_status embed_by_tls(struct bertd_options options)
{
    char address[64];
    const char *addresses[] = {address};
    snprintf(address, sizeof address, "https://localhost:%s", strrchr(stand.address, ':') + 1);
    struct bertd_options base = kinds_options(addresses, 1);
    base.ca_file = options.ca_file;
    base.cert_file = options.cert_file;
    base.key_file = options.key_file;
    base.insecure = options.insecure;
    base.connect_timeout_ms = options.connect_timeout_ms;
    base.retries = options.retries;
    cr_assert_eq(bertd_client_create(&client, &base, &err), BERTD_OK);
    enum bertd_status status = embed(NULL);
    bertd_client_destroy(&client);
    return status;
}

static void begin_tls(const char *name, bool asks)
{
    papers_make(&papers);
    if (name)
        papers_renew(&papers, name);
    trouble.left = 0;
    handler = kinds_bertd;
    stand_start(&stand, &(struct stand_options){
                            .handler = answer, .cookie = &handler, .papers = &papers, .asks_for_certificate = asks});
}

static void finish_tls(void)
{
    stand_stop(&stand);
    papers_remove(&papers);
}

Test(tls, trusted_by_its_certificate, .timeout = 120)
{
    begin_tls("localhost", false);
    cr_assert_eq(embed_by_tls((struct bertd_options){.ca_file = papers.cert}), BERTD_OK, "%s", err.message);
    cr_assert_eq(embed_by_tls((struct bertd_options){.insecure = 1}), BERTD_OK, "%s", err.message);
    cr_assert_eq(embed_by_tls((struct bertd_options){.size = 0}), BERTD_TLS);
    cr_assert_eq(embed_by_tls((struct bertd_options){.ca_file = papers.ca}), BERTD_TLS);
    cr_assert_eq(embed_by_tls((struct bertd_options){.ca_file = "/no/such/file"}), BERTD_TLS);
    cr_assert_not_null(strstr(err.message, "ca_file"), "%s", err.message);
    finish_tls();
}

Test(tls, another_name, .timeout = 120)
{
    begin_tls("elsewhere", false);
    cr_assert_eq(embed_by_tls((struct bertd_options){.ca_file = papers.cert}), BERTD_TLS);
    finish_tls();
}

Test(tls, certificates_of_clients, .timeout = 120)
{
    begin_tls("localhost", true);
    enum bertd_status status = embed_by_tls((struct bertd_options){.ca_file = papers.cert});
    cr_assert(status == BERTD_TLS || status == BERTD_LOST, "%s", err.message); /* in TLS 1.3 it is told late */
    cr_assert_eq(embed_by_tls((struct bertd_options){
                     .ca_file = papers.cert, .cert_file = papers.client_cert, .key_file = papers.client_key}),
                 BERTD_OK, "%s", err.message);
    finish_tls();
}

Test(tls, spoken_to_a_server_without, .timeout = 120)
{
    begin(kinds_bertd);
    bertd_client_destroy(&client);
    cr_assert_eq(
        embed_by_tls((struct bertd_options){.insecure = 1, .connect_timeout_ms = 2000, .retries = BERTD_NO_RETRIES}),
        BERTD_TLS, "%s", err.message);
    stand_stop(&stand);
}
