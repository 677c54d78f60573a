/* Preloaded into a program: the processor says that it has nothing newer than one instruction set.
 *
 *     LD_PRELOAD=libbench-hide.so BENCH_HIDE=avx512vnni|avx2 PROGRAM...
 *
 * CPUID, by which programs and their libraries find out what they may use, is made to fault and answered here. Threads
 * and children are held, too. A program that uses instructions without asking is not.
 */
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define BIT(n) (UINT32_C(1) << (n))

enum { ARCH_SET_CPUID = 0x1012, CANNOT = 3 };

/* The features of leaf 7. The tiles of AMX, bf16, fp16 and the integer extensions after them: */
#define AMX_7_D     (BIT(22) | BIT(24) | BIT(25))
#define FP16_7_D    BIT(23)
#define NEWER_7_1_A (BIT(5) | BIT(21))
#define NEWER_7_1_D (BIT(4) | BIT(5) | BIT(8) | BIT(10) | BIT(19))
/* AVX-512, and VNNI and IFMA of 256 bits: */
#define AVX512_7_B   (BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31))
#define AVX512_7_C   (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define AVX512_7_D   (BIT(2) | BIT(3) | BIT(8))
#define AVXVNNI_7_1A (BIT(4) | BIT(23))

struct set {
    const char *name;
    uint32_t b7, c7, d7, a71, d71; /* hidden */
};

static const struct set sets[] = {
    {"avx512vnni", 0, 0, AMX_7_D | FP16_7_D, NEWER_7_1_A, NEWER_7_1_D},
    {"avx2", AVX512_7_B, AVX512_7_C, AVX512_7_D | AMX_7_D | FP16_7_D, NEWER_7_1_A | AVXVNNI_7_1A, NEWER_7_1_D},
};

static const struct set *chosen;

/** For serve.py: the newest of the sets that CPUID admits here, "amx", "avx512vnni", "avx2" or "c". */
__attribute__((visibility("default"))) const char *hide_newest_seen(void);

/* Of the calling thread and those that it starts. */
static bool let_cpuid_fault(bool fault)
{
    return syscall(SYS_arch_prctl, ARCH_SET_CPUID, fault ? 0L : 1L) == 0;
}

static void answer(greg_t *registers)
{
    enum { TILES = 0x1d, TILE_PRODUCTS = 0x1e, AVX10 = 0x24 };
    uint32_t leaf = (uint32_t)registers[REG_RAX], part = (uint32_t)registers[REG_RCX], a, b, c, d;
    let_cpuid_fault(false);
    __cpuid_count(leaf, part, a, b, c, d);
    let_cpuid_fault(true);
    if (leaf == 7 && part == 0) {
        b &= ~chosen->b7;
        c &= ~chosen->c7;
        d &= ~chosen->d7;
    } else if (leaf == 7 && part == 1) {
        a &= ~chosen->a71;
        d &= ~chosen->d71;
    } else if (leaf == TILES || leaf == TILE_PRODUCTS || leaf == AVX10) {
        a = b = c = d = 0;
    }
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    static const uint8_t cpuid[] = {0x0f, 0xa2};
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    int saved = errno;
    if (info->si_code == SI_KERNEL && memcmp((const void *)registers[REG_RIP], cpuid, sizeof cpuid) == 0) {
        answer(registers);
        registers[REG_RIP] += (greg_t)sizeof cpuid;
    } else {
        signal(number, SIG_DFL); /* a fault of the program's own: it happens again */
    }
    errno = saved;
}

static void fail(const char *why)
{
    ssize_t written = write(STDERR_FILENO, why, strlen(why));
    (void)written;
    _exit(CANNOT);
}

const char *hide_newest_seen(void)
{
    uint32_t a, b, c, d;
    __cpuid_count(7, 0, a, b, c, d);
    if (d & AMX_7_D)
        return "amx";
    return c & bit_AVX512VNNI ? "avx512vnni" : b & bit_AVX2 ? "avx2" : "c";
}

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("BENCH_HIDE");
    for (size_t i = 0; name && i < sizeof sets / sizeof *sets; i++)
        if (strcmp(name, sets[i].name) == 0)
            chosen = &sets[i];
    if (!chosen)
        fail("error: BENCH_HIDE has to name the newest instruction set to be seen: avx512vnni or avx2\n");
    const struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (sigaction(SIGSEGV, &action, NULL) != 0 || !let_cpuid_fault(true))
        fail("error: this machine cannot hide instructions from a program: its CPUID does not fault\n");
}
