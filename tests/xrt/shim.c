#include "tests/xrt/shim.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel_constants.h"

enum { ARGUMENTS = 14, VARINT = 0, BYTES = 2 };

void shim_open(struct shim *shim)
{
    *shim = (struct shim){0};
    snprintf(shim->folder, sizeof shim->folder, "/tmp/bertd-shim-XXXXXX");
    cr_assert_not_null(mkdtemp(shim->folder));
    snprintf(shim->control_path, sizeof shim->control_path, "%s/card0", shim->folder);
    snprintf(shim->bitstream_path, sizeof shim->bitstream_path, "%s/bitstream", shim->folder);
    cr_assert_eq(device_control_open(&shim->control, shim->control_path, &shim->err), STATUS_OK);
    cr_assert_eq(device_session_create(&shim->session, shim->control, &shim->err), STATUS_OK);
}

void shim_end(struct shim *shim)
{
    device_session_destroy(&shim->session);
}

void shim_close(struct shim *shim)
{
    shim_end(shim);
    device_control_close(&shim->control);
    buf_finish(&shim->body);
    buf_finish(&shim->answer);
    unlink(shim->control_path);
    unlink(shim->bitstream_path);
    rmdir(shim->folder);
}

uint64_t shim_count(const struct shim *shim, enum device_count count)
{
    return atomic_load(&shim->control->counts[count]);
}

/* The wire -------------------------------------------------------------------------------------------------------- */

static void put_varint(struct buf *out, uint64_t value)
{
    do {
        unsigned char byte = (unsigned char)((value & 127) | (value > 127 ? 128 : 0));
        buf_append(out, &byte, 1);
        value >>= 7;
    } while (value);
}

void shim_put_number(struct shim *shim, unsigned field, uint64_t value)
{
    put_varint(&shim->body, field << 3 | VARINT);
    put_varint(&shim->body, value);
}

void shim_put_bytes(struct shim *shim, unsigned field, const void *bytes, size_t size)
{
    put_varint(&shim->body, field << 3 | BYTES);
    put_varint(&shim->body, size);
    buf_append(&shim->body, bytes, size);
}

static uint64_t get_varint(const unsigned char **at, const unsigned char *end)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        cr_assert(*at < end && shift < 64, "an answer is cut");
        value |= (uint64_t)(**at & 127) << shift;
        if (!(*(*at)++ & 128))
            return value;
    }
}

static void take_apart(struct shim *shim)
{
    const unsigned char *at = (const unsigned char *)shim->answer.data, *end = at + shim->answer.len;
    memset(shim->has, 0, sizeof shim->has);
    while (at < end) {
        uint64_t tag = get_varint(&at, end), field = tag >> 3;
        cr_assert_lt(field, SHIM_FIELDS);
        shim->has[field] = true;
        shim->number[field] = get_varint(&at, end); /* or the size of its bytes */
        if ((tag & 7) == VARINT)
            continue;
        cr_assert_eq(tag & 7, BYTES);
        cr_assert_leq(shim->number[field], (uint64_t)(end - at));
        shim->bytes[field] = at;
        shim->size[field] = shim->number[field];
        at += shim->size[field];
    }
}

enum status shim_call(struct shim *shim, enum device_call call)
{
    shim->answer.len = 0;
    enum status status = device_session_answer(shim->session, call, shim->body.data, shim->body.len, &shim->answer,
                                               &shim->over, &shim->err);
    shim->body.len = 0;
    if (!status)
        take_apart(shim);
    return status;
}

static bool granted(struct shim *shim, enum device_call call)
{
    cr_assert_eq(shim_call(shim, call), STATUS_OK, "%s", shim->err.message);
    cr_assert(shim->has[1], "XRT wants the field whatever it says");
    return shim->number[1] != 0;
}

/* Calls ----------------------------------------------------------------------------------------------------------- */

