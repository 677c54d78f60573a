#include "tests/rpc/asking/asking.h"

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base64.h"
#include "server/rpc/envelope.h"
#include "tests/net/client.h"

static size_t take_line(char *bytes, size_t size, size_t n, void *cookie)
{
    struct incoming *in = cookie;
    size_t len = size * n;
    if (len > 5 && strncmp(bytes, "HTTP/", 5) == 0) {
        in->head.len = 0;
        in->head_over = false;
    }
    struct buf *to = in->head_over ? &in->trailers : &in->head;
    buf_append(to, bytes, len - 2);
    buf_puts(to, "\n");
    in->head_over |= len == 2;
    return len;
}

static size_t take_body(char *bytes, size_t size, size_t n, void *cookie)
{
    buf_append(&((struct incoming *)cookie)->body, bytes, size * n);
    return size * n;
}

static struct buf write_body(const struct way *way, const struct question *question)
{
    struct buf body = {0}, text = {0};
    if (way->form == FORM_UNARY || question->bare)
        buf_append(&body, question->message, question->len);
    else
        rpc_envelope_write(&body, 0, question->message, question->len);
    if (!way->text)
        return body;
    base64_encode(&text, body.data, body.len);
    buf_finish(&body);
    return text;
}

/* A connection that is kept, by libcurl or, in HTTP/2, where that loses answers which come before the end of their
 * request, by a client of our own. */
struct asker {
    CURL *curl;
    struct client *client;
    long connects; /* of the last request */
};

static struct curl_slist *set_up(CURL *curl, uint16_t port, const struct way *way, const struct question *question,
                                 const struct buf *body, struct incoming *in)
{
    char url[200], header[100];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, question->path);
    snprintf(header, sizeof header, "content-type: %s", way->type);
    struct curl_slist *headers = curl_slist_append(NULL, header);
    headers = curl_slist_append(headers, "expect:");
    for (int i = 0; i < 3 && question->headers[i]; i++)
        headers = curl_slist_append(headers, question->headers[i]);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    if (body->len > 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body->len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, NULL);
    } else {
        /* libcurl 8.14 may count a body of no bytes as not yet sent when a refusal comes, and ends the connection. */
        headers = curl_slist_append(headers, "content-length: 0");
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "POST");
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_line);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, in);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, in);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 600L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    return headers;
}

static void ask_h1(struct asker *asker, uint16_t port, const struct way *way, const struct question *question,
                   struct incoming *in)
{
    if (!asker->curl)
        asker->curl = curl_easy_init();
    struct buf body = write_body(way, question);
    struct curl_slist *headers = set_up(asker->curl, port, way, question, &body, in);
    if (curl_easy_perform(asker->curl) == CURLE_OK)
        curl_easy_getinfo(asker->curl, CURLINFO_RESPONSE_CODE, &in->http);
    curl_easy_getinfo(asker->curl, CURLINFO_NUM_CONNECTS, &asker->connects);
    curl_slist_free_all(headers);
    buf_finish(&body);
}

static struct reply *begin_h2(struct client *client, const struct way *way, const struct question *question,
                              const struct buf *body)
{
    enum { MOST = 4 };
    static char names[MOST][64];
    const char *fields[2 * MOST] = {"content-type", way->type};
    size_t n = 1;
    for (; n < MOST && question->headers[n - 1]; n++) {
        const char *header = question->headers[n - 1];
        snprintf(names[n], sizeof names[n], "%.*s", (int)strcspn(header, ":"), header);
        fields[2 * n] = names[n];
        fields[2 * n + 1] = strchr(header, ':') + 2;
    }
    return client_ask_fields(client, "POST", question->path, fields, n, body->len ? body->data : "", body->len);
}

static void ask_h2(struct asker *asker, uint16_t port, const struct way *way, const struct question *question,
                   struct incoming *in)
{
    enum { MOST_STEPS = 600000 };
    asker->connects = !asker->client || asker->client->ended;
    if (asker->client && asker->client->ended)
        client_close(asker->client);
    if (asker->connects)
        asker->client = client_open(port);
    struct buf body = write_body(way, question);
    struct reply *reply = begin_h2(asker->client, way, question, &body);
    for (int i = 0; i < MOST_STEPS && !reply->closed && client_step(asker->client, 1); i++) {
    }
    if (reply->closed && reply->error == NGHTTP2_NO_ERROR)
        in->http = reply->status;
    buf_puts(&in->head, reply->fields);
    buf_puts(&in->trailers, reply->end);
    buf_append(&in->body, reply->body.data, reply->body.len);
    buf_finish(&body);
}

static void ask(struct asker **asker, uint16_t port, const struct way *way, const struct question *question,
                struct incoming *in)
{
    if (!*asker)
        *asker = calloc(1, sizeof **asker);
    (way->h2 ? ask_h2 : ask_h1)(*asker, port, way, question, in);
}

struct told ask_by(struct asker **asker, uint16_t port, const struct way *way, const struct question *question)
{
    struct incoming in = {0};
    ask(asker, port, way, question, &in);
    cr_assert(in.http, "%s %s: no answer", question->path, way->type);
    return tell(way, &in);
}

