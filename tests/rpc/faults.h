/* What is wrong with a request or with the server, and what every protocol must say of it. */
#ifndef TESTS_RPC_FAULTS_H
#define TESTS_RPC_FAULTS_H

#include <stdio.h>
#include <strings.h>

#include "server/rpc/status.h"
#include "server/serve/access.h"
#include "tests/rpc/asking/asking.h"
#include "tests/rpc/listening.h"

#define EMBED  "/tei.v1.Embed/Embed"
#define STREAM "/tei.v1.Embed/EmbedStream"
#define BATCH  "/bertd.v1.Embeddings/EmbedBatch"
#define A                                                                                                              \
    "\x0a\x01"                                                                                                         \
    "a" /* field 1 */
#define PROTO(text_) (text_), sizeof(text_) - 1

/* When it is found: by the head, by the body before the method is called, by the method. The status stands behind the
 * headers once the method has said something. */
enum found { AT_HEAD, AT_BODY, AT_CALL };

struct fault {
    const char *name;
    const char *unary, *stream; /* paths; NULL: there is none */
    const char *proto;          /* [n] */
    size_t n;
    const char *json;
    const char *header; /* "time: ..", "coding: ..": of the name that the protocol has for it */
    enum found found;
    unsigned code;
    long http; /* of Connect's unary calls */
    const char *words;
    const char *reason; /* NULL: no details */
};

static struct asker *askers[WAYS];

static inline void serve_with(uint32_t max_requests, bool has_admin, const char *key)
{
    struct error err;
    begin_with(max_requests, 600000);
    if (key)
        cr_assert_eq(serve_access_load(server, key, NULL, &err), STATUS_OK, "%s", err.message);
    listen_to_all(has_admin);
}

static inline void stop(void)
{
    for (int w = 0; w < WAYS; w++)
        asker_close(&askers[w]);
    close_listening();
    end();
    emu_n_boards = EMU_BOARDS;
}

static inline const char *path_of(const struct way *way)
{
    return way->streams ? STREAM : EMBED;
}

static inline struct question good(const struct way *way)
{
    static const char json[] = "{\"inputs\":\"a\"}";
    return (struct question){.path = path_of(way), .message = way->json ? json : A, .len = way->json ? 14 : 3};
}

/* "time: x" as this protocol has it. */
static inline const char *header_of(const struct way *way, const char *header, char *to, size_t size)
{
    if (header && strncmp(header, "time: ", 6) == 0)
        snprintf(to, size, "%s: %s", way->timeout, header + 6);
    else if (header && strncmp(header, "coding: ", 8) == 0)
        snprintf(to, size, "%s: %s", way->coding, header + 8);
    else
        snprintf(to, size, "%s", header ? header : "");
    return header ? to : NULL;
}

static inline void expect_told(const struct told *told, const struct way *way, const struct fault *fault, bool streams)
{
    bool unary = way->form == FORM_UNARY;
    bool headers_first = fault->found == AT_HEAD || (fault->found == AT_BODY && !streams);
    bool in_trailers = way->form == FORM_CONNECT_STREAM || (!unary && !headers_first);
    const char *name = fault->name;
    cr_expect_eq(told->http, unary ? fault->http : 200, "%s, %s: HTTP %ld", way->type, name, told->http);
    cr_expect_eq(told->code, fault->code, "%s, %s: code %u, %s", way->type, name, told->code, told->message);
    cr_expect(told->message[0] && strstr(told->message, fault->words), "%s, %s: \"%s\" does not say \"%s\"", way->type,
              name, told->message, fault->words);
    cr_expect_str_eq(told->reason, fault->reason ? fault->reason : "", "%s, %s: reason %s", way->type, name,
                     told->reason);
    cr_expect_eq(told->in_trailers, in_trailers, "%s, %s: the status stands elsewhere", way->type, name);
    cr_expect_str_eq(told->type, unary ? "application/json" : way->type, "%s, %s: type %s", way->type, name,
                     told->type);
    cr_expect_eq(strcasestr(told->head.data, "\nx-request-id: ") != NULL, fault->found == AT_CALL || !headers_first,
                 "%s, %s: %s", way->type, name, told->head.data);
}

static inline void expect_served(int w, bool same)
{
    struct question question = good(&ways[w]);
    struct told told = ask_by(&askers[w], port, &ways[w], &question);
    cr_expect_eq(told.code, 0u, "%s: code %u, %s", ways[w].type, told.code, told.message);
    if (same)
        cr_expect_eq(asker_connects(askers[w]), 0, "%s: the connection had ended", ways[w].type);
    told_free(&told);
}

static inline struct told ask_for(int w, const struct fault *fault, bool streams)
{
    char header[100];
    const struct way *way = &ways[w];
    const struct question question = {.path = streams ? fault->stream : fault->unary,
                                      .message = way->json ? fault->json : fault->proto,
                                      .len = way->json ? strlen(fault->json) : fault->n,
                                      .headers = {header_of(way, fault->header, header, sizeof header)}};
    return ask_by(&askers[w], port, way, &question);
}

static inline void expect_fault(int w, const struct fault *fault, bool streams)
{
    struct told told = ask_for(w, fault, streams);
    expect_told(&told, &ways[w], fault, streams);
    cr_expect_eq(told.retry_s, 0);
    told_free(&told);
}

/* In every protocol, of both kinds of methods where there are both. */
static inline void expect_everywhere(const struct fault *fault,
                                     void (*expect)(int w, const struct fault *fault, bool streams))
{
    for (int w = 0; w < WAYS; w++) {
        if (!ways[w].streams && fault->unary)
            expect(w, fault, false);
        if (ways[w].h2 && fault->stream)
            expect(w, fault, true);
    }
}

static inline void expect_and_go_on(int w, const struct fault *fault, bool streams)
{
    expect_served(w, false);
    expect_fault(w, fault, streams);
    expect_served(w, true);
}

#endif
