/* Pairs within windows of neighbouring groups: the group with the largest weights chooses first, and takes the one with
 * which the fewest weights are to be clipped. The best of all pairings would clip a tenth less and take far longer.
 */
#include "accel/cpu/clipped_order.h"

#include <stdbool.h>
#include <string.h>

#include "accel/cpu/clipped.h"

enum { WINDOW = 32, GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP, SUMS = 2 * 2 * IMAGE_PANEL };

/* For each output, half of its group and sign: what the weights of each group sum up to, less half of what a span may.
 */
struct window {
    int16_t sums[SUMS][WINDOW];
    size_t count; /* of groups */
};

static void sum_group(struct window *window, size_t at, const int8_t *group)
{
    for (size_t pair = 0; pair < GROUP_BYTES / 2; pair++) {
        int a = group[2 * pair], b = group[2 * pair + 1];
        int positive = (a > 0 ? a : 0) + (b > 0 ? b : 0);
        window->sums[2 * pair][at] = (int16_t)(positive - CPU_CLIPPED_SUM / 2);
        window->sums[2 * pair + 1][at] = (int16_t)(positive - a - b - CPU_CLIPPED_SUM / 2);
    }
}

/* What would be clipped of a group with each group of the window. */
static void find_clipped(int16_t ret[WINDOW], const struct window *window, size_t at)
{
    int16_t sum[WINDOW] = {0};
    for (size_t s = 0; s < SUMS; s++) {
        for (size_t i = 0; i < WINDOW; i++) {
            int16_t over = (int16_t)(window->sums[s][i] + window->sums[s][at]);
            sum[i] = (int16_t)(sum[i] + (over > 0 ? over : 0));
        }
    }
    memcpy(ret, sum, sizeof sum);
}

/* All that a group's weights sum up to, negated. */
static void find_smallness(int16_t ret[WINDOW], const struct window *window)
{
    int16_t sum[WINDOW] = {0};
    for (size_t s = 0; s < SUMS; s++)
        for (size_t i = 0; i < WINDOW; i++)
            sum[i] = (int16_t)(sum[i] - window->sums[s][i]);
    memcpy(ret, sum, sizeof sum);
}

/* The free group that has the least. */
static size_t least(const int16_t of[WINDOW], const bool *taken, size_t count)
{
    size_t best = count;
    for (size_t i = 0; i < count; i++)
        if (!taken[i] && (best == count || of[i] < of[best]))
            best = i;
    return best;
}

static void order_window(uint16_t *order, const struct window *window, size_t first)
{
    bool taken[WINDOW] = {false};
    int16_t smallness[WINDOW], clipped[WINDOW];
    find_smallness(smallness, window);
    for (size_t place = 0; place < window->count; place++) {
        const bool chooses = place % 2 == 0;
        if (!chooses)
            find_clipped(clipped, window, order[place - 1] / IMAGE_GROUP - first);
        const size_t at = least(chooses ? smallness : clipped, taken, window->count);
        taken[at] = true;
        order[place] = (uint16_t)((first + at) * IMAGE_GROUP);
    }
}

void cpu_clipped_order(uint16_t *order, const int8_t *panel, size_t groups)
{
    for (size_t first = 0; first < groups; first += WINDOW) {
        struct window window = {.count = groups - first < WINDOW ? groups - first : WINDOW};
        for (size_t i = 0; i < window.count; i++)
            sum_group(&window, i, panel + (first + i) * GROUP_BYTES);
        order_window(order + first, &window, first);
    }
}
