/* Narrow weights: no sum leaves 16 bits, and nothing is lost. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/accel/cpu_check.h"

static struct image_linear make_linear(uint32_t in_padded, uint32_t outputs)
{
    struct image_linear linear = {.in_padded = in_padded, .out_padded = outputs};
    linear.weights = check_input((size_t)in_padded * outputs);
    return linear;
}

static void release(struct image_linear *linear)
{
    free((void *)linear->weights);
    check_free_narrow(&linear->narrow);
}

static size_t place(const struct image_linear *linear, uint32_t o, uint32_t i)
{
    return (size_t)o / IMAGE_PANEL * linear->in_padded * IMAGE_PANEL +
           (i / IMAGE_GROUP * IMAGE_PANEL + o % IMAGE_PANEL) * IMAGE_GROUP + i % IMAGE_GROUP;
}

/* The groups' order of the panel of an output: each of them once. */
static const uint16_t *order_of(const struct image_linear *linear, uint32_t o)
{
    const uint16_t *order = image_narrow_at(linear, o / IMAGE_PANEL).orders;
    bool *seen = calloc(linear->in_padded, sizeof *seen);
    for (uint32_t g = 0; g < linear->in_padded / IMAGE_GROUP; g++) {
        cr_assert(order[g] < linear->in_padded && order[g] % IMAGE_GROUP == 0 && !seen[order[g]], "group %u: %u", g,
                  order[g]);
        seen[order[g]] = true;
    }
    free(seen);
    return order;
}

/* The sums of the weights of each sign of the span that place i of output o begins: i % 8 is 0 or 2. */
static void expect_span(const struct image_linear *linear, uint32_t o, uint32_t i)
{
    static const uint32_t inputs[IMAGE_SPAN] = {0, 1, IMAGE_GROUP, IMAGE_GROUP + 1};
    int sums[2] = {0};
    for (size_t j = 0; j < IMAGE_SPAN && i + inputs[j] < linear->in_padded; j++) {
        int w = linear->narrow.weights[place(linear, o, i + inputs[j])];
        sums[w < 0] += w;
    }
    cr_assert(sums[0] <= IMAGE_NARROW && sums[1] >= -IMAGE_NARROW, "output %u, places from %u: %d and %d", o, i,
              sums[0], sums[1]);
}

/* Adds what one excess holds to the weights of its output, and looks whether each of its sums fits 16 bits. */
static void give_back(int *weights, const struct image_excess *excess)
{
    int sums[2][2] = {{0}};
    for (size_t turn = 0; turn < 2 * IMAGE_TURNS; turn++) {
        for (size_t side = 0; side < 2; side++) {
            int part = excess->excess[turn][side];
            cr_assert_eq(part, excess->excess[turn][side + 2], "turn %zu has two pairs that differ", turn);
            sums[turn / IMAGE_TURNS][part < 0] += part;
            weights[excess->places[turn][side] / IMAGE_PLACE] += part;
        }
    }
    for (size_t s = 0; s < 2; s++)
        cr_assert(sums[s][0] <= IMAGE_NARROW && sums[s][1] >= -IMAGE_NARROW, "a sum of excess within %d and %d",
                  sums[s][1], sums[s][0]);
}

/* Narrow weights of an output with what was taken off them. */
static void expect_whole(const struct image_linear *linear, uint32_t o)
{
    const struct image_narrow at = image_narrow_at(linear, o / IMAGE_PANEL);
    int *weights = calloc(linear->in_padded, sizeof *weights);
    const uint16_t *order = order_of(linear, o);
    for (uint32_t i = 0; i < linear->in_padded; i++)
        weights[order[i / IMAGE_GROUP] + i % IMAGE_GROUP] = linear->narrow.weights[place(linear, o, i)];
    cr_assert(*at.counts >= IMAGE_PANEL && *at.counts <= image_excess_room(linear->in_padded));
    cr_assert_eq(at.excess[o % IMAGE_PANEL].output, o % IMAGE_PANEL);
    for (size_t e = 0; e < *at.counts; e++)
        if (at.excess[e].output == o % IMAGE_PANEL)
            give_back(weights, &at.excess[e]);
    for (uint32_t i = 0; i < linear->in_padded; i++)
        cr_assert_eq(weights[i], linear->weights[place(linear, o, i)], "output %u, input %u: %d", o, i, weights[i]);
    free(weights);
}

