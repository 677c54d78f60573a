/* The cache by itself: what it finds, what it must not take for the same, its bounds, and who has to go. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/serve/cache.h"

enum { WIDTH = 100, MAX_IDS = 300, BYTES = 400000 };

static struct serve_cache *cache;

static void begin(void)
{
    struct error err;
    cr_assert_eq(serve_cache_create(&cache, BYTES, WIDTH, MAX_IDS, &err), STATUS_OK, "%s", err.message);
}

static void end(void)
{
    serve_cache_destroy(&cache);
}

TestSuite(cache, .init = begin, .fini = end);

/* A sequence of its own for each number, 1 to MAX_IDS tokens long. */
struct sequence {
    uint32_t ids[MAX_IDS];
    struct serve_cache_key key;
    float values[WIDTH];
};

static struct sequence *sequence_of(uint32_t number)
{
    static _Thread_local struct sequence s;
    uint32_t n = 1 + number * 7919 % MAX_IDS;
    for (uint32_t i = 0; i < n; i++)
        s.ids[i] = number + i * i;
    for (int i = 0; i < WIDTH; i++)
        s.values[i] = (float)(number * 1000 + (uint32_t)i);
    s.key = (struct serve_cache_key){.ids = s.ids, .n_ids = n, .n_rows = n, .pooling = BATCH_POOL_MEAN};
    s.key.hash = serve_cache_hash(cache, &s.key);
    return &s;
}

static void add(uint32_t number)
{
    const struct sequence *s = sequence_of(number);
    serve_cache_add(cache, &s->key, s->values);
}

/* Whether it is there; then it is right. */
static bool has(uint32_t number)
{
    const struct sequence *s = sequence_of(number);
    float out[WIDTH];
    if (!serve_cache_find(cache, &s->key, out))
        return false;
    cr_assert_eq(memcmp(out, s->values, sizeof out), 0, "the wrong values of %u", number);
    return true;
}

static struct serve_cache_stats stats(void)
{
    struct serve_cache_stats ret;
    serve_cache_get_stats(cache, &ret);
    return ret;
}

Test(cache, finds_what_was_added_whatever_its_length)
{
    for (uint32_t number = 0; number < 100; number++) {
        cr_expect_not(has(number));
        add(number);
        cr_expect(has(number), "%u", number);
    }
    for (uint32_t number = 0; number < 100; number++)
        cr_expect(has(number), "%u", number);
    uint64_t before = stats().bytes;
    add(7);
    cr_expect_eq(stats().entries, 100u);
    cr_expect_eq(stats().bytes, before, "it was there");
}

/* Each variant differs in one thing, and by the planted hash all are in one bucket. */
Test(cache, equal_hashes_are_not_equal_keys)
{
    enum { VARIANTS = 8 };
    static const uint32_t ids[] = {2, 4, 3}, others[] = {2, 5, 3};
    struct serve_cache_key keys[VARIANTS];
    for (int i = 0; i < VARIANTS; i++)
        keys[i] = (struct serve_cache_key){.ids = ids, .n_ids = 3, .n_rows = 2, .pooling = BATCH_POOL_MEAN, .hash = 77};
    keys[1].ids = others;
    keys[2].n_ids = 2;
    keys[3].first_row = 1;
    keys[4].n_rows = 1;
    keys[5].pooling = BATCH_POOL_MAX;
    keys[6].owner = 1;
    keys[7].damages = 1;
    float values[WIDTH] = {0}, out[WIDTH];
    for (int i = 0; i < VARIANTS; i++) {
        cr_expect_not(serve_cache_find(cache, &keys[i], out), "%d", i);
        values[0] = (float)i;
        serve_cache_add(cache, &keys[i], values);
    }
    for (int i = 0; i < VARIANTS; i++) {
        cr_expect(serve_cache_find(cache, &keys[i], out));
        cr_expect_eq(out[0], (float)i);
        for (int k = 0; k < VARIANTS; k++) {
            cr_expect_eq(serve_cache_same_key(&keys[i], &keys[k]), i == k, "%d %d", i, k);
            struct serve_cache_key a = keys[i], b = keys[k];
            cr_expect_eq(serve_cache_hash(cache, &a) == serve_cache_hash(cache, &b), i == k, "%d %d", i, k);
        }
    }
}

Test(cache, seeds_differ)
{
    struct serve_cache *other = NULL;
    cr_assert_eq(serve_cache_create(&other, BYTES, WIDTH, MAX_IDS, NULL), STATUS_OK);
    const struct sequence *s = sequence_of(5);
    cr_expect_neq(serve_cache_hash(other, &s->key), s->key.hash);
    serve_cache_destroy(&other);
}

