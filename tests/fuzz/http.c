/* Bytes to the listening socket of a server in this process, over a small random model.
 *
 * What must hold, whatever the bytes: once the client has sent its last byte, the server answers in whole responses,
 * one head each, and closes the connection; every refusal is JSON with an error. Silence is found by -timeout. */
#include <poll.h>

#include "tests/fuzz/small_server.h"

enum { ANSWER = 1 << 20 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* Send all, end, and read to the end. Returns how much was read. */
static size_t talk(int fd, const uint8_t *data, size_t size, char *answer)
{
    size_t n = 0;
    send_all(fd, data, size);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    poll(&poll_fd, 1, 1); /* mostly the end comes after the bytes have been read, sometimes together with them */
    shutdown(fd, SHUT_WR);
    ssize_t got;
    while (n < ANSWER - 1 && (got = recv(fd, answer + n, ANSWER - 1 - n, 0)) > 0)
        n += (size_t)got;
    REQUIRE(n < ANSWER - 1);
    answer[n] = '\0';
    return n;
}

/* Past a chunked body that begins here. A stream's end may be missing: its client has gone. */
static const char *skip_chunks(const char *at, const char *end)
{
    for (;;) {
        char *digits_end = NULL;
        size_t len = strtoul(at, &digits_end, 16);
        if (digits_end == at || end - digits_end < 2)
            return end;
        at = digits_end + 2;
        if ((size_t)(end - at) < len + 2)
            return end;
        at += len + 2;
        if (len == 0)
            return at;
    }
}

/* REST (OpenAI's in a form of its own) and Connect say in JSON what is wrong; where no protocol is known, it is said in
 * plain words. */
static bool is_refusal(const char *head, const char *body)
{
    const char *plain = strcasestr(head, "\r\ncontent-type: text/plain");
    return strncmp(body, "{\"error\":", 9) == 0 || strncmp(body, "{\"message\":", 11) == 0 ||
           strncmp(body, "{\"code\":", 8) == 0 || (plain && plain < body);
}

/* Whole responses and nothing else. `heads`: some may have no body though they tell its length. */
static void check(const char *answer, size_t n, bool heads)
{
    const char *end = answer + n;
    while (answer < end) {
        const char *body = memmem(answer, (size_t)(end - answer), "\r\n\r\n", 4);
        REQUIRE(body && strncmp(answer, "HTTP/1.", 7) == 0);
        int code = atoi(answer + 9);
        const char *length = strcasestr(answer, "\r\ncontent-length: ");
        const char *chunked = strcasestr(answer, "\r\ntransfer-encoding: chunked");
        size_t len = length && length < body ? strtoul(length + 18, NULL, 10) : 0;
        bool in_chunks = chunked && chunked < body;
        body += 4;
        REQUIRE(code >= 100 && code < 600);
        if (code < 200 || code == 204)
            len = 0;
        if (heads && (body == end || strncmp(body, "HTTP/1.", 7) == 0))
            len = 0;
        REQUIRE(len <= (size_t)(end - body));
        REQUIRE(code < 400 || len == 0 || is_refusal(answer, body));
        REQUIRE(code < 500 || code == 501 || code == 503 || code == 504 || code == 505);
        answer = in_chunks ? skip_chunks(body, end) : body + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct net_server *net;
    static uint16_t port;
    static char answer[ANSWER];
    if (!port)
        port = start_server(&net);
    if (size >= sizeof preface - 1 && memcmp(data, preface, sizeof preface - 1) == 0)
        return 0; /* what comes then is HTTP/2: the target h2 */
    int fd = connect_to(port);
    size_t n = talk(fd, data, size, answer);
    close(fd);
    check(answer, n, memmem(data, size, "HEAD", 4) != NULL);
    return 0;
}
