/* Models on the card: memory that bertd shares, and the card's buffers over it. */
#ifndef BERTD_ACCEL_XRT_HOST_PLACES_H
#define BERTD_ACCEL_XRT_HOST_PLACES_H

#include "accel/xrt/host/host_xrt.h"

/** What a unit works in. */
struct host_slot {
    struct host_buffer *whole, *list, *record;
    char *memory;
};

/** Zeroed: none. */
struct host_place {
    char *memory;
    struct xrt_place layout;
    struct host_buffer *weights;
    uint64_t checksum; /* of the weights, since they were sent */
    uint32_t n_slots;
    struct host_slot slots[XRT_MAX_UNITS * XRT_SLOTS];
};

/** Map the memory behind `fd`, which stays the caller's, and make the buffers.
 *  Errors: IO, BACKEND; `place` is then freed again. */
enum status host_place_create(struct host_place *place, struct host_card *card, const struct xrt_place *layout,
                              uint32_t n_units, int fd, struct error *err);
/** Free all of it; zeroed is fine. */
void host_place_free(struct host_place *place);
/** The weights to the card; what is read back must be the same. Errors: BACKEND. */
enum status host_place_send(struct host_place *place, struct error *err);
/** The weights on the card must still be those that were sent. They are read in pieces. Errors: BACKEND. */
enum status host_place_verify(struct host_place *place, struct error *err);

#endif
