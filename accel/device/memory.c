#include "accel/device/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/round_up.h"

struct device_memory {
    uint64_t size; /* of `bytes`, a multiple of DEVICE_PAGE */
    char *bytes;
    atomic_uint *versions; /* of each page */
    size_t versions_size;  /* in bytes */
    int host_file;
    char host_path[64];
};

static void *reserve(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

void device_memory_destroy(struct device_memory **memory)
{
    struct device_memory *m = *memory;
    if (!m)
        return;
    if (m->bytes)
        munmap(m->bytes, m->size);
    if (m->versions)
        munmap(m->versions, m->versions_size);
    if (m->host_file >= 0)
        close(m->host_file);
    mem_free(m);
    *memory = NULL;
}

enum status device_memory_create(struct device_memory **ret, uint64_t size, struct error *err)
{
    struct device_memory *m = mem_calloc(1, sizeof *m);
    if (!m)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a card");
    m->size = round_up(size, DEVICE_PAGE);
    m->bytes = reserve(m->size);
    m->versions_size = round_up(m->size / DEVICE_PAGE * sizeof *m->versions, DEVICE_PAGE);
    m->versions = reserve(m->versions_size);
    m->host_file = memfd_create("card", MFD_CLOEXEC);
    if (!m->bytes || !m->versions || m->host_file < 0 || ftruncate(m->host_file, (off_t)m->size) != 0) {
        enum status status = error_set(err, STATUS_NO_MEMORY, "no address space for a card's %llu MB: %s",
                                       (unsigned long long)(size >> 20), strerror(errno));
        device_memory_destroy(&m);
        return status;
    }
    snprintf(m->host_path, sizeof m->host_path, "/proc/%d/fd/%d", (int)getpid(), m->host_file);
    *ret = m;
    return STATUS_OK;
}

uint64_t device_memory_size(const struct device_memory *memory)
{
    return memory->size;
}

void *device_memory_at(const struct device_memory *memory, uint64_t address, uint64_t size)
{
    return address <= memory->size && size <= memory->size - address ? memory->bytes + address : NULL;
}

void device_memory_written(struct device_memory *memory, uint64_t address, uint64_t size)
{
    for (uint64_t page = address / DEVICE_PAGE; page * DEVICE_PAGE < address + size; page++)
        atomic_fetch_add_explicit(&memory->versions[page], 1, memory_order_release);
}

uint64_t device_memory_version(const struct device_memory *memory, uint64_t address, uint64_t size)
{
    uint64_t sum = 0;
    for (uint64_t page = address / DEVICE_PAGE; page * DEVICE_PAGE < address + size; page++)
        sum += atomic_load_explicit(&memory->versions[page], memory_order_acquire);
    return sum;
}

void device_memory_forget(struct device_memory *memory, uint64_t address, uint64_t size)
{
    uint64_t begin = round_up(address, DEVICE_PAGE), end = (address + size) / DEVICE_PAGE * DEVICE_PAGE;
    char *at = end > begin ? device_memory_at(memory, begin, end - begin) : NULL;
    if (!at)
        return;
    madvise(at, end - begin, MADV_DONTNEED);
    fallocate(memory->host_file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)begin, (off_t)(end - begin));
    device_memory_written(memory, begin, end - begin);
}

const char *device_memory_host_file(const struct device_memory *memory)
{
    return memory->host_path;
}
