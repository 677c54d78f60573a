/* Clipped weights: no sum leaves 16 bits, and nothing is lost. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/round_up.h"
#include "tests/accel/cpu_check.h"

/* A linear with its clipped form. */
struct pair {
    struct image_linear linear;
    struct cpu_clipped clipped;
};

static struct pair make_pair(uint32_t in_padded, uint32_t outputs)
{
    struct pair pair = {.linear = {.in_padded = in_padded, .out_padded = outputs}};
    pair.linear.weights = check_input((size_t)in_padded * outputs);
    return pair;
}

static void release(struct pair *pair)
{
    free((void *)pair->linear.weights);
    check_free_clipped(&pair->clipped);
}

static int8_t *weight(const struct image_linear *linear, uint32_t o, uint32_t i)
{
    return (int8_t *)linear->weights + (size_t)o / IMAGE_PANEL * linear->in_padded * IMAGE_PANEL +
           (i / IMAGE_GROUP * IMAGE_PANEL + o % IMAGE_PANEL) * IMAGE_GROUP + i % IMAGE_GROUP;
}

static struct cpu_clipped panel_of(const struct pair *pair, uint32_t o)
{
    return cpu_clipped_from(&pair->clipped, &pair->linear, o / IMAGE_PANEL);
}

/* The clipped weight at place i of an output. */
static int clipped_at(const struct pair *pair, uint32_t o, uint32_t i)
{
    const size_t place = (size_t)(weight(&pair->linear, o, i) - pair->linear.weights);
    return pair->clipped.weights[place];
}

