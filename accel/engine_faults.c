#include "accel/engine_faults.h"

enum { SPARED = 6 }; /* a fault happens in one of so many products: as many as a layer has at least */

size_t engine_faults_below(struct engine_faults *faults, size_t limit)
{
    faults->random += 0x9e3779b97f4a7c15;
    uint64_t x = faults->random;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (size_t)((x ^ x >> 31) % limit);
}

void engine_faults_arm(struct engine_faults *faults, unsigned mask, uint64_t seed)
{
    faults->random = seed;
    faults->armed = mask;
    faults->wait = (uint32_t)engine_faults_below(faults, SPARED);
}

unsigned engine_faults_due(struct engine_faults *faults, unsigned possible)
{
    unsigned due = faults->armed & possible;
    if (due && faults->wait > 0) {
        faults->wait--;
        return 0;
    }
    faults->armed &= ~due;
    return due;
}

void engine_faults_hidden(struct engine_faults *faults, float *hidden, size_t n)
{
    if (!(faults->armed & ENGINE_FLIP_HIDDEN))
        return;
    unsigned char *bytes = (unsigned char *)hidden;
    bytes[engine_faults_below(faults, n * sizeof *hidden)] ^= (unsigned char)(1u << engine_faults_below(faults, 8));
    faults->armed &= ~(unsigned)ENGINE_FLIP_HIDDEN;
}

bool engine_inject(struct engine *engine, unsigned faults, uint64_t seed)
{
    return engine->ops->inject && engine->ops->inject(engine, faults, seed);
}
