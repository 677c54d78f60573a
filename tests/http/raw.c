#include "tests/http/raw.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void raw_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

/* One byte: its value, RAW_CLOSED or RAW_SILENT. */
static int read_byte(int fd, int milliseconds)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    unsigned char byte;
    if (poll(&poll_fd, 1, milliseconds) != 1)
        return RAW_SILENT;
    return recv(fd, &byte, 1, 0) == 1 ? byte : RAW_CLOSED;
}

static int read_head(int fd, char *head, size_t size, int milliseconds)
{
    size_t n = 0;
    head[0] = '\0';
    while (n < size - 1 && (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0)) {
        int byte = read_byte(fd, milliseconds);
        if (byte < 0)
            return n == 0 || byte == RAW_SILENT ? byte : RAW_GARBLED;
        head[n++] = (char)byte;
        head[n] = '\0';
    }
    bool right = strncmp(head, "HTTP/1.1 ", 9) == 0 || strncmp(head, "HTTP/1.0 ", 9) == 0;
    int code = right ? atoi(head + 9) : 0;
    return code >= 100 && code < 600 ? code : RAW_GARBLED;
}

void raw_read(int fd, struct raw_answer *ret, bool head_only, int milliseconds)
{
    ret->body[0] = '\0';
    ret->code = read_head(fd, ret->head, sizeof ret->head, milliseconds);
    const char *type = strcasestr(ret->head, "\r\ncontent-type: application/json\r\n");
    const char *length = strcasestr(ret->head, "\r\ncontent-length: ");
    ret->json = type != NULL;
    if (ret->code < 200 || ret->code == 204 || head_only)
        return;
    if (!length) {
        ret->code = RAW_GARBLED;
        return;
    }
    size_t left = strtoul(length + 18, NULL, 10);
    for (size_t n = 0; left > 0; left--) {
        int byte = read_byte(fd, milliseconds);
        if (byte < 0) {
            ret->code = byte == RAW_SILENT ? byte : RAW_GARBLED;
            return;
        }
        if (n < sizeof ret->body - 1) {
            ret->body[n++] = (char)byte;
            ret->body[n] = '\0';
        }
    }
}

bool raw_is_error(const struct raw_answer *answer)
{
    json_t *json = json_loads(answer->body, 0, NULL);
    const char *error = json_string_value(json_object_get(json, "error"));
    const char *type = json_string_value(json_object_get(json, "error_type"));
    bool right = answer->json && error && error[0] && !strchr(error, '<') && type && json_object_size(json) == 2;
    json_decref(json);
    return right;
}