/* The groups' order of the panel of an output: each of them once. */
static const uint16_t *order_of(const struct pair *pair, uint32_t o)
{
    const struct image_linear *linear = &pair->linear;
    const uint16_t *order = panel_of(pair, o).orders;
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
static void expect_span(const struct pair *pair, uint32_t o, uint32_t i)
{
    static const uint32_t inputs[CPU_CLIPPED_SPAN] = {0, 1, IMAGE_GROUP, IMAGE_GROUP + 1};
    int sums[2] = {0};
    for (size_t j = 0; j < CPU_CLIPPED_SPAN && i + inputs[j] < pair->linear.in_padded; j++) {
        int w = clipped_at(pair, o, i + inputs[j]);
        sums[w < 0] += w;
    }
    cr_assert(sums[0] <= CPU_CLIPPED_SUM && sums[1] >= -CPU_CLIPPED_SUM, "output %u, places from %u: %d and %d", o, i,
              sums[0], sums[1]);
}

/* Adds what one residual holds to the weights of its output, and looks whether each of its sums fits 16 bits. */
static void give_back(int *weights, const struct cpu_residual *residual)
{
    int sums[2][2] = {{0}};
    for (size_t two = 0; two < 2 * CPU_RESIDUAL_PAIRS; two++) {
        for (size_t side = 0; side < 2; side++) {
            int clipped = residual->residuals[two][side];
            cr_assert_eq(clipped, residual->residuals[two][side + 2], "pair %zu has two forms that differ", two);
            sums[two / CPU_RESIDUAL_PAIRS][clipped < 0] += clipped;
            weights[residual->places[two][side] / CPU_RESIDUAL_PLACE] += clipped;
        }
    }
    for (size_t s = 0; s < 2; s++)
        cr_assert(sums[s][0] <= CPU_CLIPPED_SUM && sums[s][1] >= -CPU_CLIPPED_SUM,
                  "a sum of residuals within %d and %d", sums[s][1], sums[s][0]);
}

/* Clipped weights of an output with what was taken off them. */
static void expect_whole(const struct pair *pair, uint32_t o)
{
    const struct image_linear *linear = &pair->linear;
    const struct cpu_clipped at = panel_of(pair, o);
    int *weights = calloc(linear->in_padded, sizeof *weights);
    const uint16_t *order = order_of(pair, o);
    for (uint32_t i = 0; i < linear->in_padded; i++)
        weights[order[i / IMAGE_GROUP] + i % IMAGE_GROUP] = clipped_at(pair, o, i);
    cr_assert(*at.counts >= IMAGE_PANEL && *at.counts <= cpu_residual_room(linear->in_padded));
    cr_assert_eq(at.residuals[o % IMAGE_PANEL].output, o % IMAGE_PANEL);
    for (size_t r = 0; r < *at.counts; r++)
        if (at.residuals[r].output == o % IMAGE_PANEL)
            give_back(weights, &at.residuals[r]);
    for (uint32_t i = 0; i < linear->in_padded; i++)
        cr_assert_eq(weights[i], *weight(linear, o, i), "output %u, input %u: %d", o, i, weights[i]);
    free(weights);
}

static uint16_t count_of(const struct pair *pair, uint32_t panel)
{
    return *panel_of(pair, panel * IMAGE_PANEL).counts;
}

/* Returns how many panels are clipped. */
static size_t expect_all(const struct pair *pair)
{
    size_t panels = 0;
    for (uint32_t o = 0; o < pair->linear.out_padded; o++) {
        if (count_of(pair, o / IMAGE_PANEL) == CPU_NOT_CLIPPED)
            continue;
        for (uint32_t i = 0; i < pair->linear.in_padded; i += 2 * IMAGE_GROUP) {
            expect_span(pair, o, i);
            expect_span(pair, o, i + 2);
        }
        expect_whole(pair, o);
        panels += o % IMAGE_PANEL == 0;
    }
    return panels;
}

Test(cpu_clipped, nothing_is_lost)
{
    check_begin("nothing is lost");
    const int rounds = check_rounds(40);
    for (int round = 0; round < rounds; round++) {
        struct pair pair =
            make_pair((uint32_t)round_up(check_width(), IMAGE_GROUP), IMAGE_PANEL * (1 + check_below(4)));
        const struct image_linear *linear = &pair.linear;
        const uint32_t most = 1 + check_below(127); /* from hardly a sum that is too large to most of them */
        for (size_t i = 0; i < (size_t)linear->in_padded * linear->out_padded; i++)
            ((int8_t *)linear->weights)[i] = (int8_t)((int32_t)check_below(2 * most + 1) - (int32_t)most);
        pair.clipped = check_clipped(linear);
        size_t panels = expect_all(&pair);
        cr_assert(most > 32 || panels == linear->out_padded / IMAGE_PANEL, "weights within %u need more room", most);
        release(&pair);
    }
}

/* Groups that fill their spans meet groups that leave them empty, though they lie next to each other. */
Test(cpu_clipped, order_avoids_residuals)
{
    check_begin("order avoids residuals");
    struct pair pair = make_pair(128, IMAGE_PANEL);
    for (uint32_t o = 0; o < IMAGE_PANEL; o++)
        for (uint32_t i = 0; i < 128; i++)
            *weight(&pair.linear, o, i) = i / 8 % 2 ? 0 : o % 2 ? 60 : -60;
    pair.clipped = check_clipped(&pair.linear);
    cr_assert_eq(expect_all(&pair), 1);
    const struct cpu_residual *residuals = pair.clipped.residuals;
    for (uint32_t o = 0; o < IMAGE_PANEL; o++)
        for (size_t two = 0; two < 2 * CPU_RESIDUAL_PAIRS; two++)
            cr_assert(residuals[o].residuals[two][0] == 0 && residuals[o].residuals[two][1] == 0,
                      "output %u is clipped", o);
    release(&pair);
}

Test(cpu_clipped, residuals_without_room)
{
    check_begin("residuals without room");
    struct pair pair = make_pair(768, 2 * IMAGE_PANEL);
    memset(weight(&pair.linear, 0, 0), 127, (size_t)768 * IMAGE_PANEL);
    memset(weight(&pair.linear, IMAGE_PANEL, 0), -32, (size_t)768 * IMAGE_PANEL);
    pair.clipped = check_clipped(&pair.linear);
    cr_assert_eq(count_of(&pair, 0), CPU_NOT_CLIPPED);
    cr_assert_eq(expect_all(&pair), 1, "the second panel's sums are just within the limit");
    cr_assert_eq(count_of(&pair, 1), IMAGE_PANEL, "one residual an output, of zeros");
    release(&pair);
}

/* Inputs whose places do not fit 16 bits. */
Test(cpu_clipped, very_wide)
{
    check_begin("very wide");
    struct pair pair = make_pair(32768, IMAGE_PANEL);
    memset(weight(&pair.linear, 0, 0), 0, (size_t)32768 * IMAGE_PANEL);
    pair.clipped = check_clipped(&pair.linear);
    cr_assert_eq(expect_all(&pair), 1);
    check_free_clipped(&pair.clipped);
    for (uint32_t i = 32760; i < 32768; i++)
        *weight(&pair.linear, 3, i) = 100;
    pair.clipped = check_clipped(&pair.linear);
    cr_assert_eq(count_of(&pair, 0), CPU_NOT_CLIPPED);
    release(&pair);
}

/* Without memory for its work: an error. */
Test(cpu_clipped, no_memory)
{
    check_begin("no memory");
    struct pair pair = make_pair(32, IMAGE_PANEL);
    struct error err = {0};
    memset(weight(&pair.linear, 0, 0), 1, (size_t)32 * IMAGE_PANEL);
    pair.clipped = check_clipped(&pair.linear);
    mem_fail_after(0);
    enum status status = cpu_clip(&pair.clipped, &pair.linear, &err);
    mem_fail_after(-1);
    cr_assert_eq(status, STATUS_NO_MEMORY, "%s", err.message);
    release(&pair);
}

/* An image with the section has each of its linears clipped, and the bytes are under the image's checksum. */
Test(cpu_clipped, is_a_section_of_an_image)
{
    check_begin("section");
    struct image_shape shape = check_shape();
    struct image *image = check_image(&shape, 0.3f), *copy = NULL;
    struct error err = {0};
    const struct image_linear *linear = &image->layers[shape.layers - 1].ffn2;
    struct pair pair = {*linear, cpu_clipped_of(image, linear)};
    cr_assert_not_null(pair.clipped.weights);
    expect_all(&pair);
    cr_assert_eq(image_copy(&copy, image, &err), STATUS_OK, "%s", err.message);
    *(uint8_t *)pair.clipped.counts ^= 1;
    cr_assert_not(image_verify(image));
    cr_assert_not(image_scrub(image));
    const struct cpu_clipped copied = cpu_clipped_of(copy, &copy->layers[shape.layers - 1].ffn2);
    cr_assert_neq(copied.counts, pair.clipped.counts);
    cr_assert_neq(*copied.counts, *pair.clipped.counts);
    cr_assert(image_verify(copy));
    cr_assert_eq(image_repair(image, copy, &err), STATUS_OK, "%s", err.message);
    cr_assert(image_verify(image));
    image_release(&copy);
    image_release(&image);
}
