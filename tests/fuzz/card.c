/* An emulated card that is asked anything: calls one after the other, each a byte for its number, two for its length,
 * and its body. No crash, no leak, and every answer is what XRT's shim can read. */
#include <string.h>
#include <unistd.h>

#include "accel/device/session.h"
#include "tests/fuzz/require.h"

enum { HEAD = 3, MAX_ANSWER = 1 << 21 };

/* The calls that are more than acknowledged, and one that is not. */
static const uint8_t calls[] = {DEVICE_CLOSE,        DEVICE_LOAD,           DEVICE_ALLOC,         DEVICE_FREE,
                                DEVICE_WRITE_MEMORY, DEVICE_READ_MEMORY,    DEVICE_WRITE_UNIT,    DEVICE_READ_UNIT,
                                DEVICE_SETUP,        DEVICE_WRITE_REGISTER, DEVICE_READ_REGISTER, DEVICE_VERSION};

static char bitstream[] = "/tmp/bertd-fuzz-card-XXXXXX";

static void make_bitstream(void)
{
    static const char text[] = "{\"compute\": \"cpu\", \"units\": 1}";
    int file = mkstemp(bitstream);
    REQUIRE(file >= 0 && write(file, text, sizeof text - 1) == (ssize_t)(sizeof text - 1));
    close(file);
}

/* So that there is a card: a message with the path in field 2, and a bank of 16 MB in field 8. */
static void load(struct device_session *session)
{
    static const uint8_t bank[] = {8 << 3 | 2, 5, 7 << 3, 0x80, 0x80, 0x80, 0x08};
    struct buf body = {0}, answer = {0};
    struct error err;
    bool over;
    const uint8_t path[] = {2 << 3 | 2, sizeof bitstream - 1};
    buf_append(&body, path, sizeof path);
    buf_append(&body, bitstream, sizeof bitstream - 1);
    buf_append(&body, bank, sizeof bank);
    REQUIRE(device_session_answer(session, DEVICE_LOAD, body.data, body.len, &answer, &over, &err) == STATUS_OK);
    REQUIRE(answer.len == 2 && answer.data[1] == 1);
    buf_finish(&body);
    buf_finish(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct device_session *session = NULL;
    struct buf answer = {0};
    struct error err;
    bool over = false;
    if (access(bitstream, R_OK) != 0)
        make_bitstream();
    REQUIRE(device_session_create(&session, NULL, &err) == STATUS_OK);
    load(session);
    while (size >= HEAD && !over) {
        size_t length = data[1] | (size_t)data[2] << 8;
        if (length > size - HEAD)
            length = size - HEAD;
        answer.len = 0;
        enum status status =
            device_session_answer(session, calls[data[0] % sizeof calls], data + HEAD, length, &answer, &over, &err);
        REQUIRE(status == STATUS_OK || status == STATUS_FORMAT || status == STATUS_NO_MEMORY);
        /* A number or a flag in field 1 comes first. */
        REQUIRE(status != STATUS_OK || (answer.len >= 2 && answer.data[0] == 1 << 3));
        if (answer.capacity > MAX_ANSWER)
            buf_finish(&answer);
        data += HEAD + length;
        size -= HEAD + length;
    }
    buf_finish(&answer);
    device_session_destroy(&session);
    return 0;
}
