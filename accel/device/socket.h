/* The socket between XRT's shim and the device process: a request, an answer, the next request. */
#ifndef BERTD_ACCEL_DEVICE_SOCKET_H
#define BERTD_ACCEL_DEVICE_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"

/** Connect to the shim that waits at `path`, as soon as it does. `ret`: a descriptor; close it. Errors: IO, also where
 *  none is there within `seconds`. */
enum status device_socket_connect(int *ret, const char *path, unsigned seconds, struct error *err);
/** Read the next request: its call, and its body of at most `limit` bytes in place of what `body` had.
 *  ret_end  the host has closed the connection between two requests
 *  Errors: IO, FORMAT (framing, a body over the limit), NO_MEMORY. Blocks. */
enum status device_socket_read(int socket, uint64_t limit, uint32_t *ret_call, struct buf *body, bool *ret_end,
                               struct error *err);
/** Write an answer. Errors: IO. Blocks. */
enum status device_socket_write(int socket, const struct buf *body, struct error *err);

#endif
