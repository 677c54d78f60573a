#include "clients/cli/hub.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli/command.h"
#include "clients/cli/stop.h"
#include "clients/cli/terminal.h"

#define URL_MAX    4096
#define ANSWER_MAX ((size_t)32 << 20)
#define HOPS_MAX   5

struct cli_hub {
    CURL *curl;
    const char *endpoint;
    struct curl_slist *headers;
    char words[CURL_ERROR_SIZE];
};

/* Bytes of an answer, in memory or into a file. */
struct sink {
    CURL *curl;
    char *bytes;
    size_t used;
    int fd; /* where it goes; -1: into `bytes` */
    uint64_t done;
    uint64_t size; /* what comes behind it is not the file */
    cli_hub_tell *tell;
    void *cookie;
    int error; /* errno of what could not be written; 0: all could */
};

struct cli_hub *cli_hub_create(const char *endpoint, const char *token, double timeout)
{
    struct cli_hub *hub = calloc(1, sizeof *hub);
    if (!hub || !(hub->curl = curl_easy_init())) {
        free(hub);
        cli_say("no memory");
        return NULL;
    }
    hub->endpoint = endpoint;
    hub->headers = curl_slist_append(NULL, "User-Agent: bertctl");
    if (token && *token) { /* libcurl keeps it from other hosts that it is sent on to */
        char header[URL_MAX];
        snprintf(header, sizeof header, "Authorization: Bearer %s", token);
        hub->headers = curl_slist_append(hub->headers, header);
    }
    curl_easy_setopt(hub->curl, CURLOPT_HTTPHEADER, hub->headers);
    curl_easy_setopt(hub->curl, CURLOPT_ERRORBUFFER, hub->words);
    curl_easy_setopt(hub->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(hub->curl, CURLOPT_CONNECTTIMEOUT_MS, 15000L);
    curl_easy_setopt(hub->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(hub->curl, CURLOPT_LOW_SPEED_TIME, (long)(timeout < 1 ? 1 : timeout));
    curl_easy_setopt(hub->curl, CURLOPT_MAXREDIRS, (long)HOPS_MAX);
    bool tls = strncmp(endpoint, "https:", 6) == 0;
    curl_easy_setopt(hub->curl, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http,https");
    curl_easy_setopt(hub->curl, CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https");
    return hub;
}

void cli_hub_destroy(struct cli_hub *hub)
{
    if (!hub)
        return;
    curl_slist_free_all(hub->headers);
    curl_easy_cleanup(hub->curl);
    free(hub);
}

/* Requests ------------------------------------------------------------------------------------------------------ */

static size_t take(char *bytes, size_t one, size_t n, void *cookie)
{
    struct sink *sink = cookie;
    long code = 0;
    curl_easy_getinfo(sink->curl, CURLINFO_RESPONSE_CODE, &code);
    n *= one;
    if (cli_stopped())
        return 0;
    if (sink->fd < 0) {
        char *more = sink->used + n < ANSWER_MAX ? realloc(sink->bytes, sink->used + n + 1) : NULL;
        if (!more)
            return 0;
        sink->bytes = more;
        memcpy(sink->bytes + sink->used, bytes, n);
        sink->used += n;
        return n;
    }
    if (code / 100 != 2)
        return n; /* an error's words are no part of the file */
    if (n > sink->size - sink->done)
        return 0;
    for (size_t at = 0; at < n;) {
        ssize_t written = pwrite(sink->fd, bytes + at, n - at, (off_t)(sink->done + at));
        if (written <= 0) {
            sink->error = errno;
            return 0;
        }
        at += (size_t)written;
    }
    sink->done += n;
    return sink->tell(sink->cookie, sink->done) ? n : 0;
}

static CURLcode ask(struct cli_hub *hub, const char *url, struct sink *sink, bool head, bool follow, uint64_t from,
                    long *ret_code)
{
    sink->curl = hub->curl;
    hub->words[0] = 0;
    *ret_code = 0;
    curl_easy_setopt(hub->curl, CURLOPT_URL, url);
    curl_easy_setopt(hub->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(hub->curl, CURLOPT_WRITEDATA, sink);
    curl_easy_setopt(hub->curl, CURLOPT_NOBODY, (long)head);
    if (!head)
        curl_easy_setopt(hub->curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(hub->curl, CURLOPT_FOLLOWLOCATION, (long)follow);
    curl_easy_setopt(hub->curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)from);
    CURLcode result = curl_easy_perform(hub->curl);
    curl_easy_getinfo(hub->curl, CURLINFO_RESPONSE_CODE, ret_code);
    return result;
}

/* The exit code of a request that did not succeed, having said why; -1: it did. */
static int verdict(const struct cli_hub *hub, const char *what, CURLcode result, long code)
{
    if (cli_stopped())
        return CLI_INTERRUPTED;
    if (result != CURLE_OK) {
        cli_say("%s: %s", what, hub->words[0] ? hub->words : curl_easy_strerror(result));
        return CLI_UNREACHABLE;
    }
    if (code < 400)
        return -1;
    if (code == 401 || code == 403)
        cli_say("%s: the hub refuses (%ld): is HF_TOKEN set, and may it read this?", what, code);
    else if (code == 404)
        cli_say("%s: the hub has no such model, revision or file", what);
    else
        cli_say("%s: the hub answers %ld", what, code);
    return code == 429 ? CLI_LATER : code < 500 ? CLI_REFUSED : CLI_FAILED;
}

/* Put text behind a URL, with all but what is safe there (and '/') as %XX. False: it does not fit. */
static bool put(char url[URL_MAX], const char *text, bool slashes)
{
    size_t n = strlen(url);
    for (; *text; text++) {
        char c = *text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c) ||
                     (slashes && c == '/');
        int more = snprintf(url + n, URL_MAX - n, plain ? "%c" : "%%%02X", (unsigned char)c);
        n += (size_t)more;
        if (n >= URL_MAX)
            return false;
    }
    return true;
}

static bool file_url(const struct cli_hub *hub, const char *repo, const char *commit, const char *name,
                     char url[URL_MAX])
{
    bool fits = snprintf(url, URL_MAX, "%s/", hub->endpoint) < URL_MAX && put(url, repo, true) &&
                put(url, "/resolve/", true) && put(url, commit, false) && put(url, "/", true) && put(url, name, true);
    if (!fits)
        cli_say("%s: the name is too long", name);
    return fits;
}

json_t *cli_hub_revision(struct cli_hub *hub, const char *repo, const char *revision, int *ret_exit)
{
    char url[URL_MAX];
    struct sink sink = {.fd = -1};
    long code;
    *ret_exit = CLI_USAGE;
    if (snprintf(url, URL_MAX, "%s/api/models/", hub->endpoint) >= URL_MAX || !put(url, repo, true) ||
        !put(url, "/revision/", true) || !put(url, revision, false)) {
        cli_say("%s: the name is too long", repo);
        return NULL;
    }
    CURLcode result = ask(hub, url, &sink, false, true, 0, &code);
    json_t *root = NULL;
    *ret_exit = verdict(hub, repo, result, code);
    if (*ret_exit < 0) {
        root = json_loadb(sink.bytes ? sink.bytes : "", sink.used, 0, NULL);
        if (!json_is_string(json_object_get(root, "sha")) || !json_is_array(json_object_get(root, "siblings"))) {
            cli_say("%s is no hub: its answer about %s is another", hub->endpoint, repo);
            json_decref(root);
            root = NULL;
            *ret_exit = CLI_FAILED;
        }
    }
    free(sink.bytes);
    return root;
}

/* Files --------------------------------------------------------------------------------------------------------- */

static const char *header_of(struct cli_hub *hub, const char *name)
{
    struct curl_header *header;
    return curl_easy_header(hub->curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value : NULL;
}

/* Without W/ and quotes. False: it cannot be the name of a file. */
static bool read_etag(const char *text, char etag[CLI_HUB_NAME_MAX])
{
    if (!text)
        return false;
    text += strncmp(text, "W/", 2) == 0 ? 2 : 0;
    text += *text == '"';
    size_t n = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-");
    if (n == 0 || n >= CLI_HUB_NAME_MAX || text[0] == '.' || (text[n] != 0 && text[n] != '"'))
        return false;
    memcpy(etag, text, n);
    etag[n] = 0;
    return true;
}

int cli_hub_look(struct cli_hub *hub, const char *repo, const char *commit, const char *name, struct cli_hub_file *ret)
{
    char url[URL_MAX];
    struct sink sink = {.fd = -1};
    struct cli_hub_file file;
    long code = 0;
    CURLcode result = CURLE_OK;
    if (!file_url(hub, repo, commit, name, url))
        return CLI_USAGE;
    for (int hop = 0; hop <= HOPS_MAX; hop++) { /* a place elsewhere knows less than the hub */
        result = ask(hub, url, &sink, true, false, 0, &code);
        const char *place = header_of(hub, "Location");
        if (result != CURLE_OK || code / 100 != 3 || !place || place[0] != '/' || place[1] == '/')
            break;
        const char *host = strstr(hub->endpoint, "://");
        int length = (int)(host ? host + 3 + strcspn(host + 3, "/") - hub->endpoint : 0);
        char next[URL_MAX];
        if (snprintf(next, sizeof next, "%.*s%s", length, hub->endpoint, place) >= URL_MAX)
            break;
        memcpy(url, next, sizeof url);
    }
    int exit_code = verdict(hub, name, result, code);
    if (exit_code >= 0)
        return exit_code;
    const char *etag = header_of(hub, "X-Linked-Etag");
    const char *size = header_of(hub, "X-Linked-Size");
    size = size ? size : header_of(hub, "Content-Length");
    if (!read_etag(etag ? etag : header_of(hub, "ETag"), file.etag) || !size || size[strspn(size, "0123456789")] != 0) {
        cli_say("%s: the hub does not tell its ETag and size", name);
        return CLI_FAILED;
    }
    file.size = strtoull(size, NULL, 10);
    *ret = file;
    return -1;
}

int cli_hub_load(struct cli_hub *hub, const char *repo, const char *commit, const char *name, int fd, uint64_t size,
                 cli_hub_tell *tell, void *cookie, bool *ret_again)
{
    char url[URL_MAX];
    struct stat status;
    long code;
    *ret_again = false;
    if (!file_url(hub, repo, commit, name, url))
        return CLI_USAGE;
    if (fstat(fd, &status) != 0) {
        cli_say_errno(name);
        return CLI_FILE;
    }
    struct sink sink = {.fd = fd, .done = (uint64_t)status.st_size, .size = size, .tell = tell, .cookie = cookie};
    CURLcode result = ask(hub, url, &sink, false, true, sink.done, &code);
    if (result == CURLE_RANGE_ERROR || code == 416 ||
        (sink.done > 0 && code == 200 && result == CURLE_OK && sink.done < size)) {
        if (ftruncate(fd, 0) != 0)
            return CLI_FILE;
        sink.done = 0;
        result = ask(hub, url, &sink, false, true, 0, &code);
    }
    if (result == CURLE_OK && code / 100 == 2 && sink.done == size)
        return -1;
    if (result == CURLE_WRITE_ERROR && !cli_stopped()) {
        if (sink.error != 0)
            cli_say("%s: %s", name, strerror(sink.error));
        else
            cli_say("%s: the hub gives another file than it said, %llu bytes or more", name, (unsigned long long)size);
        return CLI_FILE;
    }
    *ret_again = !cli_stopped() && (result != CURLE_OK || code / 100 == 2 || code == 429 || code >= 500);
    if (*ret_again)
        return CLI_UNREACHABLE;
    return verdict(hub, name, result, code);
}
