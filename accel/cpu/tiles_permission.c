#include "accel/cpu/tiles_permission.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

bool cpu_tiles_offered(uint32_t leaf7_edx, uint64_t saved_state)
{
    const uint32_t features = 1u << 24 | 1u << 25; /* tiles, int8 */
    const uint64_t state = 1u << 17 | 1u << 18;    /* their configuration, their contents */
    return (leaf7_edx & features) == features && (saved_state & state) == state;
}

int cpu_tiles_ask(void)
{
#if defined(SYS_arch_prctl)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 ? 0 : errno;
#else
    return ENOSYS;
#endif
}
