/* An emulated card as XRT's shim asks it: messages, what is refused, faults and counts. XRT itself is not needed. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accel_constants.h"
#include "tests/xrt/shim.h"

enum { START = 1, DONE = 2, IDLE = 4, READY = 8 };
static const char two_units[] = "{\"compute\": \"cpu\", \"units\": 2}";
#define BANK ((uint64_t)8 << SHIM_GB)

static void open_loaded(struct shim *shim)
{
    shim_open(shim);
    cr_assert(shim_load(shim, two_units, BANK), "%s", device_session_refusal(shim->session));
}

/* Polls until a list has ended; nobody waits for one that does not. */
static uint32_t poll_until_done(struct shim *shim, unsigned unit)
{
    for (;;) {
        uint32_t value = shim_poll(shim, unit);
        if (value & DONE)
            return value;
        cr_assert_eq(value & IDLE, 0);
    }
}

/* The xclbin ------------------------------------------------------------------------------------------------------ */

Test(session, bitstreams_that_are_none)
{
    static const struct {
        const char *text, *told;
    } bad[] = {{"", "bitstream"},
               {"\x7f\x45\x4c\x46", "bitstream"},
               {"[1]", "compute"},
               {"{\"compute\": \"cpu\"}", "units"},
               {"{\"compute\": \"fpga\", \"units\": 1}", "\"fpga\""},
               {"{\"compute\": \"cpu\", \"units\": 0}", "units"},
               {"{\"compute\": \"cpu\", \"units\": 17}", "units"},
               {"{\"compute\": \"cpu\", \"units\": 1, \"rows\": -1}", "rows"}};
    struct shim shim;
    shim_open(&shim);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_not(shim_load(&shim, bad[i].text, BANK), "%s", bad[i].text);
        cr_assert_not_null(strstr(device_session_refusal(shim.session), bad[i].told), "%s: %s", bad[i].text,
                           device_session_refusal(shim.session));
        cr_assert_not(shim_alloc(&shim, 0, SHIM_PAGE), "there is no card behind it");
    }
    cr_assert_not(shim_load(&shim, two_units, UINT64_MAX), "more memory than there is");
    shim_put_bytes(&shim, 2, "/nowhere", 8);
    cr_assert_eq(shim_call(&shim, DEVICE_LOAD), STATUS_OK);
    cr_assert_eq(shim.number[1], 0);
    cr_assert(shim_load(&shim, two_units, BANK), "a good one still");
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_LOADS), sizeof bad / sizeof *bad + 3);
    shim_close(&shim);
}

Test(session, another_xclbin_begins_anew)
{
    struct shim shim;
    char byte = 1;
    open_loaded(&shim);
    cr_assert(shim_alloc(&shim, SHIM_PAGE, SHIM_PAGE));
    cr_assert(shim_write(&shim, SHIM_PAGE, &byte, 1));
    cr_assert(shim_load(&shim, two_units, BANK));
    cr_assert(shim_read(&shim, SHIM_PAGE, &byte, 1));
    cr_assert_eq(byte, 0);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_BUFFERS_LEFT), 1);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_BYTES_ALLOCATED), 0);
    shim_close(&shim);
}

/* Buffers and transfers ------------------------------------------------------------------------------------------- */

Test(session, buffers_and_transfers)
{
    enum { SIZE = 3 * SHIM_PAGE + 5 };
    static unsigned char there[SIZE], back[SIZE];
    const uint64_t address = BANK - 4 * SHIM_PAGE;
    struct shim shim;
    open_loaded(&shim);
    for (size_t i = 0; i < SIZE; i++)
        there[i] = (unsigned char)(i * 7 + 1);
    cr_assert(shim_alloc(&shim, address, 4 * SHIM_PAGE));
    cr_assert_not(shim.has[2], "2.13 wants no file");
    cr_assert(shim_write(&shim, address, there, SIZE));
    cr_assert(shim_read(&shim, address, back, SIZE));
    cr_assert_eq(memcmp(there, back, SIZE), 0);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_BYTES_ALLOCATED), 4 * SHIM_PAGE);
    cr_assert(shim_free(&shim, address));
    cr_assert_not(shim_free(&shim, address), "once");
    cr_assert(shim_read(&shim, address, back, SIZE));
    for (size_t i = 0; i < SIZE; i++)
        cr_assert_eq(back[i], 0, "what is freed takes no memory");
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_BUFFERS_ALLOCATED), 1);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_BUFFERS_FREED), 1);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_BYTES_ALLOCATED), 0);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_TRANSFERS_IN), 1);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_BYTES_IN), SIZE);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_TRANSFERS_OUT), 2);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_BYTES_OUT), 2 * SIZE);
    shim_close(&shim);
}

