/* What the end of a request means, and in which words a program is told. */
#include <stdio.h>
#include <string.h>

#include "clients/c/error.h"
#include "clients/c/json.h"
#include "clients/c/transfer.h"

enum { WORDS_SIZE = 320, LONGEST_RETRY_AFTER_S = 86400 };

/* What libcurl says, or its code's general words. */
static const char *words_of(const struct bertd_transfer *transfer, CURLcode code)
{
    return transfer->words[0] ? transfer->words : curl_easy_strerror(code);
}

static enum bertd_verdict judge_write(const struct bertd_transfer *transfer, struct bertd_error *err)
{
    if (transfer->too_long)
        bertd_fail(err, BERTD_PROTOCOL,
                   "%s: the answer is longer than %zu bytes: ask for fewer texts, or raise "
                   "max_answer_bytes",
                   transfer->part->endpoint->shown, transfer->max_answer);
    else
        bertd_fail_memory(err);
    return BERTD_FINAL;
}

/* The time for a connection passed in TLS: after the name was found, bytes were waited for. libcurl 8 does not tell. */
static bool hangs_in_tls(const struct bertd_transfer *transfer)
{
    curl_off_t found_us = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_NAMELOOKUP_TIME_T, &found_us);
    return transfer->listens && found_us > 0 && strncmp(transfer->part->endpoint->base, "https", 5) == 0;
}

static enum bertd_verdict judge_transport(const struct bertd_transfer *transfer, CURLcode code, struct bertd_error *err)
{
    const char *shown = transfer->part->endpoint->shown;
    const char *words = words_of(transfer, code);
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        bertd_fail(err, BERTD_CONNECT, "%s: %s: check the name in the address", shown, words);
        return BERTD_AGAIN;
    case CURLE_OPERATION_TIMEDOUT: /* of the connection: that of the call is ours */
        if (hangs_in_tls(transfer)) {
            bertd_fail(err, BERTD_TLS, "%s: %s: check that the server speaks TLS at this port", shown, words);
            return BERTD_AGAIN;
        }
        bertd_fail(err, BERTD_CONNECT, "%s: %s: check that the server runs, and its port", shown, words);
        return BERTD_AGAIN;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        bertd_fail(err, BERTD_CONNECT, "%s: %s: check that the server runs, and its port", shown, words);
        return BERTD_AGAIN;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_USE_SSL_FAILED:
        bertd_fail(err, BERTD_TLS,
                   "%s: %s: check https or http, the name in the certificate, ca_file, cert_file and "
                   "key_file",
                   shown, words);
        return BERTD_ELSEWHERE;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        bertd_fail(err, BERTD_LOST, "%s: %s: the server or something before it closed the connection; see its log",
                   shown, words);
        return BERTD_AGAIN;
    case CURLE_WRITE_ERROR:
        return judge_write(transfer, err);
    case CURLE_OUT_OF_MEMORY:
        bertd_fail_memory(err);
        return BERTD_FINAL;
    case CURLE_URL_MALFORMAT:
        bertd_fail(err, BERTD_INVALID, "%s: %s: write the address as http://host:port", shown, words);
        return BERTD_FINAL;
    default:
        bertd_fail(err, BERTD_PROTOCOL, "%s: %s: check that this is the address of an embeddings server", shown, words);
        return BERTD_ELSEWHERE;
    }
}

/* The member `error` or `message` of an error: a text, or an object that has such a text. */
static bool find_words(struct bertd_json *json, bool inner, struct bertd_slice *ret)
{
    size_t count = 0;
    bool found = false;
    if (!bertd_json_open(json, '{'))
        return false;
    while (bertd_json_more(json, '}', &count) == 1) {
        struct bertd_slice name;
        if (!bertd_json_name(json, &name))
            return false;
        bool named = bertd_json_is(name, "message") || bertd_json_is(name, "error");
        char first = bertd_json_peek(json);
        if (named && first == '"') {
            if (!bertd_json_text(json, ret))
                return false;
            found = true;
        } else if (named && first == '{' && !found && !inner) {
            found = find_words(json, true, ret);
            if (!found)
                return false;
        } else if (!bertd_json_skip(json)) {
            return found;
        }
    }
    return found;
}

/* What the server says, in at most WORDS_SIZE - 1 bytes. */
static void read_words(const struct bertd_transfer *transfer, char words[WORDS_SIZE])
{
    const struct bertd_bytes *answer = &transfer->answer;
    struct bertd_json json = bertd_json_of(answer->data, answer->len);
    struct bertd_slice said = {.data = answer->data, .len = answer->len};
    struct bertd_bytes text = {.memory = answer->memory};
    if (find_words(&json, false, &said) && bertd_json_unescape(&text, said) && !text.failed)
        said = (struct bertd_slice){.data = text.data, .len = text.len};
    size_t len = said.len < WORDS_SIZE - 1 ? said.len : WORDS_SIZE - 1;
    while (len > 0 && len < said.len && ((unsigned char)said.data[len] & 0xc0) == 0x80)
        len--; /* not in the middle of a character */
    if (len > 0)
        memcpy(words, said.data, len);
    words[len] = '\0';
    if (len == 0)
        snprintf(words, WORDS_SIZE, "no words");
    bertd_bytes_finish(&text);
}

