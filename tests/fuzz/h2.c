/* HTTP/2 to the listening socket of a server in this process, after the preface: frames, compressed heads, calls of
 * gRPC, by nghttp2's own door.
 *
 * The first byte chooses how the rest is sent: as it is, or each record as a frame whose head tells the right length;
 * and whether the client ends at once, or reads answers first. A record: type, flags, stream, length, and so many
 * bytes.
 *
 * What must hold, whatever the bytes: the server speaks in whole frames, SETTINGS first, and once the client has gone,
 * connection and streams are given up. Silence is found by -timeout. */
#include <poll.h>

#include "tests/fuzz/small_server.h"

enum { FRAME_HEAD = 9, RECORD_HEAD = 4, MAX_FRAME = 1 << 14, FRAMES = 1 << 17, ANSWER = 1 << 22, QUIET_MS = 5 };
enum { SETTINGS = 4, CONTINUATION = 9 };
enum { FRAMED = 1, READS = 2 };

static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"; /* with empty SETTINGS */

/* Records as frames. Returns their bytes. */
static size_t put_frames(const uint8_t *data, size_t size, uint8_t *out)
{
    size_t n = 0;
    while (size >= RECORD_HEAD && n + FRAME_HEAD + 255 <= FRAMES) {
        size_t len = data[3] < size - RECORD_HEAD ? data[3] : size - RECORD_HEAD;
        const uint8_t head[FRAME_HEAD] = {0, 0, (uint8_t)len, data[0], data[1], 0, 0, 0, data[2]};
        memcpy(out + n, head, FRAME_HEAD);
        memcpy(out + n + FRAME_HEAD, data + RECORD_HEAD, len);
        n += FRAME_HEAD + len;
        data += RECORD_HEAD + len;
        size -= RECORD_HEAD + len;
    }
    return n;
}

/* Something has come within so many milliseconds, negative: ever. */
static bool comes(int fd, int ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int n;
    do {
        n = poll(&poll_fd, 1, ms);
    } while (n < 0 && errno == EINTR); /* the fuzzer's own clock */
    return n > 0;
}

/* Read until nothing comes for `quiet_ms`, negative: until the end. True: that was an orderly end. */
static bool receive(int fd, int quiet_ms, uint8_t *answer, size_t *n)
{
    ssize_t got = 1;
    while (got > 0 && comes(fd, quiet_ms)) {
        REQUIRE(*n < ANSWER);
        got = recv(fd, answer + *n, ANSWER - *n, 0);
        *n += got > 0 ? (size_t)got : 0;
    }
    return got == 0;
}

/* `ended`: the last frame is whole, too. */
static void check_frames(const uint8_t *answer, size_t n, bool ended)
{
    bool first = true;
    while (n >= FRAME_HEAD) {
        size_t len = (size_t)answer[0] << 16 | (size_t)answer[1] << 8 | answer[2];
        REQUIRE(len <= MAX_FRAME && answer[3] <= CONTINUATION && (!first || answer[3] == SETTINGS));
        first = false;
        if (n < FRAME_HEAD + len)
            break;
        answer += FRAME_HEAD + len;
        n -= FRAME_HEAD + len;
    }
    REQUIRE(!ended || n == 0);
}

static void await_end(struct net_server *net)
{
    struct net_stats stats;
    do {
        usleep(20);
        net_server_get_stats(net, &stats);
    } while (stats.connections_h2 > 0 || stats.streams > 0 || net_server_active(net) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct net_server *net;
    static uint16_t port;
    static uint8_t frames[FRAMES], answer[ANSWER];
    if (!port)
        port = start_server(&net);
    if (size == 0)
        return 0;
    uint8_t how = data[0];
    data++;
    size--;
    if (how & FRAMED) {
        size = put_frames(data, size, frames);
        data = frames;
    }
    size_t n = 0;
    int fd = connect_to(port);
    bool more = send_all(fd, preface, sizeof preface - 1) && send_all(fd, data, size);
    if (more && (how & READS))
        receive(fd, QUIET_MS, answer, &n);
    shutdown(fd, SHUT_WR);
    bool ended = receive(fd, -1, answer, &n);
    close(fd);
    check_frames(answer, n, ended);
    await_end(net);
    return 0;
}