Test(session, many_buffers)
{
    enum { MANY = 100 };
    struct shim shim;
    open_loaded(&shim);
    for (uint64_t i = 1; i <= MANY; i++)
        cr_assert(shim_alloc(&shim, i * SHIM_PAGE, SHIM_PAGE));
    for (uint64_t i = MANY; i > 1; i--)
        cr_assert(shim_free(&shim, i * SHIM_PAGE));
    shim_end(&shim);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_BUFFERS_ALLOCATED), MANY);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_BUFFERS_FREED), MANY - 1);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_BUFFERS_LEFT), 1);
    shim_close(&shim);
}

Test(session, outside_of_the_memory)
{
    struct shim shim;
    char byte = 1;
    open_loaded(&shim);
    cr_assert_not(shim_alloc(&shim, BANK, SHIM_PAGE));
    cr_assert_not(shim_alloc(&shim, UINT64_MAX, SHIM_PAGE));
    cr_assert_not(shim_alloc(&shim, SHIM_PAGE, UINT64_MAX));
    cr_assert_not(shim_write(&shim, BANK, &byte, 1));
    cr_assert_not(shim_read(&shim, BANK, &byte, 1));
    cr_assert_not(shim_read(&shim, UINT64_MAX - 1, &byte, 1));
    shim_put_number(&shim, 4, 0);
    shim_put_number(&shim, 5, DEVICE_MAX_TRANSFER + 1);
    cr_assert_eq(shim_call(&shim, DEVICE_READ_MEMORY), STATUS_OK);
    cr_assert_not(shim.has[2]);
    shim_put_number(&shim, 3, 0); /* says more bytes than it brings */
    shim_put_bytes(&shim, 4, &byte, 1);
    shim_put_number(&shim, 5, 2);
    cr_assert_eq(shim_call(&shim, DEVICE_WRITE_MEMORY), STATUS_OK);
    cr_assert_eq(shim.number[1], 0);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_TRANSFERS_IN), 0);
    shim_close(&shim);
}

/* A shim from 2.14 on maps the host's side of a buffer from a file, of which nothing gets to the card by itself. */
Test(session, files_for_newer_shims)
{
    struct shim shim;
    struct stat stat;
    char path[64], byte = 1;
    open_loaded(&shim);
    shim_put_bytes(&shim, 1, "2.0", 3);
    cr_assert_eq(shim_call(&shim, DEVICE_VERSION), STATUS_OK);
    cr_assert_eq(shim.number[1], 1);
    cr_assert(shim_alloc(&shim, SHIM_PAGE, SHIM_PAGE));
    cr_assert(shim.has[2] && shim.size[2] < sizeof path);
    memcpy(path, shim.bytes[2], shim.size[2]);
    path[shim.size[2]] = 0;
    int file = open(path, O_RDWR);
    cr_assert_geq(file, 0, "%s", path);
    cr_assert(fstat(file, &stat) == 0 && (uint64_t)stat.st_size == BANK);
    cr_assert_eq(pwrite(file, &byte, 1, SHIM_PAGE), 1);
    cr_assert(shim_read(&shim, SHIM_PAGE, &byte, 1));
    cr_assert_eq(byte, 0);
    close(file);
    shim_close(&shim);
}

/* Lists ----------------------------------------------------------------------------------------------------------- */

static uint32_t record_word(struct shim *shim, uint64_t record, uint32_t word)
{
    uint32_t words[ACCEL_RECORD_BYTES / 4];
    cr_assert(shim_read(shim, record, words, sizeof words));
    cr_assert_eq(words[ACCEL_RECORD_WRITTEN], (uint32_t)ACCEL_RECORD_MAGIC);
    return words[word];
}

Test(session, lists_on_two_units)
{
    struct shim shim;
    open_loaded(&shim);
    cr_assert_eq(shim_poll(&shim, 0), IDLE);
    shim_start(&shim, 0, 0x1000, 0, 0x2000);
    shim_start(&shim, 1, 0x1000, 1, 0x3000); /* zeros are no command */
    cr_assert_eq(poll_until_done(&shim, 1), DONE | IDLE | READY);
    cr_assert_eq(shim_poll(&shim, 1), IDLE, "done is told once");
    cr_assert_eq(poll_until_done(&shim, 0), DONE | IDLE | READY);
    cr_assert_eq(record_word(&shim, 0x2000, ACCEL_RECORD_STATUS), ACCEL_ENGINE_OK);
    cr_assert_eq(record_word(&shim, 0x2000, ACCEL_RECORD_VERSION), ACCEL_ENGINE_VERSION);
    cr_assert_eq(record_word(&shim, 0x3000, ACCEL_RECORD_STATUS), ACCEL_ENGINE_BAD_COMMAND);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_LISTS), 2);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_LISTS_DONE), 2);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_LISTS_FAILED), 1);
    shim_close(&shim);
}

