#include <stdlib.h>

#include "accel/cpu/tiles_permission.h"
#include "tests/isa/tiles_told.h"

struct tiles_told tiles_told;

bool cpu_tiles_offered(uint32_t leaf7_edx, uint64_t saved_state)
{
    (void)leaf7_edx;
    (void)saved_state;
    return true;
}

int cpu_tiles_ask(void)
{
    tiles_told.asked++;
    return tiles_told.refusal;
}
