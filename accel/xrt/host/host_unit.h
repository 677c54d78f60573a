/* A compute unit of the card: a thread that carries out what comes on its channel. */
#ifndef BERTD_ACCEL_XRT_HOST_UNIT_H
#define BERTD_ACCEL_XRT_HOST_UNIT_H

#include <pthread.h>

#include "accel/xrt/host/host_places.h"

/** Zeroed: none. */
struct host_thread {
    pthread_t thread;
    int channel; /* the thread's; it ends when the other side is closed */
    uint32_t unit;
    struct host_unit *opened;
    struct host_place *places; /* [XRT_MAX_PLACES]; whoever asks for runs does not drop the places of these */
};

/** Called by each thread of this process with what it is told by bertd and before what it tells bertd: so what one
 * thread did is there for the next that bertd has go on with it. The sockets see to that, but through another process,
 * which the language and its checkers know nothing of. */
void host_hand_over(void);

/** Open the unit and start its thread. `channel` is taken over with success.
 *  Errors: BACKEND, IO. */
enum status host_thread_start(struct host_thread *thread, struct host_card *card, uint32_t unit, int channel,
                              struct host_place *places, struct error *err);
/** Wait until it has ended, and close the unit. Zeroed is fine. */
void host_thread_join(struct host_thread *thread);

#endif