bool shim_load(struct shim *shim, const char *bitstream, uint64_t bank)
{
    struct buf size = {0};
    FILE *file = fopen(shim->bitstream_path, "w");
    cr_assert(file && fputs(bitstream, file) >= 0 && fclose(file) == 0);
    put_varint(&size, 7 << 3 | VARINT);
    put_varint(&size, bank);
    shim_put_bytes(shim, 1, "metadata", 8);
    shim_put_bytes(shim, 2, shim->bitstream_path, strlen(shim->bitstream_path));
    shim_put_bytes(shim, 3, "device0", 7);
    shim_put_bytes(shim, 4, shim->folder, strlen(shim->folder));
    shim_put_bytes(shim, 5, shim->folder, strlen(shim->folder));
    shim_put_number(shim, 6, 0);
    shim_put_bytes(shim, 8, size.data, size.len);
    buf_finish(&size);
    return granted(shim, DEVICE_LOAD);
}

bool shim_alloc(struct shim *shim, uint64_t address, uint64_t size)
{
    shim_put_number(shim, 1, address);
    shim_put_number(shim, 2, size);
    shim_put_number(shim, 3, 1);
    return granted(shim, DEVICE_ALLOC);
}

bool shim_free(struct shim *shim, uint64_t address)
{
    shim_put_number(shim, 1, address);
    return granted(shim, DEVICE_FREE);
}

bool shim_write(struct shim *shim, uint64_t address, const void *bytes, size_t size)
{
    shim_put_bytes(shim, 2, "handle", 6);
    shim_put_number(shim, 3, address);
    shim_put_bytes(shim, 4, bytes, size);
    shim_put_number(shim, 5, size);
    shim_put_number(shim, 6, 0);
    shim_put_number(shim, 7, 0);
    return granted(shim, DEVICE_WRITE_MEMORY) && shim->number[1] == size;
}

bool shim_read(struct shim *shim, uint64_t address, void *bytes, size_t size)
{
    shim_put_bytes(shim, 2, "handle", 6);
    shim_put_bytes(shim, 3, "junk", 4);
    shim_put_number(shim, 4, address);
    shim_put_number(shim, 5, size);
    shim_put_number(shim, 6, 0);
    shim_put_number(shim, 7, 0);
    if (!granted(shim, DEVICE_READ_MEMORY) || shim->number[1] != size || !shim->has[2] || shim->size[2] != size)
        return false;
    memcpy(bytes, shim->bytes[2], size);
    return true;
}

void shim_start(struct shim *shim, unsigned unit, uint64_t list, uint32_t count, uint64_t record)
{
    uint32_t words[ARGUMENTS] = {[ACCEL_REGISTER_LIST_LOW / 4] = (uint32_t)list,
                                 [ACCEL_REGISTER_LIST_HIGH / 4] = (uint32_t)(list >> 32),
                                 [ACCEL_REGISTER_LIST_COUNT / 4] = count,
                                 [ACCEL_REGISTER_RECORD_LOW / 4] = (uint32_t)record,
                                 [ACCEL_REGISTER_RECORD_HIGH / 4] = (uint32_t)(record >> 32)};
    for (words[0] = 0; words[0] < 2; words[0]++) {
        shim_put_bytes(shim, 1, "handle", 6);
        shim_put_number(shim, 2, DEVICE_UNIT_BASE + unit * DEVICE_UNIT_SIZE);
        shim_put_number(shim, 3, sizeof words);
        shim_put_bytes(shim, 4, words, sizeof words);
        cr_assert(granted(shim, DEVICE_WRITE_UNIT));
    }
}

uint32_t shim_poll(struct shim *shim, unsigned unit)
{
    uint32_t value;
    shim_put_number(shim, 2, DEVICE_UNIT_BASE + unit * DEVICE_UNIT_SIZE);
    shim_put_number(shim, 3, sizeof value);
    cr_assert(granted(shim, DEVICE_READ_UNIT));
    cr_assert(shim->has[2] && shim->size[2] == sizeof value);
    memcpy(&value, shim->bytes[2], sizeof value);
    return value;
}
