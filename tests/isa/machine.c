/* As much of Linux as a static C program needs that computes and prints: it is loaded as a multiboot module, runs in
 * ring 0, writes to Bochs's debug port and switches the machine off when it ends.
 */
#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

struct multiboot {
    uint32_t flags, memory[2], device, command_line, n_modules, modules;
};

struct multiboot_module {
    uint32_t begin, end, text, reserved;
};

enum { HEAP = 0x10000000, MAPPINGS = 0x14000000, TOP = 0x1e000000, STACK = 0x1ff00000, PAGE = 4096 };
enum { PORT_DEBUG = 0xe9, PORT_POWER = 0x8900, MSR_FS = 0xc0000100, ARCH_SET_FS_CODE = 0x1002 };
enum { ARCH_PERMIT_STATE_CODE = 0x1023 };

static uintptr_t heap = HEAP, mappings = MAPPINGS;

void machine_main(const struct multiboot *boot);
long machine_call(long number, long a, long b, long c);
_Noreturn void machine_enter(uintptr_t entry, uintptr_t stack);

static void out(uint16_t port, uint8_t byte)
{
    __asm__ volatile("outb %0, %1" : : "a"(byte), "d"(port));
}

static void print(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out(PORT_DEBUG, (uint8_t)text[i]);
}

static _Noreturn void power_off(void)
{
    for (const char *word = "Shutdown"; *word; word++)
        out(PORT_POWER, (uint8_t)*word);
    for (;;)
        __asm__ volatile("hlt");
}

static void copy(void *to, const void *from, size_t size)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

static void clear(void *to, size_t size)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(0) : "memory");
}

static long map(size_t size)
{
    uintptr_t begin = mappings;
    size = (size + PAGE - 1) / PAGE * PAGE;
    if (begin + size > TOP)
        return -ENOMEM;
    mappings += size;
    clear((void *)begin, size);
    return (long)begin;
}

static long set_break(uintptr_t wanted)
{
    if (wanted >= HEAP && wanted < MAPPINGS) {
        if (wanted > heap)
            clear((void *)heap, wanted - heap);
        heap = wanted;
    }
    return (long)heap;
}

static long set_fs(uintptr_t base)
{
    __asm__ volatile("wrmsr" : : "c"(MSR_FS), "a"((uint32_t)base), "d"((uint32_t)(base >> 32)));
    return 0;
}

/* A clock that moves: nothing here measures. */
static long tell_time(int64_t *ret)
{
    static int64_t seconds = 1700000000;
    ret[0] = seconds++;
    ret[1] = 0;
    return 0;
}

struct piece {
    const char *base;
    size_t size;
};

static long write_vector(const struct piece *pieces, long count)
{
    long total = 0;
    for (long i = 0; i < count; i++) {
        print(pieces[i].base, pieces[i].size);
        total += (long)pieces[i].size;
    }
    return total;
}

long machine_call(long number, long a, long b, long c)
{
    switch (number) {
    case SYS_write:
        print((const char *)b, (size_t)c);
        return c;
    case SYS_writev:
        return write_vector((const void *)b, c);
    case SYS_brk:
        return set_break((uintptr_t)a);
    case SYS_mmap:
        return map((size_t)b);
    case SYS_arch_prctl:
        return a == ARCH_SET_FS_CODE ? set_fs((uintptr_t)b) : a == ARCH_PERMIT_STATE_CODE ? 0 : -EINVAL;
    case SYS_clock_gettime:
        return tell_time((int64_t *)b);
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_madvise:
    case SYS_rt_sigaction:
    case SYS_rt_sigprocmask:
        return 0;
    case SYS_set_tid_address:
    case SYS_getpid:
    case SYS_gettid:
        return 1;
    case SYS_exit:
    case SYS_exit_group:
        power_off();
    default:
        return -ENOSYS;
    }
}

/* The program's segments to where they belong. Returns its entry. */
static uintptr_t load(const char *file, uintptr_t *ret_headers, size_t *ret_n_headers)
{
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)file;
    const Elf64_Phdr *segments = (const Elf64_Phdr *)(file + elf->e_phoff);
    for (size_t i = 0; i < elf->e_phnum; i++) {
        const Elf64_Phdr *s = &segments[i];
        if (s->p_type != PT_LOAD)
            continue;
        copy((void *)s->p_vaddr, file + s->p_offset, s->p_filesz);
        clear((char *)s->p_vaddr + s->p_filesz, s->p_memsz - s->p_filesz);
        if (s->p_offset == 0)
            *ret_headers = s->p_vaddr + elf->e_phoff;
    }
    *ret_n_headers = elf->e_phnum;
    return elf->e_entry;
}

static uintptr_t *push_vector(uintptr_t *to, uintptr_t type, uintptr_t value)
{
    to[0] = type;
    to[1] = value;
    return to + 2;
}

/* argc, argv, the module's command line as environment, and the auxiliary vector. */
void machine_main(const struct multiboot *boot)
{
    static char random_bytes[16] = "as good as any.";
    static char *const program = "isa";
    if (boot->n_modules == 0) {
        print("no program\n", 11);
        power_off();
    }
    const struct multiboot_module *module = (const struct multiboot_module *)(uintptr_t)boot->modules;
    uintptr_t headers = 0, *stack = (uintptr_t *)STACK, *to = stack;
    size_t n_headers;
    uintptr_t entry = load((const char *)(uintptr_t)module->begin, &headers, &n_headers);
    *to++ = 1;
    *to++ = (uintptr_t)program;
    *to++ = 0;
    for (char *text = (char *)(uintptr_t)module->text; *text;) {
        *to++ = (uintptr_t)text;
        while (*text && *text != ' ')
            text++;
        if (*text)
            *text++ = 0;
    }
    *to++ = 0;
    to = push_vector(to, AT_PHDR, headers);
    to = push_vector(to, AT_PHENT, sizeof(Elf64_Phdr));
    to = push_vector(to, AT_PHNUM, n_headers);
    to = push_vector(to, AT_PAGESZ, PAGE);
    to = push_vector(to, AT_RANDOM, (uintptr_t)random_bytes);
    to = push_vector(to, AT_SECURE, 0);
    push_vector(to, AT_NULL, 0);
    machine_enter(entry, (uintptr_t)stack);
}
