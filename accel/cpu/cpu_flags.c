#include "accel/cpu/cpu_flags.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpu/tiles_permission.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define SET(name, flag, bit, options) {#name, (bit), 2 * (bit)-1},
#define OR(name, flag, bit, options)  | (bit)

const struct cpu_set cpu_sets[CPU_N_SETS] = {{"c", 0, 0}, CPU_EACH_SET(SET)};

enum { MASK_UNREAD = -1, NOT_ASKED = -1, MASK_ALL = 0 CPU_EACH_SET(OR) };

static atomic_int mask = MASK_UNREAD;
static atomic_int tiles_refused = NOT_ASKED; /* an errno, or 0 */

#if defined(__x86_64__)
enum { XCR0_YMM = 0x06, XCR0_ZMM = 0xe6 }; /* register state the system saves: XMM, YMM; opmask and both ZMM halves */

static uint64_t saved_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static unsigned detect(void)
{
    uint32_t a, b, c, d, c7, b7, d7, a71, unused;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA))
        return 0;
    uint64_t state = saved_state();
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) || !(b7 & bit_AVX2) || (state & XCR0_YMM) != XCR0_YMM)
        return 0;
    unsigned flags = CPU_AVX2;
    enum { AVXVNNI_BIT = 1 << 4 }; /* leaf 7.1 EAX */
    if (a >= 1 && __get_cpuid_count(7, 1, &a71, &unused, &unused, &unused) && (a71 & AVXVNNI_BIT))
        flags |= CPU_AVXVNNI;
    const uint32_t avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if ((b7 & avx512) != avx512 || !(c7 & bit_AVX512VNNI) || (state & XCR0_ZMM) != XCR0_ZMM)
        return flags;
    return flags | CPU_AVX512VNNI | (cpu_tiles_offered(d7, state) ? CPU_AMX : 0);
}
#else
static unsigned detect(void)
{
    return 0;
}
#endif

/* Asking takes tens of microseconds in a virtual machine. */
static unsigned offered(void)
{
    static atomic_int found = MASK_UNREAD;
    int now = atomic_load_explicit(&found, memory_order_relaxed);
    if (now == MASK_UNREAD) {
        now = (int)detect();
        atomic_store_explicit(&found, now, memory_order_relaxed);
    }
    return (unsigned)now;
}

/* Less the tiles where the system refuses them. */
static unsigned permitted(unsigned flags)
{
    if (!(flags & CPU_AMX))
        return flags;
    if (atomic_load(&tiles_refused) == NOT_ASKED)
        atomic_store(&tiles_refused, cpu_tiles_ask());
    return atomic_load(&tiles_refused) ? flags & ~(unsigned)CPU_AMX : flags;
}

unsigned cpu_flags_detected(void)
{
    return permitted(offered());
}

int cpu_flags_refused(void)
{
    int refused = atomic_load(&tiles_refused);
    return refused == NOT_ASKED ? 0 : refused;
}

bool cpu_flags_parse(const char *text, unsigned *ret_mask)
{
    for (size_t i = 0; i < CPU_N_SETS; i++) {
        if (strcmp(text, cpu_sets[i].name) == 0) {
            *ret_mask = cpu_sets[i].mask;
            return true;
        }
    }
    char *end;
    unsigned long number = strtoul(text, &end, 0);
    if (*text == '\0' || *end != '\0' || number > MASK_ALL)
        return false;
    *ret_mask = (unsigned)number;
    return true;
}

void cpu_flags_set_mask(unsigned new_mask)
{
    atomic_store(&mask, (int)(new_mask & MASK_ALL));
}

unsigned cpu_flags(void)
{
    int now = atomic_load(&mask);
    if (now == MASK_UNREAD) {
        const char *text = getenv("BERTD_CPU_MASK");
        unsigned parsed = MASK_ALL;
        if (text)
            cpu_flags_parse(text, &parsed);
        atomic_compare_exchange_strong(&mask, &now, (int)parsed);
        now = atomic_load(&mask);
    }
    return permitted(offered() & (unsigned)now);
}
