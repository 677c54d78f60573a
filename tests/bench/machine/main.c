/* What this machine can do at most, as JSON: the best of many short stretches, since others may be at work on it.
 *
 *     bench-machine [THREADS]      2 by default
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpu/cpu_flags.h"
#include "accel/engine.h"
#include "tests/bench/machine/limits.h"

enum { READ_BYTES = 512 << 20 }; /* more than any cache holds */

int main(int argc, char **argv)
{
    int threads = argc == 2 ? atoi(argv[1]) : 2;
    if (argc > 2 || threads < 1) {
        bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
        fprintf(help ? stdout : stderr, "usage: bench-machine [THREADS]\n");
        return help ? 0 : 2;
    }
    printf("{\"isa\": \"%s\", \"threads\": %d, \"peak_gmacs_a_thread\": %.1f, \"read_gb_s\": %.1f}\n",
           cpu_engine_instruction_set(), threads, limits_products(cpu_flags()),
           limits_read((uint32_t)threads, READ_BYTES));
    return 0;
}