struct meaning {
    long http;
    enum bertd_status status;
    enum bertd_verdict verdict;
    const char *advice;
};

static const struct meaning meanings[] = {
    {400, BERTD_REFUSED, BERTD_FINAL, "correct the request"},
    {401, BERTD_UNAUTHENTICATED, BERTD_FINAL, "set api_key to one that the server knows"},
    {403, BERTD_UNAUTHENTICATED, BERTD_FINAL, "this key may not do that"},
    {404, BERTD_UNSUPPORTED, BERTD_ABSENT, "this server does not have that call"},
    {405, BERTD_UNSUPPORTED, BERTD_ABSENT, "this server does not have that call"},
    {408, BERTD_UNAVAILABLE, BERTD_AGAIN, "try later"},
    {413, BERTD_REFUSED, BERTD_TOO_LARGE, "send a shorter text, or raise the server's --payload-limit"},
    {415, BERTD_UNSUPPORTED, BERTD_ABSENT, "this server does not have that call"},
    {424, BERTD_SERVER, BERTD_FINAL, "see the server's log"},
    {429, BERTD_OVERLOADED, BERTD_AGAIN, "send less at once, or try later"},
    {499, BERTD_CANCELLED, BERTD_AGAIN, "the server was ended: try later"},
    {501, BERTD_UNSUPPORTED, BERTD_ABSENT, "this server does not have that call"},
    {502, BERTD_UNAVAILABLE, BERTD_AGAIN, "the proxy does not reach the server: try later"},
    {503, BERTD_UNAVAILABLE, BERTD_AGAIN, "try later"},
    {504, BERTD_DEADLINE, BERTD_FINAL, "raise timeout_ms, or ask for less at once"},
};

static struct meaning meaning_of(long http)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].http == http)
            return meanings[i];
    if (http >= 500)
        return (struct meaning){http, BERTD_SERVER, BERTD_FINAL, "see the server's log"};
    if (http >= 400)
        return (struct meaning){http, BERTD_REFUSED, BERTD_FINAL, "correct the request"};
    if (http >= 300)
        return (struct meaning){http, BERTD_PROTOCOL, BERTD_ELSEWHERE,
                                "redirects are not followed: use the new address"};
    return (struct meaning){http, BERTD_PROTOCOL, BERTD_ELSEWHERE, "check that this is an embeddings server"};
}

/* The input that the server names, `inputs[3]`, or -1. */
static int64_t named_input(const char *words, const struct bertd_part *part)
{
    const char *found = strstr(words, "inputs[");
    unsigned long number = 0;
    if (!found || sscanf(found, "inputs[%9lu]", &number) != 1 || number >= part->end - part->begin)
        return -1;
    return (int64_t)(part->begin + number);
}

/* A head that ends with its connection: libcurl takes that for the end of the answer. */
static bool breaks_off(const struct bertd_transfer *transfer)
{
    const struct bertd_part *part = transfer->part;
    curl_off_t length = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    return length < 0 && transfer->answer.len == 0 && part->call->inputs.operation != BERTD_HEALTH;
}

enum bertd_verdict bertd_transfer_judge(const struct bertd_transfer *transfer, CURLcode code, struct bertd_error *err)
{
    long http = 0;
    curl_off_t retry_after_s = 0;
    char words[WORDS_SIZE];
    if (code != CURLE_OK)
        return judge_transport(transfer, code, err);
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &http);
    if (http == 200 && !breaks_off(transfer))
        return BERTD_ANSWERED;
    if (http == 200) {
        bertd_fail(err, BERTD_LOST, "%s: the head of the answer breaks off; see the server's log",
                   transfer->part->endpoint->shown);
        return BERTD_AGAIN;
    }
    struct meaning meaning = meaning_of(http);
    read_words(transfer, words);
    bertd_fail(err, meaning.status, "%s answers %ld: %s (%s)", transfer->part->endpoint->shown, http, words,
               meaning.advice);
    curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    if (retry_after_s > LONGEST_RETRY_AFTER_S)
        retry_after_s = LONGEST_RETRY_AFTER_S;
    err->http_status = (uint32_t)http;
    err->retry_after_ms = (uint32_t)retry_after_s * 1000;
    err->input = named_input(words, transfer->part);
    return meaning.verdict;
}
