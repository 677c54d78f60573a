#include "tests/rtl/engine/bench.h"

/* Of the control register, as ap_ctrl_hs has it. */
enum { CONTROL_START = 1, CONTROL_DONE = 2, CONTROL_IDLE = 4, CONTROL_READY = 8, CONTROL_RESTART = 128 };
enum { POLLS = 300000 };

/* Registers that hold what is written, byte by byte; those that cannot be written, and places between them. */
static void check_storage(struct sim_model *model, struct rtl_random *random)
{
    static const uint32_t kept[] = {ACCEL_REGISTER_LIST_LOW,    ACCEL_REGISTER_LIST_HIGH,   ACCEL_REGISTER_LIST_COUNT,
                                    ACCEL_REGISTER_RECORD_LOW,  ACCEL_REGISTER_RECORD_HIGH, ACCEL_REGISTER_WEIGHTS_LOW,
                                    ACCEL_REGISTER_WEIGHTS_HIGH};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        uint32_t expected = 0;
        for (int n = 0; n < 8; n++) {
            uint32_t value = (uint32_t)rtl_random(random, 1u << 31) * 2 + 1, strobes = (uint32_t)rtl_random(random, 16);
            sim_model_write_bytes(model, kept[i], value, strobes);
            for (uint32_t byte = 0; byte < 4; byte++)
                if (strobes >> byte & 1)
                    expected = (expected & ~(255u << 8 * byte)) | (value & 255u << 8 * byte);
            bench_check(sim_model_read(model, kept[i]) == expected, "a register does not hold its bytes",
                        (long)kept[i]);
        }
    }
    const struct {
        uint32_t reg, written, strobes, expected;
    } others[] = {{ACCEL_REGISTER_INTERRUPT_GLOBAL, 0xffffffff, 1, 1},
                  {ACCEL_REGISTER_INTERRUPT_GLOBAL, 0, 14, 1},
                  {ACCEL_REGISTER_INTERRUPT_GLOBAL, 0, 15, 0},
                  {ACCEL_REGISTER_INTERRUPT_ENABLE, 0xffffffff, 1, 3},
                  {ACCEL_REGISTER_INTERRUPT_ENABLE, 0, 14, 3},
                  {ACCEL_REGISTER_INTERRUPT_ENABLE, 0, 15, 0},
                  {ACCEL_REGISTER_INTERRUPT_STATUS, 0xffffffff, 14, 0},
                  {ACCEL_REGISTER_VERSION, 0xffffffff, 15, ACCEL_ENGINE_VERSION},
                  {ACCEL_REGISTER_GEOMETRY, 0xffffffff, 15, sim_model_slices() << 16 | sim_model_rows()},
                  {24, 0xffffffff, 15, 0},
                  {252, 0xffffffff, 15, 0},
                  {ACCEL_REGISTER_CONTROL, 0xffffffff, 14, CONTROL_IDLE}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        sim_model_write_bytes(model, others[i].reg, others[i].written, others[i].strobes);
        bench_check(sim_model_read(model, others[i].reg) == others[i].expected, "a register", (long)others[i].reg);
    }
}

/* Until ap_done is read, which ends with that; the word. */
static uint32_t poll(struct sim_model *model)
{
    for (int i = 0; i < POLLS; i++) {
        uint32_t word = sim_model_read(model, ACCEL_REGISTER_CONTROL);
        if (word & CONTROL_DONE)
            return word;
    }
    return 0;
}

/* Starts again by itself until told not to; a list of nothing, that nothing may overtake. */
static void check_restart(struct sim_model *model)
{
    sim_model_set_list(model, 0, 0);
    sim_model_write(model, ACCEL_REGISTER_CONTROL, CONTROL_RESTART | CONTROL_START);
    for (int i = 0; i < 3; i++)
        bench_check(poll(model) & CONTROL_RESTART, "did not start again", i);
    sim_model_write(model, ACCEL_REGISTER_CONTROL, 0);
    for (int i = 0; i < POLLS && !(sim_model_read(model, ACCEL_REGISTER_CONTROL) & CONTROL_IDLE); i++)
        ; /* the last one's record is on its way */
    bench_check(sim_model_read(model, ACCEL_REGISTER_CONTROL) == CONTROL_IDLE, "did not end", 0);
}

void bench_registers(struct rtl_random *random)
{
    struct rtl_case test;
    bench_init(&test, random);
    struct sim_model *model = rtl_case_model(&test, bench_stalls(random));
    check_storage(model, random);
    check_restart(model);
    uint32_t commands = rtl_case_commands(&test, model, test.image->shape.layers);
    sim_model_set_list(model, test.card.list, commands);
    sim_model_write(model, ACCEL_REGISTER_INTERRUPT_ENABLE, 3);
    sim_model_write(model, ACCEL_REGISTER_CONTROL, CONTROL_START);
    bench_check(!(sim_model_read(model, ACCEL_REGISTER_CONTROL) & (CONTROL_IDLE | CONTROL_DONE)), "not busy", 0);
    bench_check(poll(model) == (CONTROL_DONE | CONTROL_IDLE | CONTROL_READY), "done, but not idle and ready", 0);
    bench_check(sim_model_read(model, ACCEL_REGISTER_CONTROL) == CONTROL_IDLE, "done is to be read once", 0);
    bench_check(!sim_model_interrupt(model), "interrupts though it may not", 0);
    bench_check(sim_model_read(model, ACCEL_REGISTER_STATUS) == ACCEL_ENGINE_OK, "status", 0);
    bench_expect_equal(&test, model, test.expected);
    sim_model_write(model, ACCEL_REGISTER_INTERRUPT_STATUS, 3);
    sim_model_write(model, ACCEL_REGISTER_INTERRUPT_GLOBAL, 1);
    sim_model_set_list(model, test.card.list + 32, 1);
    sim_model_write(model, ACCEL_REGISTER_CONTROL, CONTROL_START);
    bench_run(model);
    bench_check(sim_model_read(model, ACCEL_REGISTER_STATUS) == ACCEL_ENGINE_BAD_COMMAND, "a list between two beats",
                0);
    for (uint32_t left = 3; left; left &= left - 1) {
        bench_check(sim_model_read(model, ACCEL_REGISTER_INTERRUPT_STATUS) == left, "interrupts", left);
        bench_check(sim_model_interrupt(model), "the interrupt ends before both are cleared", left);
        sim_model_write(model, ACCEL_REGISTER_INTERRUPT_STATUS, left & -left);
    }
    bench_check(!sim_model_interrupt(model), "the interrupt stays", 0);
    bench_check(sim_model_breach(model) == NULL, "a rule of AXI is broken", 0);
    sim_model_destroy(&model);
    rtl_case_finish(&test);
}
