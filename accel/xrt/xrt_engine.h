/* Compute units of cards that XRT drives, as engines for accel/worker. A board is a compute unit. */
#ifndef BERTD_ACCEL_XRT_XRT_ENGINE_H
#define BERTD_ACCEL_XRT_XRT_ENGINE_H

#include "accel/engine.h"

struct xrt_unit;

/** Open a compute unit; the first of a card starts its host process, with which the card is opened and the xclbin
 *  loaded.
 *  options  card, unit, xclbin and xrt_host count
 *  Errors: USAGE (a wrong xclbin, no such card or unit, XRT is not set up), BACKEND (the card), NO_MEMORY, IO.
 *  Thread: any. */
enum status xrt_unit_open(struct xrt_unit **ret, const struct board_options *options, struct error *err);
/** Close, and set the pointer to NULL; NULL is fine. Its engines are gone before. With a card's last unit its host
 *  process ends. Thread: any. */
void xrt_unit_close(struct xrt_unit **unit);
/** How many compute units its card has. Thread: any. */
uint32_t xrt_unit_siblings(const struct xrt_unit *unit);
/** Fill in what the card's sensors said some seconds ago. Thread: any. */
void xrt_unit_sense(const struct xrt_unit *unit, struct board_stats *ret);

/** On a device that is a struct xrt_unit. Whole tasks as lists of commands; while one list is computed, the next goes
 * to the card. */
extern const struct engine_ops xrt_engine;

#endif
