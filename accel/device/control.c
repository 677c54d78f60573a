#include "accel/device/control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ALL_MAY = 0666 };

static enum status refuse(const char *path, struct error *err)
{
    return error_set(err, STATUS_IO, "%s: %s", path, strerror(errno));
}

static enum status map(struct device_control **ret, int file, const char *path, struct error *err)
{
    struct stat stat;
    if (fstat(file, &stat) != 0)
        return refuse(path, err);
    if (stat.st_size != 0 && stat.st_size != (off_t)sizeof **ret)
        return error_set(err, STATUS_FORMAT, "%s: not the control file of an emulated card", path);
    if (stat.st_size == 0 && ftruncate(file, sizeof **ret) != 0)
        return refuse(path, err);
    struct device_control *control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (control == MAP_FAILED)
        return refuse(path, err);
    uint32_t none = 0;
    if (atomic_compare_exchange_strong(&control->magic, &none, DEVICE_CONTROL_MAGIC))
        atomic_store(&control->version, DEVICE_CONTROL_VERSION);
    else if (none != DEVICE_CONTROL_MAGIC) {
        munmap(control, sizeof *control);
        return error_set(err, STATUS_FORMAT, "%s: not the control file of an emulated card", path);
    }
    *ret = control;
    return STATUS_OK;
}

enum status device_control_open(struct device_control **ret, const char *path, struct error *err)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, ALL_MAY);
    if (file < 0)
        return refuse(path, err);
    enum status status = map(ret, file, path, err);
    close(file);
    return status;
}

void device_control_close(struct device_control **control)
{
    if (*control)
        munmap(*control, sizeof **control);
    *control = NULL;
}

bool device_control_take(struct device_control *control, enum device_fault fault, uint64_t *ret_value)
{
    if (!control)
        return false;
    uint64_t count = atomic_load(&control->faults[fault].count);
    while (count > 0 && !atomic_compare_exchange_weak(&control->faults[fault].count, &count,
                                                      fault == DEVICE_FAULT_LOSE ? count : count - 1))
        ;
    if (count == 0)
        return false;
    if (ret_value)
        *ret_value = atomic_load(&control->faults[fault].value);
    device_control_add(control, DEVICE_COUNT_FAULTS, 1);
    return true;
}

void device_control_add(struct device_control *control, enum device_count count, uint64_t n)
{
    if (control)
        atomic_fetch_add_explicit(&control->counts[count], n, memory_order_relaxed);
}

void device_control_set(struct device_control *control, enum device_fault fault, uint64_t count, uint64_t value)
{
    atomic_store(&control->faults[fault].count, 0); /* no old count with a new value */
    atomic_store(&control->faults[fault].value, value);
    atomic_store(&control->faults[fault].count, count);
}

const char *device_fault_word(enum device_fault fault)
{
    static const char *const words[] = {
#define X(name, word) word,
        DEVICE_FAULT_MAP(X)
#undef X
    };
    return words[fault];
}

const char *device_count_word(enum device_count count)
{
    static const char *const words[] = {
#define X(name, word) word,
        DEVICE_COUNT_MAP(X)
#undef X
    };
    return words[count];
}
