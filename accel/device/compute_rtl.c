/* Lists by accel/rtl itself, simulated on the card's memory. */
#include <stdio.h>

#include "accel/device/compute.h"
#include "accel/sim/sim_model.h"
#include "base/mem.h"

enum { BEAT = 64, LOOK_CYCLES = 20 * 1000, READ_LATENCY = 60 };

struct rtl {
    struct device_compute base;
    struct device_memory *memory;
    struct sim_model *model;
};

static void destroy(struct device_compute *compute)
{
    struct rtl *rtl = (struct rtl *)compute;
    sim_model_destroy(&rtl->model);
    mem_free(rtl);
}

static enum status create(struct device_compute **ret, const struct device_config *config, struct device_memory *memory,
                          struct error *err)
{
    (void)config;
    struct rtl *rtl = mem_calloc(1, sizeof *rtl);
    if (!rtl)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a compute unit");
    const uint64_t size = device_memory_size(memory);
    const struct sim_model_options options = {
        .memory = size, .bytes = device_memory_at(memory, 0, size), .read_latency = READ_LATENCY, .seed = 1};
    *rtl = (struct rtl){{&device_compute_rtl}, memory, sim_model_create(&options)};
    if (!rtl->model) {
        mem_free(rtl);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a simulated engine");
    }
    *ret = &rtl->base;
    return STATUS_OK;
}

/* What the record says, where it could be written; else what the registers say, which do not tell all that was seen. */
static struct card_record outcome(const struct rtl *rtl, uint64_t record)
{
    const uint32_t *words = device_memory_at(rtl->memory, record, ACCEL_RECORD_BYTES);
    const uint32_t geometry = sim_model_read(rtl->model, ACCEL_REGISTER_GEOMETRY);
    struct sim_model_counts counts;
    sim_model_counts(rtl->model, &counts);
    return (struct card_record){.status = sim_model_read(rtl->model, ACCEL_REGISTER_STATUS),
                                .failed = sim_model_read(rtl->model, ACCEL_REGISTER_FAILED),
                                .layer = sim_model_read(rtl->model, ACCEL_REGISTER_LAYER),
                                .seen = words ? words[ACCEL_RECORD_SEEN] : 0,
                                .version = sim_model_read(rtl->model, ACCEL_REGISTER_VERSION),
                                .rows = geometry & 0xffff,
                                .slices = geometry >> 16,
                                .counters = {.cycles = counts.cycles,
                                             .array = counts.array,
                                             .wait_weights = counts.wait_weights,
                                             .wait_rows = counts.wait_rows,
                                             .wait_drain = counts.wait_drain,
                                             .idle = counts.idle,
                                             .beats_read = counts.beats_read,
                                             .beats_written = counts.beats_written}};
}

static bool run(struct device_compute *compute, const struct device_list *list, const atomic_bool *stop,
                struct card_record *ret)
{
    struct rtl *rtl = (struct rtl *)compute;
    sim_model_set_record(rtl->model, list->record);
    sim_model_start(rtl->model, list->address, list->count);
    while (!sim_model_run(rtl->model, LOOK_CYCLES))
        if (atomic_load(stop)) {
            sim_model_reset(rtl->model);
            return false;
        }
    if (sim_model_breach(rtl->model))
        fprintf(stderr, "bertd-card: the engine: %s\n", sim_model_breach(rtl->model));
    *ret = outcome(rtl, list->record / BEAT * BEAT);
    return true;
}

const struct device_compute_ops device_compute_rtl = {create, destroy, run};