Test(session, single_registers)
{
    static const uint32_t registers[][2] = {
        {ACCEL_REGISTER_LIST_LOW, 0x89abcdef},     {ACCEL_REGISTER_LIST_HIGH, 0x1234567},
        {ACCEL_REGISTER_LIST_COUNT, 77},           {ACCEL_REGISTER_RECORD_LOW, 0x80000001},
        {ACCEL_REGISTER_RECORD_HIGH, 5},           {ACCEL_REGISTER_WEIGHTS_LOW, 6},
        {ACCEL_REGISTER_WEIGHTS_HIGH, 0xffffffff}, {ACCEL_REGISTER_INTERRUPT_GLOBAL, 1},
        {ACCEL_REGISTER_INTERRUPT_ENABLE, 3}};
    enum { N = sizeof registers / sizeof *registers };
    struct shim shim;
    open_loaded(&shim);
    for (size_t i = 0; i < 2 * N; i++) {
        const uint32_t *wanted = registers[i % N];
        shim_put_number(&shim, 1, DEVICE_UNIT_BASE + DEVICE_UNIT_SIZE);
        shim_put_number(&shim, 2, wanted[0]);
        if (i < N) {
            shim_put_bytes(&shim, 3, &wanted[1], sizeof wanted[1]);
            cr_assert_eq(shim_call(&shim, DEVICE_WRITE_REGISTER), STATUS_OK);
            continue;
        }
        shim_put_number(&shim, 3, sizeof wanted[1]);
        cr_assert_eq(shim_call(&shim, DEVICE_READ_REGISTER), STATUS_OK);
        cr_assert(shim.has[2] && shim.size[2] == sizeof wanted[1]);
        cr_assert_eq(memcmp(shim.bytes[2], &wanted[1], sizeof wanted[1]), 0, "register %#x", wanted[0]);
    }
    shim_close(&shim);
}

Test(session, registers_of_no_unit)
{
    const uint64_t addresses[] = {0, DEVICE_UNIT_BASE - 4, DEVICE_UNIT_BASE + 2 * DEVICE_UNIT_SIZE, UINT64_MAX - 3};
    struct shim shim;
    uint32_t value = 0;
    open_loaded(&shim);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        shim_put_number(&shim, 2, addresses[i]);
        shim_put_bytes(&shim, 4, &value, sizeof value);
        cr_assert_eq(shim_call(&shim, DEVICE_WRITE_UNIT), STATUS_OK);
        cr_assert_eq(shim.number[1], 0);
        shim_put_number(&shim, 2, addresses[i]);
        shim_put_number(&shim, 3, sizeof value);
        cr_assert_eq(shim_call(&shim, DEVICE_READ_UNIT), STATUS_OK);
        cr_assert_eq(shim.number[1], 0);
    }
    shim_close(&shim);
}

/* Faults ---------------------------------------------------------------------------------------------------------- */

Test(session, a_list_that_hangs_and_one_that_is_slow)
{
    struct shim shim;
    open_loaded(&shim);
    device_control_set(shim.control, DEVICE_FAULT_HANG, 1, 0);
    shim_start(&shim, 0, 0x1000, 0, 0x2000);
    while (shim_count(&shim, DEVICE_COUNT_FAULTS) == 0)
        cr_assert_eq(shim_poll(&shim, 0) & (DONE | IDLE), 0);
    device_control_set(shim.control, DEVICE_FAULT_SLOW, 1, 2000);
    shim_start(&shim, 1, 0x1000, 0, 0x3000);
    cr_assert_eq(poll_until_done(&shim, 1), DONE | IDLE | READY);
    cr_assert_eq(shim_poll(&shim, 0) & (DONE | IDLE), 0, "the other still hangs");
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_FAULTS), 2);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_LISTS), 2);
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_LISTS_DONE), 1);
    shim_close(&shim);
}

static unsigned differing_bits(const unsigned char *a, const unsigned char *b, size_t size)
{
    unsigned bits = 0;
    for (size_t i = 0; i < size; i++)
        bits += (unsigned)__builtin_popcount(a[i] ^ b[i]);
    return bits;
}

