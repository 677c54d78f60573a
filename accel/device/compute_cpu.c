/* Lists by the kernels of accel/cpu: what the engine computes, its checks and its record; not its time. */
#include <string.h>

#include "accel/device/compute.h"
#include "accel/device/layers.h"
#include "accel/engine.h"
#include "base/mem.h"

struct cpu {
    struct device_compute base;
    const struct device_config *config;
    struct device_memory *memory;
    struct device_layers *layers; /* of the shape there was last; NULL: none yet */
    struct engine *checked;       /* for that shape */
    struct engine *unchecked;     /* for what is to be computed although a checksum is wrong; NULL: never yet */
    float *rows;                  /* [CARD_MAX_TOKENS][hidden] */
    float *before;                /* the same, at the begin of a layer */
};

static void forget_shape(struct cpu *cpu)
{
    if (cpu->checked)
        cpu_engine.destroy(cpu->checked);
    if (cpu->unchecked)
        cpu_engine.destroy(cpu->unchecked);
    cpu->checked = cpu->unchecked = NULL;
    device_layers_destroy(&cpu->layers);
    mem_free(cpu->rows);
    mem_free(cpu->before);
    cpu->rows = cpu->before = NULL;
}

static void destroy(struct device_compute *compute)
{
    forget_shape((struct cpu *)compute);
    mem_free(compute);
}

static enum status create(struct device_compute **ret, const struct device_config *config, struct device_memory *memory,
                          struct error *err)
{
    struct cpu *cpu = mem_calloc(1, sizeof *cpu);
    if (!cpu)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a compute unit");
    *cpu = (struct cpu){.base = {&device_compute_cpu}, .config = config, .memory = memory};
    *ret = &cpu->base;
    return STATUS_OK;
}

static enum status learn_shape(struct cpu *cpu, const struct device_command *command, struct error *err)
{
    if (cpu->layers && device_layers_fit(cpu->layers, command))
        return STATUS_OK;
    forget_shape(cpu);
    const size_t rows = (size_t)CARD_MAX_TOKENS * command->shape.hidden * sizeof(float);
    enum status status = device_layers_create(&cpu->layers, cpu->memory, command, err);
    if (!status)
        status = cpu_engine.create(&cpu->checked, device_layers_image(cpu->layers), true, err);
    if (!status && (!(cpu->rows = mem_calloc(1, rows)) || !(cpu->before = mem_calloc(1, rows))))
        status = error_set(err, STATUS_NO_MEMORY, "no memory for the rows of a command");
    if (status)
        forget_shape(cpu);
    return status;
}

/* A command's way ------------------------------------------------------------------------------------------------- */

/* What it reads and writes besides weights: bytes from each address on. */
struct sizes {
    uint64_t rows, kv, scales;
};

static struct sizes sizes_of(const struct device_command *command)
{
    const uint64_t tokens = (uint64_t)device_command_blocks(command) * IMAGE_PANEL * command->shape.heads;
    return (struct sizes){.rows = (uint64_t)command->rows * command->shape.hidden * sizeof(float),
                          .kv = tokens * command->head_dim,
                          .scales = tokens * sizeof(float)};
}

/* Those of ACCEL_SEEN_ that the bus answers with an error: addresses that are not the memory's. */
static uint32_t look_for_bus_errors(const struct cpu *cpu, const struct device_command *command)
{
    const struct sizes sizes = sizes_of(command);
    uint32_t seen = 0;
    if (!device_memory_at(cpu->memory, command->rows_address, sizes.rows))
        seen |= command->kind == BOARD_PROJECT ? ACCEL_SEEN_DATA_READ : ACCEL_SEEN_DATA_READ | ACCEL_SEEN_DATA_WRITE;
    if (!device_memory_at(cpu->memory, command->keys, sizes.kv) ||
        !device_memory_at(cpu->memory, command->values, sizes.kv) ||
        !device_memory_at(cpu->memory, command->key_scales, sizes.scales) ||
        !device_memory_at(cpu->memory, command->value_scales, sizes.scales))
        seen |= command->kind == BOARD_FINISH ? ACCEL_SEEN_WEIGHTS_READ : ACCEL_SEEN_DATA_WRITE;
    for (uint32_t layer = 0; layer < command->layers; layer++) {
        struct device_extent extents[DEVICE_LAYER_EXTENTS];
        device_layer_extents(command, layer, extents);
        for (uint32_t i = 0; i < DEVICE_LAYER_EXTENTS; i++)
            if (!device_memory_at(cpu->memory, extents[i].address, extents[i].size))
                seen |= i < DEVICE_LAYER_LINEARS ? ACCEL_SEEN_WEIGHTS_READ : ACCEL_SEEN_DATA_READ;
    }
    return seen;
}

