#include "tests/bench/machine/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "accel/cpu/cpu_flags.h"
#include "accel/cpu/kernels.h"
#include "base/clock.h"

#define TWELVE(X) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define FOUR(X)   X(0) X(1) X(2) X(3)
#define TILE(k)   "tdpbssd %%tmm5, %%tmm4, %%tmm" #k "\n"
#define MADD(k)   "vpmaddwd %%ymm0, %%ymm0, %%ymm1\nvpaddd %%ymm1, %%ymm" #k ", %%ymm" #k "\n"
#define VEX(k)    "%{vex%} vpdpbusd %%ymm0, %%ymm0, %%ymm" #k "\n"
#define EVEX(k)   "vpdpbusd %%zmm0, %%zmm0, %%zmm" #k "\n"
#define CLOBBERS                                                                                                       \
    "xmm0", "xmm1", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* Twelve independent instructions; returns the products of one of them. */
static uint32_t peak_step(unsigned flags)
{
#if defined(__x86_64__)
    if (flags & CPU_AMX) {
        __asm__ volatile(FOUR(TILE) FOUR(TILE) FOUR(TILE)::: "memory");
        return CPU_TILE_ROWS * CPU_TILE_INPUTS * IMAGE_PANEL;
    }
    if (flags & CPU_AVX512VNNI) {
        __asm__ volatile(TWELVE(EVEX)::: CLOBBERS);
        return 64;
    }
    if (flags & CPU_AVXVNNI) {
        __asm__ volatile(TWELVE(VEX)::: CLOBBERS);
        return 32;
    }
    if (flags & CPU_AVX2) {
        __asm__ volatile(TWELVE(MADD)::: CLOBBERS);
        return 16;
    }
#endif
    (void)flags;
    return 0;
}

/* The best of many short stretches. */
double limits_products(unsigned flags)
{
    enum { STEPS = 20000, STRETCHES = 200 };
    double best = 0;
    struct cpu_kernels kernels;
    cpu_kernels_init(&kernels, flags);
    if (kernels.begin)
        kernels.begin();
    for (int i = 0; i < STRETCHES; i++) {
        uint64_t products = 0, begin = clock_now_ns();
        for (int j = 0; j < STEPS; j++)
            products += peak_step(flags) * 12;
        double rate = (double)products / (double)(clock_now_ns() - begin);
        best = rate > best ? rate : best;
    }
    if (kernels.end)
        kernels.end();
    return best;
}

/* Reading ----------------------------------------------------------------------------------------------------------*/

enum { MAX_READERS = 64, PASSES = 5, HUGE_PAGE = 2 << 20 };

typedef uint64_t lanes __attribute__((vector_size(32)));

struct reader {
    pthread_t thread;
    pthread_barrier_t *barrier;
    const lanes *begin, *end;
    lanes sum;
};

static void *read_passes(void *cookie)
{
    struct reader *reader = cookie;
    lanes a = {0}, b = {0}, c = {0}, d = {0};
    for (int pass = 0; pass < PASSES; pass++) {
        pthread_barrier_wait(reader->barrier);
        for (const lanes *at = reader->begin; at + 4 <= reader->end; at += 4) {
            a += at[0];
            b += at[1];
            c += at[2];
            d += at[3];
        }
        reader->sum = a + b + c + d; /* or nothing would have to be read */
        pthread_barrier_wait(reader->barrier);
    }
    return NULL;
}

double limits_read(uint32_t threads, uint64_t bytes)
{
    struct reader readers[MAX_READERS] = {0};
    pthread_barrier_t barrier;
    threads = threads > MAX_READERS ? MAX_READERS : threads;
    lanes *memory = aligned_alloc(HUGE_PAGE, bytes / HUGE_PAGE * HUGE_PAGE);
    if (!memory)
        abort();
    madvise(memory, bytes, MADV_HUGEPAGE);
    memset(memory, 1, bytes / HUGE_PAGE * HUGE_PAGE);
    uint64_t part = bytes / HUGE_PAGE * HUGE_PAGE / sizeof *memory / threads, best_ns = UINT64_MAX;
    pthread_barrier_init(&barrier, NULL, threads + 1);
    for (uint32_t t = 0; t < threads; t++) {
        readers[t] = (struct reader){.barrier = &barrier, .begin = memory + part * t, .end = memory + part * (t + 1)};
        if (pthread_create(&readers[t].thread, NULL, read_passes, &readers[t]))
            abort();
    }
    for (int pass = 0; pass < PASSES; pass++) {
        pthread_barrier_wait(&barrier);
        uint64_t begin = clock_now_ns();
        pthread_barrier_wait(&barrier);
        uint64_t took_ns = clock_now_ns() - begin;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    for (uint32_t t = 0; t < threads; t++)
        pthread_join(readers[t].thread, NULL);
    pthread_barrier_destroy(&barrier);
    free(memory);
    return (double)(part * threads * sizeof *memory) / (double)best_ns;
}
