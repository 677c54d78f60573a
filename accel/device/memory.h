/* The card's memory: as large as a card's, of which only what was written takes memory of this machine.
 *
 * Thread: any; who writes what another reads at that moment makes a race, as on a card.
 */
#ifndef BERTD_ACCEL_DEVICE_MEMORY_H
#define BERTD_ACCEL_DEVICE_MEMORY_H

#include <stdint.h>

#include "base/status.h"

struct device_memory;

enum { DEVICE_PAGE = 4096 };

/** Zeroed memory at the addresses 0 to `size`. `ret`: new; free with device_memory_destroy. Errors: NO_MEMORY. */
enum status device_memory_create(struct device_memory **ret, uint64_t size, struct error *err);
/** Free, and set the pointer to NULL; NULL is fine. */
void device_memory_destroy(struct device_memory **memory);
uint64_t device_memory_size(const struct device_memory *memory);
/** Bytes [address, address + size) of the card, borrowed; NULL where the memory has them not all. */
void *device_memory_at(const struct device_memory *memory, uint64_t address, uint64_t size);
/** Those bytes have been written: whoever keeps what was there must read them again. They are within the memory. */
void device_memory_written(struct device_memory *memory, uint64_t address, uint64_t size);
/** A number that changes when anything in the pages of those bytes is written. They are within the memory. */
uint64_t device_memory_version(const struct device_memory *memory, uint64_t address, uint64_t size);
/** Nobody needs those bytes any more: they are zeros from now on. */
void device_memory_forget(struct device_memory *memory, uint64_t address, uint64_t size);
/** A file of the same size that newer shims map as the host's side of buffers. It is no part of the card's memory: a
 *  transfer that the host forgets is seen, as with a card. Borrowed; exists while the memory does. */
const char *device_memory_host_file(const struct device_memory *memory);

#endif