Test(cache, bytes_are_bounded_and_all_are_used)
{
    for (uint32_t number = 0; number < 5000; number++) {
        add(number);
        cr_assert_leq(stats().bytes, (uint64_t)BYTES);
        cr_assert_eq(stats().entries + stats().evictions, number + 1);
        cr_assert(has(number), "the newest");
    }
    cr_expect_gt(stats().bytes, BYTES * 9 / 10u);
    cr_expect_gt(stats().evictions, 4000u);
}

/* So few that all fit into the main queue, after they were used. */
enum { OFTEN = 50, ONCE = 20000 };

static uint32_t often_there(void)
{
    uint32_t n = 0;
    for (uint32_t number = 0; number < OFTEN; number++)
        n += has(number);
    return n;
}

Test(cache, what_is_used_outlives_what_is_asked_for_once)
{
    for (uint32_t number = 0; number < OFTEN; number++)
        add(number);
    cr_assert_eq(often_there(), (uint32_t)OFTEN);
    for (uint32_t number = OFTEN; number < ONCE; number++)
        add(number);
    cr_expect_eq(often_there(), (uint32_t)OFTEN);
}

/* Nobody used it while it was there, but it came back. */
Test(cache, what_comes_back_outlives_what_is_asked_for_once)
{
    uint32_t next = 1000;
    add(0);
    while (stats().evictions == 0)
        add(next++);
    add(0);
    for (uint32_t end = next + 1000; next < end; next++)
        add(next);
    cr_expect(has(0));
}

/* What is no longer asked for goes, however often it was used. */
Test(cache, nothing_stays_for_ever)
{
    for (uint32_t number = 0; number < OFTEN; number++)
        add(number);
    for (int times = 0; times < 10; times++)
        often_there();
    for (uint32_t number = 1000; number < 4000; number++) {
        add(number);
        cr_assert(has(number));
    }
    cr_expect_eq(often_there(), 0u);
}

Test(cache, what_is_far_too_long_is_not_kept)
{
    static const uint32_t ids[BYTES / 40];
    struct serve_cache_key key = {.ids = ids, .n_ids = BYTES / 40, .n_rows = 1};
    float values[WIDTH] = {0};
    serve_cache_add(cache, &key, values);
    cr_expect_not(serve_cache_find(cache, &key, values));
    cr_expect_eq(stats().entries, 0u);
}

Test(creation, too_few_bytes_are_refused)
{
    struct serve_cache *none = NULL;
    struct error err;
    cr_expect_eq(serve_cache_create(&none, 100, 384, 512, &err), STATUS_USAGE);
    cr_expect(strstr(err.message, "--cache-bytes 100 is too little"), "%s", err.message);
    unsigned long long least = strtoull(strstr(err.message, "at least ") + 9, NULL, 10);
    cr_expect_eq(serve_cache_create(&none, least - 1, 384, 512, &err), STATUS_USAGE);
    cr_expect_null(none);
    cr_expect_eq(serve_cache_create(&none, least, 384, 512, &err), STATUS_OK);
    serve_cache_destroy(&none);
    serve_cache_destroy(&none);
}

Test(creation, each_allocation_may_fail)
{
    struct serve_cache *none = NULL;
    struct error err;
    long before = mem_in_use(), n = 0;
    enum status status;
    for (;; n++) {
        mem_fail_after(n);
        status = serve_cache_create(&none, BYTES, WIDTH, MAX_IDS, &err);
        mem_fail_after(-1);
        if (status == STATUS_OK)
            break;
        cr_expect_eq(status, STATUS_NO_MEMORY);
        cr_expect_eq(mem_in_use(), before);
    }
    cr_expect_eq(n, 3);
    serve_cache_destroy(&none);
    cr_expect_eq(mem_in_use(), before);
}

/* Adding and finding allocate nothing, so nothing of it can fail. */
Test(cache, no_memory_is_needed_later)
{
    long before = mem_alloc_count();
    for (uint32_t number = 0; number < 2000; number++) {
        add(number);
        has(number / 2);
    }
    cr_expect_eq(mem_alloc_count(), before);
}

static void *use(void *cookie)
{
    uint64_t random = (uintptr_t)cookie;
    for (int i = 0; i < 20000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t number = (uint32_t)(random >> 33) % 1000;
        if (!has(number * number / 1000))
            add(number * number / 1000);
    }
    return NULL;
}

Test(cache, by_many_threads)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    for (uintptr_t t = 0; t < THREADS; t++)
        cr_assert_eq(pthread_create(&threads[t], NULL, use, (void *)(t + 1)), 0);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    cr_expect_gt(stats().entries, 0u);
    cr_expect_gt(stats().evictions, 0u);
    cr_expect_leq(stats().bytes, (uint64_t)BYTES);
}