static uint32_t rows_end(const struct device_command *command)
{
    return command->row_begin + command->rows;
}

/* Keys and values of parts go from one command to another through the card's memory. */
static void tell_written(struct cpu *cpu, const struct device_command *command)
{
    const struct sizes sizes = sizes_of(command);
    if (command->kind != BOARD_PROJECT) {
        device_memory_written(cpu->memory, command->rows_address, sizes.rows);
        return;
    }
    device_memory_written(cpu->memory, command->keys, sizes.kv);
    device_memory_written(cpu->memory, command->values, sizes.kv);
    device_memory_written(cpu->memory, command->key_scales, sizes.scales);
    device_memory_written(cpu->memory, command->value_scales, sizes.scales);
}

static void see(struct card_record *record, uint32_t status, uint32_t seen, uint32_t layer)
{
    if (record->status == ACCEL_ENGINE_OK) {
        record->status = status;
        record->layer = layer;
    }
    record->seen |= seen;
}

/* A layer although a checksum is wrong in it, or was in one before. False: a value is not finite. */
static bool run_unchecked(struct cpu *cpu, const struct device_command *command, const struct board_job *job,
                          uint32_t index)
{
    struct error err;
    if (!cpu->unchecked && cpu_engine.create(&cpu->unchecked, device_layers_image(cpu->layers), false, &err))
        return false;
    return cpu_engine.run(cpu->unchecked, job, command->kind, index, command->row_begin, rows_end(command), &err) ==
           STATUS_OK;
}

static enum status run_layers(struct cpu *cpu, const struct device_command *command, const struct board_job *job,
                              struct card_record *record, struct error *err)
{
    const size_t row = command->shape.hidden, begin = command->row_begin * row;
    const size_t bytes = command->rows * row * sizeof(float);
    for (uint32_t layer = 0; layer < command->layers; layer++) {
        uint32_t index;
        enum status status = device_layers_find(cpu->layers, command, layer, &index, err);
        if (status)
            return status;
        memcpy(cpu->before + begin, cpu->rows + begin, bytes);
        status = cpu_engine.run(cpu->checked, job, command->kind, index, command->row_begin, rows_end(command), err);
        if (status == STATUS_NO_MEMORY)
            return status;
        if (!status)
            continue;
        memcpy(cpu->rows + begin, cpu->before + begin, bytes);
        if (!run_unchecked(cpu, command, job, index)) {
            see(record, ACCEL_ENGINE_NOT_FINITE, ACCEL_SEEN_NOT_FINITE, layer);
            return STATUS_OK;
        }
        see(record, ACCEL_ENGINE_CHECKSUM, ACCEL_SEEN_CHECKSUM, layer);
    }
    if (record->status == ACCEL_ENGINE_OK)
        record->layer = command->layers - 1;
    return STATUS_OK;
}

