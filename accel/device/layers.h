/* Layers in card memory as the engines of this machine read them: unpacked once, and again when something was written
 * there.
 *
 * Thread: one at a time.
 */
#ifndef BERTD_ACCEL_DEVICE_LAYERS_H
#define BERTD_ACCEL_DEVICE_LAYERS_H

#include "accel/device/command.h"
#include "accel/device/memory.h"
#include "accel/image.h"

struct device_layers;

/** Bytes of card memory. */
struct device_extent {
    uint64_t address, size;
};
/** Where a layer of the command lies: its five linears, then its two norms. */
enum { DEVICE_LAYER_LINEARS = 5, DEVICE_LAYER_EXTENTS = 7 };
void device_layer_extents(const struct device_command *command, uint32_t layer,
                          struct device_extent ret[DEVICE_LAYER_EXTENTS]);

/** None yet, of models of the shape of `command`. The memory is borrowed. `ret`: new; free with device_layers_destroy.
 *  Errors: NO_MEMORY. */
enum status device_layers_create(struct device_layers **ret, const struct device_memory *memory,
                                 const struct device_command *command, struct error *err);
/** Free, and set the pointer to NULL; NULL is fine. */
void device_layers_destroy(struct device_layers **layers);
/** Whether this command is of the same shape. */
bool device_layers_fit(const struct device_layers *layers, const struct device_command *command);
/** An image that has the layers found, and no embedding; borrowed, the same until `layers` is destroyed. */
const struct image *device_layers_image(const struct device_layers *layers);
/** The number that a layer of the command has in the image: never 0, which engines begin with the embedding. Its
 *  extents are within the memory. Errors: NO_MEMORY; UNSUPPORTED (too many layers). */
enum status device_layers_find(struct device_layers *layers, const struct device_command *command, uint32_t layer,
                               uint32_t *ret, struct error *err);

#endif
