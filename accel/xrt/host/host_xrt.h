/* The calls of XRT, all of them: host_xrt.cpp is the only file that knows the library. Each call that fails says so; an
 * exception of the library ends in its words. What the library itself ends by a signal (XRT 2.13 does where its card's
 * connection breaks) ends the process.
 *
 * Thread: buffers and units one at a time each; the card itself any.
 */
#ifndef BERTD_ACCEL_XRT_HOST_XRT_H
#define BERTD_ACCEL_XRT_HOST_XRT_H

#include <stddef.h>
#include <stdint.h>

#include "accel/xrt/protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

#include "base/status.h"

struct host_card;
struct host_buffer; /* memory of this process and of the card; parts of it too */
struct host_unit;

/** Open a card, load an xclbin, and see that it has the kernel of schemas/accel.json.
 *  ret      new; close with host_card_close
 *  address  "0": its index; or its place on the PCIe bus, "0000:65:00.1"
 *  hello    what is to be told of it
 *  Errors: USAGE (no such card, a wrong xclbin, XRT is not set up), BACKEND (the card), each saying what to do. */
enum status host_card_open(struct host_card **ret, const char *address, const char *xclbin, struct xrt_hello *hello,
                           struct error *err);
/** Close, and set the pointer to NULL; NULL is fine. Buffers and units are gone before. */
void host_card_close(struct host_card **card);
/** What the card's sensors say, as XRT's JSON: "" where it does not tell. Each is [size]. */
void host_card_sensors(struct host_card *card, char *thermal, char *electrical, char *memory, size_t size);
/** MHz of the kernel's clock; NaN: not told. */
double host_card_clock(struct host_card *card);

/** A buffer in the memory that the kernel reaches, with `memory` [size] (pages) as its side here.
 *  ret  new; free with host_buffer_free. Errors: BACKEND (the card's memory is full, with how much was wanted). */
enum status host_buffer_create(struct host_buffer **ret, struct host_card *card, void *memory, size_t size,
                               struct error *err);
/** A part of a buffer, pages: an argument of the kernel. It is freed before the buffer. */
enum status host_buffer_part(struct host_buffer **ret, struct host_buffer *whole, size_t begin, size_t size,
                             struct error *err);
void host_buffer_free(struct host_buffer **buffer);
uint64_t host_buffer_address(const struct host_buffer *buffer);
/** Copy between here and the card. Blocks. Errors: IO. */
enum status host_buffer_send(struct host_buffer *buffer, size_t begin, size_t size, struct error *err);
enum status host_buffer_fetch(struct host_buffer *buffer, size_t begin, size_t size, struct error *err);

/** A compute unit of the card, by its number. Errors: BACKEND. */
enum status host_unit_open(struct host_unit **ret, struct host_card *card, uint32_t unit, struct error *err);
void host_unit_close(struct host_unit **unit);
/** Start a list of one command. Errors: IO. */
enum status host_unit_start(struct host_unit *unit, const struct host_buffer *list, const struct host_buffer *record,
                            const struct host_buffer *weights, struct error *err);
/** Wait for its end, for as long as it takes. Errors: IO (XRT says that it failed). */
enum status host_unit_wait(struct host_unit *unit, struct error *err);

#ifdef __cplusplus
}
#endif

#endif