static enum status run_command(struct cpu *cpu, const struct device_command *command, struct card_record *record,
                               struct error *err)
{
    const uint32_t bus = look_for_bus_errors(cpu, command);
    if (bus) {
        see(record, ACCEL_ENGINE_BUS, bus, 0);
        return STATUS_OK;
    }
    enum status status = learn_shape(cpu, command, err);
    if (status)
        return status;
    const struct sizes sizes = sizes_of(command);
    uint32_t block_begin[] = {0, device_command_blocks(command)};
    void *keys = device_memory_at(cpu->memory, command->keys, sizes.kv);
    void *values = device_memory_at(cpu->memory, command->values, sizes.kv);
    void *key_scales = device_memory_at(cpu->memory, command->key_scales, sizes.scales);
    void *value_scales = device_memory_at(cpu->memory, command->value_scales, sizes.scales);
    struct board_kv kv = {.block_begin = block_begin,
                          .keys = {keys, keys},
                          .values = {values, values},
                          .key_scales = {key_scales, key_scales},
                          .value_scales = {value_scales, value_scales}};
    struct board_job job = {.image = device_layers_image(cpu->layers),
                            .n_seqs = command->n_seqs,
                            .n_rows = command->cu_seqlens[command->n_seqs],
                            .cu_seqlens = command->cu_seqlens,
                            .hidden = cpu->rows,
                            .kv = &kv};
    float *mine = cpu->rows + (size_t)command->row_begin * command->shape.hidden;
    void *rows = device_memory_at(cpu->memory, command->rows_address, sizes.rows);
    memcpy(mine, rows, sizes.rows);
    status = run_layers(cpu, command, &job, record, err);
    if (command->kind != BOARD_PROJECT && !status)
        memcpy(rows, mine, sizes.rows);
    tell_written(cpu, command);
    return status;
}

/* The list -------------------------------------------------------------------------------------------------------- */

static void write_record(struct cpu *cpu, uint64_t address, const struct card_record *record)
{
    uint32_t words[ACCEL_RECORD_BYTES / 4] = {0};
    address -= address % 64;
    void *at = device_memory_at(cpu->memory, address, sizeof words);
    if (!at)
        return;
    words[ACCEL_RECORD_WRITTEN] = (uint32_t)ACCEL_RECORD_MAGIC;
    words[ACCEL_RECORD_STATUS] = record->status;
    words[ACCEL_RECORD_FAILED] = record->failed;
    words[ACCEL_RECORD_LAYER] = record->layer;
    words[ACCEL_RECORD_SEEN] = record->seen;
    words[ACCEL_RECORD_VERSION] = record->version;
    words[ACCEL_RECORD_GEOMETRY] = record->slices << 16 | record->rows;
    memcpy(at, words, sizeof words);
    device_memory_written(cpu->memory, address, sizeof words);
}

static bool run(struct device_compute *compute, const struct device_list *list, const atomic_bool *stop,
                struct card_record *ret)
{
    struct cpu *cpu = (struct cpu *)compute;
    struct card_record record = {
        .version = cpu->config->version, .rows = cpu->config->rows, .slices = cpu->config->slices};
    if (list->address % 64)
        record.status = ACCEL_ENGINE_BAD_COMMAND;
    for (uint32_t i = 0; i < list->count && record.status == ACCEL_ENGINE_OK; i++) {
        uint32_t words[ACCEL_COMMAND_BYTES / 4];
        struct device_command command;
        struct error err;
        const void *at = device_memory_at(cpu->memory, list->address + (uint64_t)i * ACCEL_COMMAND_BYTES, sizeof words);
        record.failed = i;
        if (at)
            memcpy(words, at, sizeof words);
        if (!at)
            see(&record, ACCEL_ENGINE_BUS, ACCEL_SEEN_DATA_READ, 0);
        else if (!device_command_decode(&command, words))
            see(&record, ACCEL_ENGINE_BAD_COMMAND, 0, 0);
        else if (run_command(cpu, &command, &record, &err)) /* this machine has not enough memory: a card's would */
            see(&record, ACCEL_ENGINE_BUS, ACCEL_SEEN_DATA_READ, 0);
        if (atomic_load(stop))
            return false;
    }
    write_record(cpu, list->record, &record);
    *ret = record;
    return true;
}

const struct device_compute_ops device_compute_cpu = {create, destroy, run};
