/* Long texts by themselves: how windows lie, what their pooling comes to. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/serve/windows.h"

/* Windows cover the tokens in order, within the room and the overlap; every token belongs to exactly one. */
static void check_plan(uint32_t tokens, uint32_t room, uint32_t overlap, uint32_t max)
{
    struct serve_windows windows = serve_windows_plan(tokens, room, overlap, max);
    uint32_t least = overlap < room / 2 ? overlap : room / 2;
    uint32_t owned = 0, end = 0, smallest = UINT32_MAX, largest = 0;
    cr_assert(windows.n >= 1 && windows.n <= max);
    cr_assert_eq(windows.overlap, least);
    cr_assert(windows.tokens == tokens || (windows.tokens < tokens && windows.n == max));
    for (uint32_t i = 0; i < windows.n; i++) {
        struct serve_window w = serve_windows_at(&windows, i);
        uint32_t size = w.end - w.begin;
        cr_assert(w.begin < w.end && size <= room, "%u of %u tokens: [%u, %u)", i, tokens, w.begin, w.end);
        cr_assert_eq(w.begin, i ? end - least : 0);
        cr_assert(w.own_begin == owned && w.own_end > owned, "%u of %u tokens: [%u, %u)", i, tokens, w.own_begin,
                  w.own_end);
        cr_assert(w.begin <= w.own_begin && w.own_end <= w.end);
        cr_assert_eq(w.own_begin - w.begin, i ? least / 2 : 0, "a seam lies in the middle of what is shared");
        owned = w.own_end;
        end = w.end;
        smallest = size < smallest ? size : smallest;
        largest = size > largest ? size : largest;
    }
    cr_assert_eq(end, windows.tokens);
    cr_assert_eq(owned, windows.tokens);
    cr_assert_leq(largest - smallest, 1, "even");
}

Test(windows, every_small_plan)
{
    for (uint32_t room = 1; room <= 12; room++)
        for (uint32_t overlap = 0; overlap <= room; overlap++)
            for (uint32_t tokens = 1; tokens <= 60; tokens++)
                for (uint32_t max = 1; max <= 7; max++)
                    check_plan(tokens, room, overlap, max);
}

Test(windows, large_plans)
{
    check_plan(1000000, 254, 32, 65536);
    check_plan(1000000, 254, 32, 64);
    check_plan(255, 254, 32, 64);
    check_plan(UINT32_MAX, 510, UINT32_MAX, 65536);
    struct serve_windows windows = serve_windows_plan(UINT32_MAX, 510, 0, 64);
    cr_expect_eq(windows.n, 64u);
    cr_expect_eq(windows.tokens, 64u * 510);
    windows = serve_windows_plan(255, 254, 32, 64);
    cr_expect_eq(windows.n, 2u, "no more than needed");
}

static void fill(struct batch_item *items, float (*out)[2], enum batch_pooling pooling)
{
    static const uint32_t rows[3] = {10, 20, 70};
    static const float values[3][2] = {{1, -1}, {4, -2}, {2, -9}};
    for (int i = 0; i < 3; i++) {
        memcpy(out[i], values[i], sizeof *out);
        items[i] = (struct batch_item){.pooling = pooling, .n_rows = rows[i], .out = out[i]};
    }
}

Test(windows, pooling)
{
    struct batch_item items[3];
    float out[3][2];
    fill(items, out, BATCH_POOL_MEAN);
    serve_windows_pool(items, 3, 2);
    cr_expect_float_eq(out[0][0], 2.3, 1e-6);
    cr_expect_float_eq(out[0][1], -6.8, 1e-6);
    fill(items, out, BATCH_POOL_CLS);
    serve_windows_pool(items, 3, 2);
    cr_expect_float_eq(out[0][0], 2.3, 1e-6, "weighted too");
    fill(items, out, BATCH_POOL_MAX);
    serve_windows_pool(items, 3, 2);
    cr_expect_float_eq(out[0][0], 4, 0);
    cr_expect_float_eq(out[0][1], -1, 0);
    out[0][0] = 0.1f;
    serve_windows_pool(items, 1, 2);
    cr_expect_float_eq(out[0][0], 0.1f, 0, "untouched");
    fill(items, out, BATCH_POOL_MEAN);
    serve_windows_pool(items, 2, 1);
    cr_expect_float_eq(out[0][0], 3, 1e-6, "of two");
    cr_expect_float_eq(out[0][1], -1, 0, "beyond the width");
}
