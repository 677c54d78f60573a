/* A host process (accel/xrt/host) as bertd has it: started, asked, given up. It has one card open and is all that
 * knows XRT. When it ends, by its own fault or on purpose, whoever waits for an answer is told so.
 */
#ifndef BERTD_ACCEL_XRT_XRT_HOST_H
#define BERTD_ACCEL_XRT_XRT_HOST_H

#include <stdatomic.h>

#include "accel/xrt/protocol.h"
#include "base/status.h"

struct xrt_host;

/** Start one, and have it open the card with all its compute units. Blocks, up to `patience` minutes.
 *  ret       new reference
 *  program   its path; NULL: "bertd-xrt-host" beside the program that runs
 *  card      "0", or "0000:65:00.1"
 *  patience  opening, and later each answer on the control channel, may take so many times as long
 *  Errors: USAGE (no program, what the host process says of the xclbin), BACKEND (of the card), NO_MEMORY, IO.
 *  Thread: any. */
enum status xrt_host_start(struct xrt_host **ret, const char *program, const char *card, const char *xclbin,
                           uint32_t patience, struct error *err);
struct xrt_host *xrt_host_retain(struct xrt_host *host);
/** Drop a reference and set the pointer to NULL; NULL is fine. The last one has it end well, or gives it up after some
 *  seconds. Thread: any. */
void xrt_host_release(struct xrt_host **host);
/** Give it up at once: the card's driver lets go of all it had. Thread: any. */
void xrt_host_kill(struct xrt_host *host);
bool xrt_host_is_dead(const struct xrt_host *host);
const struct xrt_hello *xrt_host_hello(const struct xrt_host *host);
/** What the sensors said some seconds ago. Thread: any. */
void xrt_host_sensors(const struct xrt_host *host, struct xrt_sensors *ret);

/** Ask on the control channel, and wait.
 *  fd   goes with it, and stays the caller's; -1: none
 *  Errors: what was answered; BACKEND (it ended, or did not answer in time and was given up). Thread: any. */
enum status xrt_host_ask(struct xrt_host *host, const struct xrt_request *request, int fd, struct xrt_answer *ret,
                         struct error *err);

/** Send a compute unit something to do. Errors: BACKEND (it ended). Thread: one for each unit. */
enum status xrt_host_tell(struct xrt_host *host, uint32_t unit, const struct xrt_request *request, struct error *err);
/** Wait for the oldest answer of a compute unit. Once `*stop` (NULL: never) is true, the card has a moment to finish;
 *  then the host process is given up.
 *  Errors: what was answered (IO: the host process is given up too); BACKEND (it ended), CANCELLED (stopped).
 *  Thread: one for each unit. */
enum status xrt_host_await(struct xrt_host *host, uint32_t unit, const atomic_bool *stop, struct xrt_answer *ret,
                           struct error *err);

#endif
