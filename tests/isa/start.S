/* From a multiboot loader to a static x86-64 program that runs in ring 0: long mode with the first 4 GB mapped one to
 * one, every vector register enabled, and system calls that end in machine_call.
 */
        .set MAGIC, 0x1badb002
        .set FLAGS, 0x00000003          /* modules on pages, memory map */
        .section .bss
        .align 4096
level4: .skip 4096
level3: .skip 4096
level2: .skip 4 * 4096
        .skip 65536
stack:

        .section .data
        .align 16
table:  .quad 0
        .quad 0x00af9b000000ffff        /* 0x08: 64-bit code */
        .quad 0x00cf93000000ffff        /* 0x10: data */
table_pointer:
        .word . - table - 1
        .quad table

        .text
        .align 4
        .long MAGIC, FLAGS, -(MAGIC + FLAGS)
        .code32
        .global machine_start
machine_start:
        cli
        mov $stack, %esp
        mov %ebx, %edi                  /* multiboot information: first argument of machine_main */
        mov $level3 + 3, %eax
        mov %eax, level4
        mov $level2 + 3, %eax
        mov $4, %ecx
        mov $level3, %edx
1:      mov %eax, (%edx)
        add $4096, %eax
        add $8, %edx
        loop 1b
        mov $0x83, %eax                 /* present, writable, 2 MB */
        mov $2048, %ecx
        mov $level2, %edx
2:      mov %eax, (%edx)
        add $0x200000, %eax
        add $8, %edx
        loop 2b
        mov $level4, %eax
        mov %eax, %cr3
        mov $0x40620, %eax              /* PAE, OSFXSR, OSXMMEXCPT, OSXSAVE */
        mov %eax, %cr4
        mov $0xc0000080, %ecx           /* EFER: LME, SCE */
        rdmsr
        or $0x101, %eax
        wrmsr
        mov $0x80000033, %eax           /* paging, numeric errors, monitor coprocessor, protected mode */
        mov %eax, %cr0
        lgdt table_pointer
        ljmp $0x08, $3f
        .code64
3:      mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $0x0d, %eax                 /* XCR0: x87, SSE, AVX, the three parts of AVX-512, the two of AMX if any */
        xor %ecx, %ecx
        cpuid
        and $0x600e7, %eax
        xor %ecx, %ecx
        xor %edx, %edx
        xsetbv
        mov $0xc0000081, %ecx           /* STAR: the segments of `syscall` */
        xor %eax, %eax
        mov $0x00080008, %edx
        wrmsr
        mov $0xc0000082, %ecx           /* LSTAR: where it goes */
        mov $system_call, %eax
        xor %edx, %edx
        wrmsr
        mov $stack, %esp
        mov %edi, %edi
        call machine_main
4:      hlt
        jmp 4b

/* The caller's red zone must live. */
system_call:
        lea -128(%rsp), %rsp
        push %r11
        push %rcx
        push %rdi
        push %rsi
        push %rdx
        push %r8
        push %r9
        push %r10
        push %rbp
        mov %rsp, %rbp
        and $-64, %rsp
        mov %rdx, %rcx
        mov %rsi, %rdx
        mov %rdi, %rsi
        mov %rax, %rdi
        call machine_call               /* (number, the first three arguments) */
        mov %rbp, %rsp
        pop %rbp
        pop %r10
        pop %r9
        pop %r8
        pop %rdx
        pop %rsi
        pop %rdi
        pop %rcx
        pop %r11
        lea 128(%rsp), %rsp
        jmp *%rcx

/* machine_enter(entry, stack) */
        .global machine_enter
machine_enter:
        mov %rsi, %rsp
        xor %edx, %edx                  /* no function to register with atexit */
        jmp *%rdi

        .section .note.GNU-stack, "", @progbits
