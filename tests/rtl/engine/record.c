/* The completion record: what the registers say, in memory, behind everything else that was written. */
#include <string.h>

#include "tests/rtl/engine/bench.h"

enum { LATE = 20000, BEAT = 64, AROUND = 2 * BEAT, LOOKED_AT = 2 * AROUND + ACCEL_RECORD_BYTES };

static void check_counters(struct sim_model *model, const struct card_counters *counters)
{
    struct sim_model_counts counts;
    sim_model_counts(model, &counts);
    const uint64_t there[] = {counters->cycles,     counters->array, counters->wait_weights, counters->wait_rows,
                              counters->wait_drain, counters->idle,  counters->beats_read,   counters->beats_written};
    const uint64_t expected[] = {counts.cycles,     counts.array, counts.wait_weights, counts.wait_rows,
                                 counts.wait_drain, counts.idle,  counts.beats_read,   counts.beats_written};
    for (int i = 0; i < 8; i++)
        bench_check(there[i] == expected[i], "a counter of the record is not the register's", i);
}

/* What must have been seen for a list to end so. */
static bool explains(uint32_t status, uint32_t seen)
{
    switch (status) {
    case ACCEL_ENGINE_OK:
        return seen == 0;
    case ACCEL_ENGINE_BUS:
        return seen & (ACCEL_SEEN_WEIGHTS_READ | ACCEL_SEEN_DATA_READ | ACCEL_SEEN_DATA_WRITE);
    case ACCEL_ENGINE_CHECKSUM:
        return seen & (ACCEL_SEEN_CHECKSUM | ACCEL_SEEN_OPERANDS | ACCEL_SEEN_MEMORY);
    case ACCEL_ENGINE_NOT_FINITE:
        return seen & ACCEL_SEEN_NOT_FINITE;
    default:
        return status == ACCEL_ENGINE_BAD_COMMAND;
    }
}

uint32_t bench_status(const struct rtl_case *test, struct sim_model *model)
{
    uint32_t status = sim_model_read(model, ACCEL_REGISTER_STATUS);
    struct card_record record;
    if (!card_get_record(&test->card, sim_model_memory(model), &record)) {
        bench_check(status != ACCEL_ENGINE_OK, "no record of a list that went well", status);
        return status;
    }
    bench_check(record.status == status, "the record's status is not the register's", record.status);
    bench_check(record.failed == sim_model_read(model, ACCEL_REGISTER_FAILED), "another command failed", record.failed);
    bench_check(record.layer == sim_model_read(model, ACCEL_REGISTER_LAYER), "another layer failed", record.layer);
    bench_check(record.version == ACCEL_ENGINE_VERSION, "version", record.version);
    bench_check(record.rows == sim_model_rows() && record.slices == sim_model_slices(), "geometry", record.rows);
    bench_check(explains(record.status, record.seen), "seen", record.seen);
    check_counters(model, &record.counters);
    return status;
}

/* An address whose bursts are answered with errors, what is seen of it, and whether a record can come. */
struct fault {
    uint64_t address;
    enum { READS = 1, WRITES = 2 } of;
    uint32_t seen;
    bool recorded;
};

static void check_fault(const struct rtl_case *test, struct sim_model *model, struct sim_model_options options,
                        uint32_t commands, const struct fault *fault)
{
    options.bad_address = fault->address;
    options.bad_reads = fault->of == READS;
    options.bad_writes = fault->of == WRITES;
    sim_model_set_options(model, &options);
    rtl_case_put_rows(test, model);
    bench_check(bench_work(model, test, commands) == ACCEL_ENGINE_BUS, "status", (long)fault->seen);
    struct card_record record = {0};
    bool recorded = card_get_record(&test->card, sim_model_memory(model), &record);
    bench_check(recorded == fault->recorded, "a record, or none", recorded);
    bench_check(!recorded || record.seen == fault->seen, "seen", record.seen);
}

/* A record goes where it is told, in two bursts where that crosses a boundary; nothing around it changes. */
static void check_place(struct rtl_case *test, struct sim_model *model, uint32_t commands)
{
    const uint64_t before = test->card.record;
    char *around = (char *)sim_model_memory(model) + before - AROUND; /* the end of the list's place is free */
    for (uint64_t at = before - BEAT; at <= before + BEAT; at += BEAT) {
        memset(around, 0x5a, LOOKED_AT);
        test->card.record = at;
        sim_model_set_record(model, at + 63); /* a multiple of 64, whatever the last bits say */
        rtl_case_put_rows(test, model);
        bench_check(bench_work(model, test, commands) == ACCEL_ENGINE_OK, "status", (long)at);
        struct card_record record;
        bench_check(card_get_record(&test->card, sim_model_memory(model), &record), "no record", (long)at);
        for (uint64_t i = 0; i < LOOKED_AT; i++)
            bench_check(before - AROUND + i - at < ACCEL_RECORD_BYTES || around[i] == 0x5a, "written beside the record",
                        (long)i);
    }
    test->card.record = before;
    sim_model_set_record(model, before);
}

/* Of lists of which no command is read: an empty one, and one between two beats. */
static void check_no_command(struct rtl_case *test, struct sim_model *model)
{
    struct card_record record = {.counters.cycles = 1};
    bench_check(bench_work(model, test, 0) == ACCEL_ENGINE_OK, "status of an empty list", 0);
    bench_check(card_get_record(&test->card, sim_model_memory(model), &record), "no record", 0);
    bench_check(record.counters.cycles == 0, "the counters are another list's", (long)record.counters.cycles);
    test->card.list += BEAT / 2;
    bench_check(bench_work(model, test, 1) == ACCEL_ENGINE_BAD_COMMAND, "status of a list between beats", 0);
    bench_check(card_get_record(&test->card, sim_model_memory(model), &record), "no record", 1);
    test->card.list -= BEAT / 2;
}

void bench_record(struct rtl_random *random)
{
    struct rtl_case test;
    bench_init(&test, random);
    struct sim_model_options options = bench_stalls(random);
    struct sim_model *model = rtl_case_model(&test, options);
    uint32_t commands = rtl_case_commands(&test, model, test.image->shape.layers);
    const struct fault faults[] = {{test.card.rows, WRITES, ACCEL_SEEN_DATA_WRITE, true},
                                   {test.card.keys, WRITES, ACCEL_SEEN_DATA_WRITE, true},
                                   {test.card.value_scales, WRITES, ACCEL_SEEN_DATA_WRITE, true},
                                   {test.card.rows, READS, ACCEL_SEEN_DATA_READ, true},
                                   {test.card.first.output_norm, READS, ACCEL_SEEN_DATA_READ, true},
                                   {test.card.first.ffn1, READS, ACCEL_SEEN_WEIGHTS_READ, true},
                                   {test.card.keys, READS, ACCEL_SEEN_WEIGHTS_READ, true},
                                   {test.card.record, WRITES, 0, false}};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        check_fault(&test, model, options, commands, &faults[i]);
    sim_model_set_options(model, &options);
    check_place(&test, model, commands);
    check_no_command(&test, model);
    options.late_address = test.card.rows; /* the record waits for rows that are long under way */
    options.late_cycles = LATE;
    sim_model_set_options(model, &options);
    rtl_case_put_rows(&test, model);
    bench_check(bench_work(model, &test, commands) == ACCEL_ENGINE_OK, "status", 0);
    bench_expect_equal(&test, model, test.expected);
    sim_model_destroy(&model);
    rtl_case_finish(&test);
}
