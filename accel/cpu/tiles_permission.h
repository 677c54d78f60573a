/* Whether this process may use the tiles of AMX: 8 KB of registers, which Linux saves for those alone who asked. */
#ifndef BERTD_ACCEL_CPU_TILES_PERMISSION_H
#define BERTD_ACCEL_CPU_TILES_PERMISSION_H

#include <stdbool.h>
#include <stdint.h>

/** Whether there are tiles and their int8 products: by EDX of leaf 7 of cpuid, and by what the system saves (XCR0). */
bool cpu_tiles_offered(uint32_t leaf7_edx, uint64_t saved_state);
/** Ask the system, for all threads there are and will be. 0, or the errno of its refusal: it has never heard of them
 *  (EINVAL, EOPNOTSUPP), or a thread's alternate signal stack is too small to save them on (ENOSPC). Thread: any. */
int cpu_tiles_ask(void);

#endif
