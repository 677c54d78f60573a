/* A compute unit: the engine's registers as bertd_control has them, and a thread that carries out its lists.
 *
 * Thread: the one that serves the host; the unit's own is inside.
 */
#ifndef BERTD_ACCEL_DEVICE_UNIT_H
#define BERTD_ACCEL_DEVICE_UNIT_H

#include "accel/device/compute.h"
#include "accel/device/control.h"

struct device_unit;

/** What is passed is borrowed. `control` may be NULL. `ret`: new; free with device_unit_destroy. Errors: NO_MEMORY. */
enum status device_unit_create(struct device_unit **ret, const struct device_config *config,
                               struct device_memory *memory, struct device_control *control, struct error *err);
/** Give up what it is doing, free, and set the pointer to NULL; NULL is fine. */
void device_unit_destroy(struct device_unit **unit);
/** Write a register, by its offset. */
void device_unit_write(struct device_unit *unit, uint32_t offset, uint32_t value);
/** Read one. Of the control register it waits a moment for a list that is carried out: who polls it needs no rest. */
uint32_t device_unit_read(struct device_unit *unit, uint32_t offset);

#endif
