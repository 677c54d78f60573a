#include "clients/c/transfer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { KEPT = 4 << 20, PROBE_IDLE_S = 2, PROBE_INTERVAL_S = 1 };

static size_t on_bytes(char *data, size_t size, size_t n, void *cookie)
{
    struct bertd_transfer *transfer = cookie;
    size_t len = size * n;
    if (len > transfer->max_answer - transfer->answer.len) {
        transfer->too_long = true;
        return 0;
    }
    bertd_bytes_append(&transfer->answer, data, len);
    return transfer->answer.failed ? 0 : len;
}

/* A machine that is cut off or loses its power says nothing: what does not even acknowledge for as long as a connection
 * may take is lost, and the request goes elsewhere. A server that computes for long acknowledges meanwhile. */
static int watch_peer(void *cookie, curl_socket_t fd, curlsocktype purpose)
{
    const struct bertd_options *options = cookie;
    unsigned ms = options->connect_timeout_ms;
    (void)purpose;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms); /* a Unix socket refuses, and needs none */
    return CURL_SOCKOPT_OK;
}

static bool set_text(CURL *easy, CURLoption option, const char *text)
{
    return !text || curl_easy_setopt(easy, option, text) == CURLE_OK;
}

static bool set_up(CURL *easy, struct bertd_transfer *transfer, const struct bertd_options *options)
{
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->words);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)PROBE_IDLE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)PROBE_INTERVAL_S);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, watch_peer);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, (void *)options);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver's thread */
#endif
#if LIBCURL_VERSION_NUM >= 0x075500
    bool fine = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
#else
    bool fine = curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) == CURLE_OK;
#endif
    if (options->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    char agent[64];
    snprintf(agent, sizeof agent, "libbertd/%s", bertd_version());
    return fine && set_text(easy, CURLOPT_USERAGENT, agent) && set_text(easy, CURLOPT_PROXY, options->proxy) &&
           set_text(easy, CURLOPT_CAINFO, options->ca_file) && set_text(easy, CURLOPT_SSLCERT, options->cert_file) &&
           set_text(easy, CURLOPT_SSLKEY, options->key_file);
}

static struct bertd_transfer *create(const struct bertd_client *client)
{
    struct bertd_transfer *transfer = bertd_memory_new(&client->memory, 1, sizeof *transfer);
    if (!transfer)
        return NULL;
    transfer->url.memory = transfer->body.memory = transfer->answer.memory = &client->memory;
    transfer->max_answer = client->options.max_answer_bytes;
    transfer->easy = curl_easy_init();
    if (transfer->easy && set_up(transfer->easy, transfer, &client->options))
        return transfer;
    bertd_transfer_destroy(transfer);
    return NULL;
}

struct bertd_transfer *bertd_transfer_take(struct bertd_queue *queue)
{
    struct bertd_transfer *transfer = queue->free;
    if (!transfer)
        return create(queue->client);
    queue->free = transfer->next;
    return transfer;
}

bool bertd_transfer_header(struct bertd_transfer *transfer, const char *name, const char *value)
{
    char line[1024];
    int len = snprintf(line, sizeof line, "%s:%s%s", name, *value ? " " : "", value);
    if (len < 0 || (size_t)len >= sizeof line)
        return false;
    struct curl_slist *headers = curl_slist_append(transfer->headers, line);
    if (headers)
        transfer->headers = headers;
    return headers != NULL;
}

bool bertd_transfer_start(struct bertd_queue *queue, struct bertd_transfer *transfer, bool post, uint64_t left_ms)
{
    const struct bertd_options *options = &queue->client->options;
    CURL *easy = transfer->easy;
    long connect_ms = left_ms < options->connect_timeout_ms ? (long)left_ms : (long)options->connect_timeout_ms;
    bertd_bytes_append(&transfer->url, "", 1);
    if (transfer->url.failed || transfer->body.failed || !bertd_transfer_header(transfer, "Expect", ""))
        return false;
    bertd_bytes_clear(&transfer->answer);
    transfer->too_long = transfer->listens = false;
    transfer->words[0] = '\0';
    if (post) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->body.data);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->body.len);
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms > 0 ? connect_ms : 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    return curl_easy_setopt(easy, CURLOPT_URL, transfer->url.data) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, transfer->part->endpoint->socket) == CURLE_OK &&
           curl_multi_add_handle(queue->multi, easy) == CURLM_OK;
}

/* Memory is kept for the next request, but for what only a large one needs. */
static void empty(struct bertd_bytes *bytes)
{
    if (bytes->size > KEPT)
        bertd_bytes_finish(bytes);
    bertd_bytes_clear(bytes);
}

void bertd_transfer_give_back(struct bertd_queue *queue, struct bertd_transfer *transfer)
{
    curl_multi_remove_handle(queue->multi, transfer->easy);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
    bertd_bytes_clear(&transfer->url);
    empty(&transfer->body);
    empty(&transfer->answer);
    transfer->part = NULL;
    transfer->next = queue->free;
    queue->free = transfer;
}

void bertd_transfer_distrust(const struct bertd_transfer *transfer)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo(transfer->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (fd != CURL_SOCKET_BAD)
        shutdown(fd, SHUT_RDWR);
}

void bertd_transfer_destroy(struct bertd_transfer *transfer)
{
    const struct bertd_memory *memory = transfer->url.memory;
    if (transfer->easy)
        curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    bertd_bytes_finish(&transfer->url);
    bertd_bytes_finish(&transfer->body);
    bertd_bytes_finish(&transfer->answer);
    bertd_memory_free(memory, transfer);
}

const char *bertd_transfer_answer_header(const struct bertd_transfer *transfer, const char *name)
{
    struct curl_header *header = NULL;
    if (curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}
