/* A server whose system refuses the tiles of AMX, on the model of them in tiles_in_c.h: it says so once, and serves. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpu/cpu_flags.h"
#include "tests/http/client.h"
#include "tests/http/process.h"

static void expect_set(const struct process *process, const char *set)
{
    struct answer answer = client_ask(process->port, "GET", "/info", NULL);
    json_t *info = client_json(&answer);
    cr_expect_str_eq(json_string_value(json_object_get(info, "instruction_set")), set);
    json_decref(info);
    client_free(&answer);
}

static void expect_server(const char *refused, const char *set, bool warns)
{
    struct process process = process_start_with("--boards 2 --drain-seconds 0", "BERTD_TEST_TILES_REFUSED", refused);
    expect_set(&process, set);
    cr_expect_eq(process_logged(&process, "the system refuses the tiles of AMX"), warns);
    cr_expect_eq(process_logged(&process, "No space left on device"), warns);
    process_stop(&process);
}

Test(refusal, is_told_in_the_log)
{
    if (!(cpu_flags_detected() & CPU_AVX512VNNI))
        cr_skip("no avx512vnni on this machine");
    unsetenv("BERTD_CPU_MASK");
    expect_server("28", "avx512vnni", true);
    expect_server("0", "amx", false);
}
