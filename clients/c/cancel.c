#include "clients/c/cancel.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clients/c/client.h"
#include "clients/c/error.h"

enum bertd_status bertd_cancel_create(struct bertd_client *client, struct bertd_cancel **ret, struct bertd_error *err)
{
    struct bertd_cancel *cancel = bertd_memory_new(&client->memory, 1, sizeof *cancel);
    if (!cancel)
        return bertd_fail_memory(err);
    cancel->memory = client->memory;
    cancel->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (cancel->fd < 0) {
        int code = errno;
        bertd_memory_free(&client->memory, cancel);
        return bertd_fail(err, BERTD_SYSTEM, "no descriptor for a switch: error %d; close some, or raise ulimit -n",
                          code);
    }
    *ret = cancel;
    return BERTD_OK;
}

void bertd_cancel_now(struct bertd_cancel *cancel)
{
    uint64_t one = 1;
    int code = errno; /* whom a signal handler interrupts keeps its own */
    atomic_store(&cancel->thrown, true);
    ssize_t written = write(cancel->fd, &one, sizeof one);
    (void)written; /* it fails only where it is readable already */
    errno = code;
}

void bertd_cancel_destroy(struct bertd_cancel **cancel)
{
    struct bertd_cancel *gone = *cancel;
    *cancel = NULL;
    if (!gone)
        return;
    close(gone->fd);
    struct bertd_memory memory = gone->memory;
    bertd_memory_free(&memory, gone);
}
