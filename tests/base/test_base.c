/* status, mem, arena, buf, file, patience. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/patience.h"
#include "base/status.h"

Test(status, table_follows_the_conventions)
{
    cr_assert_eq(STATUS_OK, 0);
    cr_assert_eq(status_http(STATUS_OVERLOADED), 429);
    cr_assert_eq(status_grpc(STATUS_OVERLOADED), 8);
    cr_assert_str_eq(status_tei(STATUS_BACKEND), "Backend");
    cr_assert_str_eq(status_name(STATUS_NO_MEMORY), "NO_MEMORY");
}

Test(status, error_may_be_absent)
{
    cr_assert_eq(error_set(NULL, STATUS_EMPTY, "x"), STATUS_EMPTY);
    cr_assert_eq(error_prefix(NULL, STATUS_EMPTY, "x"), STATUS_EMPTY);
}

Test(status, prefix_goes_before)
{
    struct error err;
    error_set(&err, STATUS_FORMAT, "tensor %s: shape", "a.b");
    error_prefix(&err, STATUS_FORMAT, "%s: ", "file");
    cr_assert_str_eq(err.message, "file: tensor a.b: shape");
}

Test(status, long_message_is_cut_at_a_whole_character)
{
    struct error err;
    char text[600];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "é", 2);
    text[sizeof text - 2] = '\0';
    error_set(&err, STATUS_FORMAT, "%s", text);
    size_t len = strlen(err.message);
    cr_assert_geq(len, sizeof err.message - 3);
    cr_assert_eq(len % 2, 0, "cut in the middle of a character");
    error_prefix(&err, STATUS_FORMAT, "x");
    cr_assert_eq(strlen(err.message) % 2, 1);
}

Test(patience, is_the_threads_own_until_it_is_taken_back)
{
    if (sched_getscheduler(0) != SCHED_OTHER)
        cr_skip("the tests were given another policy, which is left as it is");
    patience_set(false);
    cr_assert_eq(sched_getscheduler(0), SCHED_OTHER);
    patience_set(true);
    cr_assert_eq(sched_getscheduler(0), SCHED_BATCH);
    patience_set(true);
    cr_assert_eq(sched_getscheduler(0), SCHED_BATCH);
    patience_set(false);
    cr_assert_eq(sched_getscheduler(0), SCHED_OTHER);
}

Test(patience, leaves_a_policy_that_somebody_else_chose)
{
    const struct sched_param none = {0};
    cr_assert_eq(pthread_setschedparam(pthread_self(), SCHED_IDLE, &none), 0);
    patience_set(true);
    cr_assert_eq(sched_getscheduler(0), SCHED_IDLE);
    patience_set(false);
    cr_assert_eq(sched_getscheduler(0), SCHED_IDLE);
}

Test(mem, the_nth_allocation_fails_once)
{
    mem_fail_after(1);
    void *first = mem_alloc(8), *second = mem_alloc(8), *third = mem_alloc(8);
    cr_assert(first && !second && third);
    mem_free(first);
    mem_free(third);
    mem_fail_after(-1);
}

Test(mem, overflowing_products_fail)
{
    cr_assert_null(mem_calloc(SIZE_MAX / 2, 4));
    cr_assert_null(mem_alloc_aligned(64, SIZE_MAX));
}

Test(mem, large_blocks_go_back_to_the_system_whatever_was_freed_before)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    cr_skip("sanitizers bring an allocator of their own");
#endif
    mem_return_large_blocks();
    void *huge = mem_alloc(16 << 20);
    mem_free(huge);
    size_t before = mallinfo2().hblks;
    void *large = mem_alloc_aligned(64, 2 << 20);
    cr_assert(huge && large);
    cr_expect_eq(mallinfo2().hblks, before + 1);
    mem_free(large);
    cr_expect_eq(mallinfo2().hblks, before);
}

Test(arena, is_aligned_and_limited)
{
    struct arena *arena = arena_create(100000);
    cr_assert_eq((uintptr_t)arena_alloc(arena, 3) % sizeof(double), 0);
    cr_assert_eq((uintptr_t)arena_alloc_array(arena, 5, 12, 64) % 64, 0);
    cr_assert_str_eq(arena_copy(arena, "hello", 4), "hell");
    cr_assert_not_null(arena_alloc(arena, 90000), "larger than a block");
    cr_assert_null(arena_alloc(arena, 20000), "over the limit");
    cr_assert_null(arena_alloc_array(arena, SIZE_MAX / 2, 4, 8), "product overflows");
    cr_assert_leq(arena_used(arena), 100000);
    arena_destroy(&arena);
    cr_assert_null(arena);
    arena_destroy(&arena);
}

Test(arena, survives_every_failed_allocation)
{
    for (long n = 0; n < 4; n++) {
        mem_fail_after(n);
        struct arena *arena = arena_create(1 << 20);
        if (arena) {
            (void)arena_alloc(arena, 100);
            (void)arena_alloc(arena, 100000);
        }
        arena_destroy(&arena);
    }
    mem_fail_after(-1);
}

Test(buf, grows_and_is_taken)
{
    struct buf buf = {0};
    for (int i = 0; i < 1000; i++)
        buf_printf(&buf, "%d,", i);
    buf_puts(&buf, "end");
    size_t len = 0;
    char *data = buf_take(&buf, &len);
    cr_assert_eq(len, 10 * 2 + 90 * 3 + 900 * 4 + 3);
    cr_assert_eq(memcmp(data + len - 7, "999,end", 7), 0);
    cr_assert_eq(buf.len, 0);
    mem_free(data);
}

Test(buf, failure_sticks)
{
    struct buf buf = {0};
    mem_fail_after(0);
    buf_puts(&buf, "lost");
    buf_puts(&buf, "also lost");
    mem_fail_after(-1);
    size_t len = 7;
    cr_assert_null(buf_take(&buf, &len));
    cr_assert_eq(len, 7);
    cr_assert_eq(buf.len, 0);
}

Test(file, maps_and_names_what_is_wrong)
{
    char path[] = "/tmp/bertd-file-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_eq(write(fd, "abc", 3), 3);
    close(fd);
    struct file_map map = {0};
    struct error err;
    cr_assert_eq(file_map(&map, path, &err), STATUS_OK);
    cr_assert_eq(map.size, 3);
    cr_assert_eq(memcmp(map.data, "abc", 3), 0);
    file_unmap(&map);
    cr_assert_null(map.data);
    unlink(path);
    cr_assert_eq(file_map(&map, path, &err), STATUS_IO);
    cr_assert_not_null(strstr(err.message, path));
    cr_assert_eq(file_map(&map, "/tmp", &err), STATUS_IO);
    cr_assert_not_null(strstr(err.message, "not a regular file"));
}

Test(clock, does_not_go_back)
{
    uint64_t before = clock_now_ns();
    cr_assert_geq(clock_now_ns(), before);
}
