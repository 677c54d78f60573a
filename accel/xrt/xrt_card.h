/* The cards that boards of this process have open, and the models on them. Boards of one card, a compute unit each,
 * share its host process and what is loaded.
 */
#ifndef BERTD_ACCEL_XRT_XRT_CARD_H
#define BERTD_ACCEL_XRT_XRT_CARD_H

#include "accel/card/card.h"
#include "accel/xrt/xrt_engine.h"
#include "accel/xrt/xrt_host.h"

struct xrt_card;

/** A compute unit as a board has it open: the device of its engines. */
struct xrt_unit {
    struct xrt_card *card;
    uint32_t unit;
};

/** A model on a card, with a place to work for each unit. */
struct xrt_resident {
    struct xrt_resident *next;
    struct xrt_host *host;
    struct image *image;
    struct card card; /* of the weights; work_shift is each slot's own */
    char *memory;     /* shared with the host process: [weights][slot 0][slot 1].., each laid out as a whole card */
    size_t size;      /* of it */
    uint32_t place;   /* the host process's number of it */
    uint32_t references;
    atomic_bool suspect; /* something went wrong: look at it before it is shared on */
    uint64_t shifts[XRT_MAX_UNITS * XRT_SLOTS];
};

/** Have a model on the card of `unit`, for an engine. Where the host process has ended, there is a new one first.
 *  ret  until xrt_card_detach. Errors: those of xrt_host_start, UNSUPPORTED (a shape), NO_MEMORY. Thread: any. */
enum status xrt_card_attach(struct xrt_resident **ret, struct xrt_unit *unit, struct image *image, struct error *err);
/** What the card holds of it is what was sent. Errors: BACKEND. Thread: any. */
enum status xrt_resident_verify(struct xrt_resident *resident, struct error *err);
void xrt_card_detach(struct xrt_unit *unit, struct xrt_resident *resident);
/** The memory of a slot, as accel/card has it: its weights are not there. */
static inline char *xrt_resident_slot(const struct xrt_resident *resident, uint32_t unit, uint32_t slot)
{
    return resident->memory + (1 + unit * XRT_SLOTS + slot) * resident->card.size;
}

#endif
