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
    const char *refused = getenv("BERTD_TEST_TILES_REFUSED");
    tiles_told.asked++;
    return refused ? atoi(refused) : tiles_told.refusal;
}