Test(session, corrupted_transfers)
{
    static const unsigned char there[100] = {1, 2, 3};
    unsigned char back[100];
    struct shim shim;
    open_loaded(&shim);
    device_control_set(shim.control, DEVICE_FAULT_CORRUPT_IN, 1, 100);
    cr_assert(shim_write(&shim, 0x1000, there, 99));
    cr_assert(shim_read(&shim, 0x1000, back, 99));
    cr_assert_eq(differing_bits(there, back, 99), 0, "too short");
    for (unsigned round = 0; round < 2; round++) {
        cr_assert(shim_write(&shim, 0x1000, there, 100));
        cr_assert(shim_read(&shim, 0x1000, back, 100));
        cr_assert_eq(differing_bits(there, back, 100), round == 0, "one of them, by a bit");
    }
    device_control_set(shim.control, DEVICE_FAULT_CORRUPT_OUT, 2, 0);
    for (unsigned round = 0; round < 3; round++) {
        cr_assert(shim_read(&shim, 0x1000, back, 100));
        cr_assert_eq(differing_bits(there, back, 100), round < 2);
    }
    shim_close(&shim);
}

Test(session, an_xclbin_that_is_refused)
{
    struct shim shim;
    shim_open(&shim);
    device_control_set(shim.control, DEVICE_FAULT_REFUSE, 1, 0);
    cr_assert_not(shim_load(&shim, two_units, BANK));
    cr_assert(shim_load(&shim, two_units, BANK));
    shim_close(&shim);
}

Test(session, control_files)
{
    struct shim shim;
    struct device_control *again = NULL;
    shim_open(&shim);
    device_control_set(shim.control, DEVICE_FAULT_LOSE, 1, 0);
    cr_assert_eq(device_control_open(&again, shim.control_path, &shim.err), STATUS_OK);
    cr_assert(device_control_take(again, DEVICE_FAULT_LOSE, NULL));
    cr_assert(device_control_take(again, DEVICE_FAULT_LOSE, NULL), "a card stays lost");
    device_control_set(again, DEVICE_FAULT_LOSE, 0, 0);
    cr_assert_not(device_control_take(shim.control, DEVICE_FAULT_LOSE, NULL));
    device_control_close(&again);
    cr_assert_eq(device_control_open(&again, shim.folder, &shim.err), STATUS_IO);
    FILE *file = fopen(shim.bitstream_path, "w");
    cr_assert(file && fputs("something else", file) >= 0 && fclose(file) == 0);
    cr_assert_eq(device_control_open(&again, shim.bitstream_path, &shim.err), STATUS_FORMAT);
    shim_close(&shim);
}

/* Messages -------------------------------------------------------------------------------------------------------- */

Test(session, bodies_that_are_no_messages)
{
    static const enum device_call calls[] = {
        DEVICE_CLOSE,       DEVICE_LOAD,       DEVICE_ALLOC,     DEVICE_FREE,           DEVICE_WRITE_MEMORY,
        DEVICE_READ_MEMORY, DEVICE_WRITE_UNIT, DEVICE_READ_UNIT, DEVICE_WRITE_REGISTER, DEVICE_READ_REGISTER};
    static const char cut[] = {2 << 3 | 2, 100, 'x'}, endless[] = {'\xff', '\xff', '\xff'};
    struct shim shim;
    open_loaded(&shim);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        buf_append(&shim.body, cut, sizeof cut);
        cr_assert_eq(shim_call(&shim, calls[i]), STATUS_FORMAT, "call %d", calls[i]);
        buf_append(&shim.body, endless, sizeof endless);
        cr_assert_eq(shim_call(&shim, calls[i]), STATUS_FORMAT, "call %d", calls[i]);
        cr_assert_eq(shim_call(&shim, calls[i]), STATUS_OK, "call %d without any field", calls[i]);
    }
    cr_assert_eq(shim_count(&shim, DEVICE_COUNT_BAD_CALLS), 2 * sizeof calls / sizeof *calls);
    shim_close(&shim);
}

Test(session, closed_for_good_or_not)
{
    struct shim shim;
    shim_open(&shim);
    shim_put_number(&shim, 3, 0);
    cr_assert_eq(shim_call(&shim, DEVICE_CLOSE), STATUS_OK);
    cr_assert_not(shim.over);
    cr_assert_eq(shim_call(&shim, DEVICE_SETUP), STATUS_OK);
    cr_assert_eq(shim.number[1], 1);
    cr_assert_not(shim.over);
    shim_put_number(&shim, 3, 1);
    cr_assert_eq(shim_call(&shim, DEVICE_CLOSE), STATUS_OK);
    cr_assert(shim.over);
    shim_close(&shim);
}