static uint16_t count_of(const struct image_linear *linear, uint32_t panel)
{
    return *image_narrow_at(linear, panel).counts;
}

static size_t expect_all(const struct image_linear *linear)
{
    size_t narrow_panels = 0;
    for (uint32_t o = 0; o < linear->out_padded; o++) {
        if (count_of(linear, o / IMAGE_PANEL) == IMAGE_NOT_NARROW)
            continue;
        for (uint32_t i = 0; i < linear->in_padded; i += 2 * IMAGE_GROUP) {
            expect_span(linear, o, i);
            expect_span(linear, o, i + 2);
        }
        expect_whole(linear, o);
        narrow_panels += o % IMAGE_PANEL == 0;
    }
    return narrow_panels;
}

Test(image_narrow, nothing_is_lost)
{
    check_begin("nothing is lost");
    for (int round = 0; round < 40; round++) {
        struct image_linear linear = make_linear((check_width() + 3) / 4 * 4, IMAGE_PANEL * (1 + check_below(4)));
        const uint32_t most = 1 + check_below(127); /* from hardly a sum that is too large to most of them */
        for (size_t i = 0; i < (size_t)linear.in_padded * linear.out_padded; i++)
            ((int8_t *)linear.weights)[i] = (int8_t)((int32_t)check_below(2 * most + 1) - (int32_t)most);
        linear.narrow = check_narrow(&linear);
        size_t panels = expect_all(&linear);
        cr_assert(most > 32 || panels == linear.out_padded / IMAGE_PANEL, "weights within %u need more room", most);
        release(&linear);
    }
}

/* Groups that fill their spans meet groups that leave them empty, though they lie next to each other. */
Test(image_narrow, order_avoids_excess)
{
    check_begin("order avoids excess");
    struct image_linear linear = make_linear(128, IMAGE_PANEL);
    for (uint32_t o = 0; o < IMAGE_PANEL; o++)
        for (uint32_t i = 0; i < 128; i++)
            ((int8_t *)linear.weights)[place(&linear, o, i)] = i / 8 % 2 ? 0 : o % 2 ? 60 : -60;
    linear.narrow = check_narrow(&linear);
    cr_assert_eq(expect_all(&linear), 1);
    const struct image_excess *excess = image_narrow_at(&linear, 0).excess;
    for (uint32_t o = 0; o < IMAGE_PANEL; o++)
        for (size_t turn = 0; turn < 2 * IMAGE_TURNS; turn++)
            cr_assert(excess[o].excess[turn][0] == 0 && excess[o].excess[turn][1] == 0, "output %u is clipped", o);
    release(&linear);
}

Test(image_narrow, excess_without_room)
{
    check_begin("excess without room");
    struct image_linear linear = make_linear(768, 2 * IMAGE_PANEL);
    memset((int8_t *)linear.weights, 127, (size_t)768 * IMAGE_PANEL);
    memset((int8_t *)linear.weights + (size_t)768 * IMAGE_PANEL, -32, (size_t)768 * IMAGE_PANEL);
    linear.narrow = check_narrow(&linear);
    cr_assert_eq(count_of(&linear, 0), IMAGE_NOT_NARROW);
    cr_assert_eq(expect_all(&linear), 1, "the second panel's sums are just within the limit");
    cr_assert_eq(count_of(&linear, 1), IMAGE_PANEL, "one excess an output, of zeros");
    release(&linear);
}

/* Inputs whose places do not fit 16 bits. */
Test(image_narrow, very_wide)
{
    check_begin("very wide");
    struct image_linear linear = make_linear(32768, IMAGE_PANEL);
    memset((int8_t *)linear.weights, 0, (size_t)32768 * IMAGE_PANEL);
    linear.narrow = check_narrow(&linear);
    cr_assert_eq(expect_all(&linear), 1);
    check_free_narrow(&linear.narrow);
    for (uint32_t i = 32760; i < 32768; i++)
        ((int8_t *)linear.weights)[place(&linear, 3, i)] = 100;
    linear.narrow = check_narrow(&linear);
    cr_assert_eq(count_of(&linear, 0), IMAGE_NOT_NARROW);
    release(&linear);
}
