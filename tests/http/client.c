#include "tests/http/client.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { TIMEOUT_SECONDS = 600 }; /* a portable kernel under a sanitizer takes its time */

struct text {
    char *bytes;
    size_t len;
};

static size_t collect(char *data, size_t size, size_t n, void *cookie)
{
    struct text *text = cookie;
    text->bytes = realloc(text->bytes, text->len + size * n + 1);
    memcpy(text->bytes + text->len, data, size * n);
    text->len += size * n;
    text->bytes[text->len] = '\0';
    return size * n;
}

struct upload {
    const char *at;
    size_t left;
};

static size_t feed(char *data, size_t size, size_t n, void *cookie)
{
    struct upload *upload = cookie;
    size_t part = size * n < upload->left ? size * n : upload->left;
    memcpy(data, upload->at, part);
    upload->at += part;
    upload->left -= part;
    return part;
}

static struct curl_slist *headers_of(const struct sending *sending)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"); /* libcurl's own, for bodies over 1 MB */
    bool typed = sending->without_content_type;
    for (int i = 0; i < 6 && sending->headers[i]; i++) {
        list = curl_slist_append(list, sending->headers[i]);
        typed = typed || strncasecmp(sending->headers[i], "content-type", 12) == 0;
    }
    if (sending->without_content_type)
        list = curl_slist_append(list, "Content-Type:");
    else if (sending->body && !typed)
        list = curl_slist_append(list, "Content-Type: application/json");
    if (sending->chunked)
        list = curl_slist_append(list, "Transfer-Encoding: chunked");
    return list;
}

static void set_body(CURL *curl, const struct sending *sending, struct upload *upload)
{
    size_t len = sending->len ? sending->len : strlen(sending->body);
    if (!sending->chunked) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sending->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
        return;
    }
    *upload = (struct upload){sending->body, len};
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, feed);
    curl_easy_setopt(curl, CURLOPT_READDATA, upload);
}

struct answer client_ask_kept(void **handle, int port, const char *method, const char *path,
                              const struct sending *sending)
{
    CURL *curl = *handle ? *handle : curl_easy_init();
    *handle = curl;
    curl_easy_reset(curl); /* options, not connections */
    char url[256];
    struct text body = {calloc(1, 1), 0};
    struct text headers = {calloc(1, 1), 0};
    struct upload upload;
    struct curl_slist *list = headers_of(sending);
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &headers);
    if (sending->body)
        set_body(curl, sending, &upload);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    CURLcode code = curl_easy_perform(curl);
    struct answer answer = {.headers = headers.bytes, .body = body.bytes, .len = body.len};
    cr_assert_eq(code, CURLE_OK, "%s %s: %s", method, path, curl_easy_strerror(code));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.code);
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &answer.connects);
    curl_slist_free_all(list);
    return answer;
}

void client_close(void **handle)
{
    curl_easy_cleanup(*handle);
    *handle = NULL;
}

struct answer client_ask(int port, const char *method, const char *path, const struct sending *sending)
{
    static const struct sending nothing;
    void *handle = NULL;
    struct answer answer = client_ask_kept(&handle, port, method, path, sending ? sending : &nothing);
    client_close(&handle);
    return answer;
}

struct answer client_post(int port, const char *path, const char *json)
{
    return client_ask(port, "POST", path, &(struct sending){.body = json});
}

void client_free(struct answer *answer)
{
    free(answer->headers);
    free(answer->body);
}

const char *client_header(const struct answer *answer, const char *name)
{
    static char value[512];
    size_t len = strlen(name);
    for (const char *line = answer->headers; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, name, len) != 0 || line[len] != ':')
            continue;
        const char *begin = line + len + 1 + strspn(line + len + 1, " ");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(begin, "\r\n"), begin);
        return value;
    }
    return "";
}

json_t *client_json(const struct answer *answer)
{
    json_error_t error;
    json_t *json = json_loadb(answer->body, answer->len, JSON_ALLOW_NUL, &error);
    cr_assert(json != NULL, "%s: %.300s", error.text, answer->body);
    return json;
}

void client_expect_error(struct answer answer, long code, const char *type, const char *words)
{
    cr_expect_eq(answer.code, code, "%ld, want %ld: %.300s", answer.code, code, answer.body);
    cr_expect_str_eq(client_header(&answer, "Content-Type"), "application/json");
    json_t *json = client_json(&answer);
    const char *error = json_string_value(json_object_get(json, "error"));
    const char *given = json_string_value(json_object_get(json, "error_type"));
    cr_assert(error && given && json_object_size(json) == 2, "%s", answer.body);
    cr_expect_str_eq(given, type);
    cr_expect(strstr(error, words) != NULL, "\"%s\" does not say \"%s\"", error, words);
    json_decref(json);
    client_free(&answer);
}

void client_expect_ok(struct answer answer)
{
    cr_expect_eq(answer.code, 200, "%ld: %.300s", answer.code, answer.body);
    client_free(&answer);
}

double client_metric(int port, const char *name)
{
    struct answer answer = client_ask(port, "GET", "/metrics", NULL);
    char line[128];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *found = strstr(answer.body, line);
    double value = found ? strtod(found + strlen(line), NULL) : -1;
    client_free(&answer);
    return value;
}

bool client_becomes(int port, const char *name, double value)
{
    for (int tries = 0; tries < 3000; tries++) {
        if (client_metric(port, name) == value)
            return true;
        usleep(20000);
    }
    return false;
}

char *client_request(int texts, int words, const char *headers, size_t *ret_len)
{
    char *body = malloc((size_t)texts * ((size_t)words * 5 + 4) + 200);
    char *to = body + sprintf(body, "{\"inputs\":[");
    for (int t = 0; t < texts; t++) {
        to += sprintf(to, "%s\"", t ? "," : "");
        for (int w = 0; w < words; w++)
            to += sprintf(to, "word ");
        to += sprintf(to, "\"");
    }
    sprintf(to, "]}");
    char *request = malloc(strlen(body) + strlen(headers) + 300);
    *ret_len = (size_t)sprintf(request,
                               "POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n%s"
                               "Content-Length: %zu\r\n\r\n%s",
                               headers, strlen(body), body);
    free(body);
    return request;
}

int client_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void client_send(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the test looks at what comes back */
        text += n;
        len -= (size_t)n;
    }
}

/* Headers byte by byte, so that nothing of a following response is taken. */
int client_read(int fd, char *body, size_t size)
{
    char head[4096];
    size_t n = 0;
    while (n < sizeof head - 1 && (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0)) {
        if (recv(fd, head + n, 1, 0) != 1)
            return -1;
        n++;
    }
    head[n] = '\0';
    const char *length = strcasestr(head, "content-length:");
    size_t left = length ? strtoul(length + 15, NULL, 10) : 0;
    size_t kept = 0;
    while (left > 0) {
        char part[4096];
        ssize_t got = recv(fd, part, left < sizeof part ? left : sizeof part, 0);
        if (got <= 0)
            return -1;
        size_t room = size - 1 - kept;
        size_t take = (size_t)got < room ? (size_t)got : room;
        memcpy(body + kept, part, take);
        kept += take;
        left -= (size_t)got;
    }
    body[kept] = '\0';
    return atoi(head + 9);
}
