/* A list of two commands with any words, in a card whose memory has a model of small weights: it ends, with a record
 * that says what it should, and what it writes stays within the memory. */
#include <string.h>

#include "accel/card/card.h"
#include "accel/device/compute.h"
#include "tests/fuzz/require.h"

enum { MEMORY = 64 << 20, COMMANDS = 2, LIST = 1 << 20, RECORD = LIST + 4096, PATCH = 5 };

static struct device_memory *memory;
static struct device_compute *compute;
static struct device_config config = {.units = 1, .version = ACCEL_ENGINE_VERSION, .rows = 64, .slices = 4};

static void open_card(void)
{
    struct error err;
    REQUIRE(device_memory_create(&memory, MEMORY, &err) == STATUS_OK);
    REQUIRE(device_compute_cpu.create(&compute, &config, memory, &err) == STATUS_OK);
}

/* A good command: one layer of one sequence of 5 tokens, 64 wide. */
static void put_command(uint32_t *words)
{
    static const uint32_t good[][2] = {{ACCEL_WORD_LAYERS, 1},         {ACCEL_WORD_HIDDEN, 64},
                                       {ACCEL_WORD_INTERMEDIATE, 128}, {ACCEL_WORD_HEADS, 2},
                                       {ACCEL_WORD_HEAD_DIM, 32},      {ACCEL_WORD_ROWS, 5},
                                       {ACCEL_WORD_EPS, 0x2b8cbccc},   {ACCEL_WORD_INV_HIDDEN, 0x3c800000},
                                       {ACCEL_WORD_SEGMENTS, 5}};
    memset(words, 0, ACCEL_COMMAND_BYTES);
    words[ACCEL_WORD_OPCODE] = (uint32_t)ACCEL_OPCODE_MAGIC | ACCEL_OPCODE_RUN;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        words[good[i][0]] = good[i][1];
    for (uint32_t word = ACCEL_WORD_ROWS_ADDRESS; word < ACCEL_WORD_SEGMENTS; word += 2)
        words[word] = word * 4096;
}

/* The input changes words: a byte for which, four for its value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct device_list list = {LIST, COMMANDS, RECORD};
    const atomic_bool stop = false;
    struct card_record record;
    if (!memory)
        open_card();
    memset(device_memory_at(memory, 0, LIST), 1, LIST); /* weights of 1, scales and rows that are small */
    device_memory_written(memory, 0, LIST);
    uint32_t *words = device_memory_at(memory, LIST, (uint64_t)COMMANDS * ACCEL_COMMAND_BYTES);
    for (uint32_t i = 0; i < COMMANDS; i++)
        put_command(words + i * ACCEL_COMMAND_BYTES / 4);
    for (; size >= PATCH; data += PATCH, size -= PATCH)
        memcpy(&words[data[0] % (COMMANDS * ACCEL_COMMAND_BYTES / 4)], data + 1, sizeof *words);
    REQUIRE(compute->ops->run(compute, &list, &stop, &record));
    REQUIRE(record.status <= ACCEL_ENGINE_NOT_FINITE && record.failed < COMMANDS);
    REQUIRE((record.status == ACCEL_ENGINE_BUS) == ((record.seen & 7) != 0));
    REQUIRE(record.status != ACCEL_ENGINE_OK || (record.seen == 0 && record.failed == COMMANDS - 1));
    return 0;
}