long asker_connects(const struct asker *asker)
{
    return asker->connects;
}

void asker_close(struct asker **asker)
{
    if (!*asker)
        return;
    if ((*asker)->curl)
        curl_easy_cleanup((*asker)->curl);
    if ((*asker)->client)
        client_close((*asker)->client);
    free(*asker);
    *asker = NULL;
}

/* By another process ----------------------------------------------------------------------------------------------*/

static void put(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    for (ssize_t n; len > 0 && (n = write(fd, at, len)) > 0; at += n)
        len -= (size_t)n;
}

static bool get(int fd, void *bytes, size_t len)
{
    char *at = bytes;
    for (ssize_t n; len > 0 && (n = read(fd, at, len)) > 0; at += n)
        len -= (size_t)n;
    return len == 0;
}

static void put_buf(int fd, const struct buf *buf)
{
    put(fd, &buf->len, sizeof buf->len);
    put(fd, buf->data, buf->len);
}

static void get_buf(int fd, struct buf *buf)
{
    size_t len = 0;
    cr_assert(get(fd, &len, sizeof len) && get(fd, buf_reserve(buf, len + 1), len));
    buf->len = len;
}

/* What it is to ask. It has the same things at the same addresses. */
struct order {
    const struct way *way;
    const struct question *question;
    uint16_t port;
};

static void serve_orders(int orders, int answers)
{
    struct order order;
    while (get(orders, &order, sizeof order)) {
        struct asker *asker = NULL;
        struct incoming in = {0};
        ask(&asker, order.port, order.way, order.question, &in);
        put(answers, &in.http, sizeof in.http);
        put_buf(answers, &in.head);
        put_buf(answers, &in.trailers);
        put_buf(answers, &in.body);
        buf_finish(&in.head);
        buf_finish(&in.trailers);
        buf_finish(&in.body);
        asker_close(&asker);
    }
    _exit(0);
}

struct apart apart_begin(void)
{
    int orders[2], answers[2];
    cr_assert(pipe(orders) == 0 && pipe(answers) == 0);
    struct apart apart = {fork(), orders[1], answers[0]};
    cr_assert_geq(apart.pid, 0);
    if (apart.pid == 0) {
        close(orders[1]);
        serve_orders(orders[0], answers[1]);
    }
    close(orders[0]);
    close(answers[1]);
    return apart;
}

void apart_ask(struct apart *apart, uint16_t port, const struct way *way, const struct question *question)
{
    struct order order = {way, question, port};
    struct pollfd ready = {.fd = apart->answers, .events = POLLIN};
    put(apart->orders, &order, sizeof order);
    while (poll(&ready, 1, -1) < 0) {
    }
}

bool apart_take(struct apart *apart, const struct way *way, struct told *ret)
{
    struct incoming in = {0};
    cr_assert(get(apart->answers, &in.http, sizeof in.http), "the other process has failed");
    get_buf(apart->answers, &in.head);
    get_buf(apart->answers, &in.trailers);
    get_buf(apart->answers, &in.body);
    *ret = tell(way, &in);
    return ret->http != 0;
}

void apart_end(struct apart *apart)
{
    close(apart->orders);
    close(apart->answers);
    waitpid(apart->pid, NULL, 0);
}

/* Given up ---------------------------------------------------------------------------------------------------------*/

struct asking {
    CURLM *multi;
    CURL *curl;
    struct curl_slist *headers;
    struct client *client;
    struct reply *reply;
    struct buf body;
    struct incoming in;
};

struct asking *asking_begin(uint16_t port, const struct way *way, const struct question *question)
{
    struct asking *asking = calloc(1, sizeof *asking);
    asking->body = write_body(way, question);
    if (way->h2) {
        asking->client = client_open(port);
        asking->reply = begin_h2(asking->client, way, question, &asking->body);
        return asking;
    }
    asking->multi = curl_multi_init();
    asking->curl = curl_easy_init();
    asking->headers = set_up(asking->curl, port, way, question, &asking->body, &asking->in);
    curl_multi_add_handle(asking->multi, asking->curl);
    return asking;
}

void asking_drive(struct asking *asking)
{
    int running = 0;
    if (asking->client) {
        client_step(asking->client, 1);
        return;
    }
    curl_multi_perform(asking->multi, &running);
    curl_multi_poll(asking->multi, NULL, 0, 1, NULL);
}

static void reset(struct asking *asking)
{
    nghttp2_submit_rst_stream(asking->client->session, NGHTTP2_FLAG_NONE, asking->reply->id, NGHTTP2_CANCEL);
    client_finish(asking->client, asking->reply);
    client_close(asking->client);
}

void asking_give_up(struct asking *asking)
{
    if (asking->client) {
        reset(asking);
    } else {
        curl_multi_remove_handle(asking->multi, asking->curl);
        curl_easy_cleanup(asking->curl);
        curl_multi_cleanup(asking->multi);
        curl_slist_free_all(asking->headers);
    }
    buf_finish(&asking->body);
    buf_finish(&asking->in.head);
    buf_finish(&asking->in.trailers);
    buf_finish(&asking->in.body);
    free(asking);
}
