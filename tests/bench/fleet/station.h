/* Processors that do one thing after another, first come first served. */
#ifndef TESTS_BENCH_FLEET_STATION_H
#define TESTS_BENCH_FLEET_STATION_H

#include <stdint.h>

enum { STATION_MAX_CORES = 256 };

struct station {
    uint32_t cores;
    double work_ns; /* of each thing */
    uint64_t free_ns[STATION_MAX_CORES];
    double busy_ns;
};

/** When something would be done that comes now; calls come in the order of time. */
static inline uint64_t station_serve(struct station *station, uint64_t now_ns)
{
    uint32_t first = 0;
    for (uint32_t c = 1; c < station->cores; c++)
        if (station->free_ns[c] < station->free_ns[first])
            first = c;
    uint64_t begin_ns = station->free_ns[first] > now_ns ? station->free_ns[first] : now_ns;
    station->free_ns[first] = begin_ns + (uint64_t)station->work_ns;
    station->busy_ns += station->work_ns;
    return station->free_ns[first];
}

#endif
