#include "accel/device/unit.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"

/* So long the answer to a poll waits for the list's end: a host polls without a pause, and each poll costs both sides
 * some tens of microseconds that whoever computes could use. Other calls wait as long. */
enum { POLL_NS = 200 * 1000 };
enum { AP_START = 1, AP_DONE = 2, AP_IDLE = 4, AP_READY = 8, AP_RESTART = 128, INTERRUPTS = 3 };
enum { HELD = ACCEL_REGISTER_WEIGHTS_HIGH / 4 + 1 };

struct device_unit {
    const struct device_config *config;
    struct device_control *control;
    struct device_compute *compute;
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    bool start, busy, done, ready, restart;
    uint32_t held[HELD];     /* registers that hold what is written, by their offset / 4 */
    struct card_record last; /* what the list before said */
};

static uint32_t *held(struct device_unit *unit, uint32_t offset)
{
    return &unit->held[offset / sizeof(uint32_t)];
}

static uint64_t held_wide(struct device_unit *unit, uint32_t offset)
{
    return *held(unit, offset) | (uint64_t)*held(unit, offset + sizeof(uint32_t)) << 32;
}

/* Lists ----------------------------------------------------------------------------------------------------------- */

/* What goes wrong before it is carried out; false: it never ends. */
static bool survive(struct device_unit *unit)
{
    uint64_t microseconds;
    if (device_control_take(unit->control, DEVICE_FAULT_DIE, NULL))
        _exit(1);
    if (device_control_take(unit->control, DEVICE_FAULT_SLOW, &microseconds)) {
        pthread_mutex_lock(&unit->lock);
        uint64_t until = clock_now_ns() + microseconds * 1000;
        while (!atomic_load(&unit->stop) && clock_now_ns() < until)
            cond_wait_until(&unit->changed, &unit->lock, until);
        pthread_mutex_unlock(&unit->lock);
    }
    return !device_control_take(unit->control, DEVICE_FAULT_HANG, NULL);
}

static void finish(struct device_unit *unit, const struct card_record *record)
{
    device_control_add(unit->control, DEVICE_COUNT_LISTS_DONE, 1);
    device_control_add(unit->control, DEVICE_COUNT_LISTS_FAILED, record->status != ACCEL_ENGINE_OK);
    pthread_mutex_lock(&unit->lock);
    unit->last = *record;
    unit->busy = false;
    unit->done = unit->ready = true;
    unit->start |= unit->restart;
    *held(unit, ACCEL_REGISTER_INTERRUPT_STATUS) |= *held(unit, ACCEL_REGISTER_INTERRUPT_ENABLE);
    pthread_cond_broadcast(&unit->changed);
    pthread_mutex_unlock(&unit->lock);
}

static void *work(void *cookie)
{
    struct device_unit *unit = cookie;
    for (;;) {
        pthread_mutex_lock(&unit->lock);
        while (!unit->start && !atomic_load(&unit->stop))
            cond_wait_until(&unit->changed, &unit->lock, COND_FOREVER);
        unit->start = false;
        unit->busy = true;
        const struct device_list list = {held_wide(unit, ACCEL_REGISTER_LIST_LOW),
                                         *held(unit, ACCEL_REGISTER_LIST_COUNT),
                                         held_wide(unit, ACCEL_REGISTER_RECORD_LOW)};
        pthread_mutex_unlock(&unit->lock);
        if (atomic_load(&unit->stop))
            return NULL;
        struct card_record record;
        device_control_add(unit->control, DEVICE_COUNT_LISTS, 1);
        if (!survive(unit) || !unit->compute->ops->run(unit->compute, &list, &unit->stop, &record))
            return NULL; /* it stays busy */
        finish(unit, &record);
    }
}

/* Registers ------------------------------------------------------------------------------------------------------- */

/* Which bits of a register hold what is written. */
static uint32_t held_bits(uint32_t offset)
{
    switch (offset) {
    case ACCEL_REGISTER_INTERRUPT_GLOBAL:
        return 1;
    case ACCEL_REGISTER_INTERRUPT_ENABLE:
        return INTERRUPTS;
    case ACCEL_REGISTER_LIST_LOW:
    case ACCEL_REGISTER_LIST_HIGH:
    case ACCEL_REGISTER_LIST_COUNT:
    case ACCEL_REGISTER_RECORD_LOW:
    case ACCEL_REGISTER_RECORD_HIGH:
    case ACCEL_REGISTER_WEIGHTS_LOW:
    case ACCEL_REGISTER_WEIGHTS_HIGH:
        return UINT32_MAX;
    default:
        return 0;
    }
}

