/* HTTP as tests want it: through libcurl for whole requests, through a socket for what libcurl would not do. */
#ifndef TESTS_HTTP_CLIENT_H
#define TESTS_HTTP_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct answer {
    long code;
    char *headers; /* as received, NUL-terminated */
    char *body;
    size_t len;
    long connects; /* new connections that it took */
};

/** What to send besides method and path. */
struct sending {
    const char *body;
    size_t len;             /* 0: strlen(body) */
    const char *headers[6]; /* "Name: value"; a JSON content type is added where there is a body and no type */
    bool without_content_type;
    bool chunked;
};

/** One request on a connection of its own. */
struct answer client_ask(int port, const char *method, const char *path, const struct sending *sending);
/** A POST of JSON. */
struct answer client_post(int port, const char *path, const char *json);
/** The same on a connection that is kept: `handle` starts as NULL, end with client_close. */
struct answer client_ask_kept(void **handle, int port, const char *method, const char *path,
                              const struct sending *sending);
void client_close(void **handle);
void client_free(struct answer *answer);

/** The value of a header, "" when absent; valid until the next call. */
const char *client_header(const struct answer *answer, const char *name);
/** The body as JSON; fails the test when it is not. */
json_t *client_json(const struct answer *answer);
/** Expect this code, this error_type and these words in the error's text, and free. */
void client_expect_error(struct answer answer, long code, const char *type, const char *words);
/** Expect 200 and free. */
void client_expect_ok(struct answer answer);
/** The value of a metric, -1 when it is not there. */
double client_metric(int port, const char *name);
/** Wait until a metric has this value, up to a minute. */
bool client_becomes(int port, const char *name, double value);

/** A connected socket that waits for an answer for ten minutes at most. */
int client_connect(int port);
/** New: a whole POST /embed of so many texts of so many words. `headers`: more of them, each with its end of line. */
char *client_request(int texts, int words, const char *headers, size_t *ret_len);
void client_send(int fd, const char *text, size_t len);
/** Read one response: its code, its body in `body` [size] (cut). -1 when the connection ends first. */
int client_read(int fd, char *body, size_t size);

#endif