static void write_locked(struct device_unit *unit, uint32_t offset, uint32_t value)
{
    if (offset == ACCEL_REGISTER_CONTROL) {
        unit->start |= value & AP_START;
        unit->restart = value & AP_RESTART;
        pthread_cond_broadcast(&unit->changed);
    } else if (offset == ACCEL_REGISTER_INTERRUPT_STATUS) {
        *held(unit, offset) ^= value & INTERRUPTS;
    } else if (held_bits(offset)) {
        *held(unit, offset) = value & held_bits(offset);
    }
}

void device_unit_write(struct device_unit *unit, uint32_t offset, uint32_t value)
{
    pthread_mutex_lock(&unit->lock);
    write_locked(unit, offset, value);
    pthread_mutex_unlock(&unit->lock);
}

static uint32_t read_control(struct device_unit *unit)
{
    const uint64_t until = clock_now_ns() + POLL_NS;
    while ((unit->busy || unit->start) && clock_now_ns() < until)
        cond_wait_until(&unit->changed, &unit->lock, until);
    uint32_t value = (unit->start ? AP_START : 0u) | (unit->done ? AP_DONE : 0u) | (unit->ready ? AP_READY : 0u) |
                     (unit->restart ? AP_RESTART : 0u) | (!unit->busy && !unit->start ? AP_IDLE : 0u);
    unit->done = unit->ready = false;
    return value;
}

static uint32_t read_counter(const struct device_unit *unit, uint32_t offset)
{
    const struct card_counters *c = &unit->last.counters;
    const uint64_t counters[] = {c->cycles,     c->array, c->wait_weights, c->wait_rows,
                                 c->wait_drain, c->idle,  c->beats_read,   c->beats_written};
    const uint32_t at = offset - ACCEL_REGISTER_CYCLES_LOW;
    if (offset < ACCEL_REGISTER_CYCLES_LOW || at >= sizeof counters)
        return 0;
    return (uint32_t)(counters[at / 8] >> (at % 8 ? 32 : 0));
}

static uint32_t read_locked(struct device_unit *unit, uint32_t offset)
{
    switch (offset) {
    case ACCEL_REGISTER_CONTROL:
        return read_control(unit);
    case ACCEL_REGISTER_STATUS:
        return unit->last.status;
    case ACCEL_REGISTER_FAILED:
        return unit->last.failed;
    case ACCEL_REGISTER_LAYER:
        return unit->last.layer;
    case ACCEL_REGISTER_VERSION:
        return unit->config->version;
    case ACCEL_REGISTER_GEOMETRY:
        return unit->config->slices << 16 | unit->config->rows;
    default:
        return held_bits(offset) || offset == ACCEL_REGISTER_INTERRUPT_STATUS ? *held(unit, offset)
                                                                              : read_counter(unit, offset);
    }
}

uint32_t device_unit_read(struct device_unit *unit, uint32_t offset)
{
    pthread_mutex_lock(&unit->lock);
    uint32_t value = read_locked(unit, offset);
    pthread_mutex_unlock(&unit->lock);
    return value;
}

/* Begin and end --------------------------------------------------------------------------------------------------- */

static enum status create_compute(struct device_unit *unit, struct device_memory *memory, struct error *err)
{
#ifdef BERTD_RTL
    if (unit->config->compute == DEVICE_RTL)
        return device_compute_rtl.create(&unit->compute, unit->config, memory, err);
#endif
    return device_compute_cpu.create(&unit->compute, unit->config, memory, err);
}

enum status device_unit_create(struct device_unit **ret, const struct device_config *config,
                               struct device_memory *memory, struct device_control *control, struct error *err)
{
    struct device_unit *unit = mem_calloc(1, sizeof *unit);
    if (!unit)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a compute unit");
    unit->config = config;
    unit->control = control;
    enum status status = create_compute(unit, memory, err);
    if (status) {
        mem_free(unit);
        return status;
    }
    pthread_mutex_init(&unit->lock, NULL);
    cond_init(&unit->changed);
    if (pthread_create(&unit->thread, NULL, work, unit) != 0) {
        unit->compute->ops->destroy(unit->compute);
        mem_free(unit);
        return error_set(err, STATUS_NO_MEMORY, "no thread for a compute unit");
    }
    *ret = unit;
    return STATUS_OK;
}

void device_unit_destroy(struct device_unit **unit)
{
    struct device_unit *u = *unit;
    if (!u)
        return;
    pthread_mutex_lock(&u->lock);
    atomic_store(&u->stop, true);
    pthread_cond_broadcast(&u->changed);
    pthread_mutex_unlock(&u->lock);
    pthread_join(u->thread, NULL);
    pthread_cond_destroy(&u->changed);
    pthread_mutex_destroy(&u->lock);
    u->compute->ops->destroy(u->compute);
    mem_free(u);
    *unit = NULL;
}
