#include "accel/cpu/clipped.h"

#include <stdlib.h>
#include <string.h>

#include "accel/cpu/clipped_order.h"
#include "base/mem.h"
#include "base/round_up.h"

/* Two neighbouring groups of inputs: 8 weights of an output, in two spans. */
enum {
    GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP,
    PAIR = 2 * IMAGE_GROUP,
    SPANS = 2,
    MOST_RESIDUALS = 256, /* of an output */
    ALIGN = 64,
};

static const uint8_t spans[SPANS][CPU_CLIPPED_SPAN] = {{0, 1, 4, 5}, {2, 3, 6, 7}};

/* One lane an output of the panel. */
typedef int32_t lanes __attribute__((vector_size(4 * IMAGE_PANEL)));
typedef uint32_t bits __attribute__((vector_size(4 * IMAGE_PANEL)));

/* What the weights of one output were clipped by. */
struct entry {
    uint16_t input;
    int8_t residual;
};
struct list {
    struct entry *entries;
    size_t count, room;
};

size_t cpu_residual_room(uint32_t in_padded)
{
    return 2 * IMAGE_PANEL + in_padded / 16;
}

static size_t room_of_list(size_t in)
{
    return in / 2 + CPU_CLIPPED_SPAN;
}

/* False when there is no room. */
static bool append(struct list *list, size_t input, int8_t residual)
{
    if (list->count == list->room || input > UINT16_MAX / CPU_RESIDUAL_PLACE)
        return false;
    list->entries[list->count++] = (struct entry){(uint16_t)input, residual};
    return true;
}

/* Takes from the weights of a span that have this sign, the largest first, until they sum up to CPU_CLIPPED_SUM at
 * most; `residuals` gains what was taken. */
static void clip(int8_t weights[PAIR], int8_t residuals[PAIR], const uint8_t span[CPU_CLIPPED_SPAN], int sign)
{
    int sizes[CPU_CLIPPED_SPAN], over = -CPU_CLIPPED_SUM;
#pragma GCC unroll 4
    for (size_t i = 0; i < CPU_CLIPPED_SPAN; i++) {
        int size = sign * weights[span[i]];
        sizes[i] = size > 0 ? size : 0;
        over += sizes[i];
    }
    while (over > 0) {
        size_t largest = 0;
#pragma GCC unroll 4
        for (size_t i = 1; i < CPU_CLIPPED_SPAN; i++)
            largest = sizes[i] > sizes[largest] ? i : largest;
        int clipped = sizes[largest] < over ? sizes[largest] : over;
        sizes[largest] -= clipped;
        over -= clipped;
        residuals[span[largest]] = (int8_t)(sign * clipped);
        weights[span[largest]] = (int8_t)(sign * sizes[largest]);
    }
}

/* Groups at `weights` and, unless it is the last, behind it; of these inputs. */
static bool clip_output(struct list *list, int8_t *weights, const uint16_t *inputs, bool last)
{
    int8_t pair[PAIR] = {0}, residuals[PAIR] = {0};
    memcpy(pair, weights, IMAGE_GROUP);
    if (!last)
        memcpy(pair + IMAGE_GROUP, weights + GROUP_BYTES, IMAGE_GROUP);
    for (size_t s = 0; s < SPANS; s++) {
        clip(pair, residuals, spans[s], 1);
        clip(pair, residuals, spans[s], -1);
    }
    memcpy(weights, pair, IMAGE_GROUP);
    if (!last)
        memcpy(weights + GROUP_BYTES, pair + IMAGE_GROUP, IMAGE_GROUP);
    for (size_t i = 0; i < PAIR; i++)
        if (residuals[i] != 0 && !append(list, inputs[i / IMAGE_GROUP] + i % IMAGE_GROUP, residuals[i]))
            return false;
    return true;
}

/* Which outputs have a span that is too large: all ones. */
static void find_wide(int32_t ret[IMAGE_PANEL], const int8_t *weights, bool last)
{
    bits first, second = {0};
    lanes wide = {0};
    memcpy(&first, weights, sizeof first);
    if (!last)
        memcpy(&second, weights + GROUP_BYTES, sizeof second);
    for (int shift = 0; shift < 32; shift += 16) {
        lanes sum = {0}, positive = {0};
        for (int byte = 0; byte < 2; byte++) {
            lanes w = (lanes)(first << (24 - shift - 8 * byte)) >> 24;
            lanes v = (lanes)(second << (24 - shift - 8 * byte)) >> 24;
            sum += w + v;
            positive += (w & ~(w >> 31)) + (v & ~(v >> 31));
        }
        wide |= (positive > CPU_CLIPPED_SUM) | (positive - sum > CPU_CLIPPED_SUM);
    }
    memcpy(ret, &wide, sizeof wide);
}

static bool clip_weights(struct list lists[IMAGE_PANEL], int8_t *weights, const uint16_t *order, size_t groups)
{
    for (size_t g = 0; g < groups; g += 2, weights += 2 * GROUP_BYTES) {
        const bool last = g + 1 == groups;
        int32_t wide[IMAGE_PANEL];
        find_wide(wide, weights, last);
        for (size_t o = 0; o < IMAGE_PANEL; o++)
            if (wide[o] && !clip_output(&lists[o], weights + o * IMAGE_GROUP, order + g, last))
                return false;
    }
    return true;
}

/* A sum of residuals as it fills. */
struct sum {
    size_t count;
    int of_sign[2];
};

static bool takes(const struct sum *sum, int residual)
{
    return sum->count < 2 * CPU_RESIDUAL_PAIRS && sum->of_sign[residual < 0] + abs(residual) <= CPU_CLIPPED_SUM;
}

static void put(struct cpu_residual *to, size_t pair, size_t side, const struct entry *entry)
{
    to->places[pair][side] = (uint16_t)(entry->input * CPU_RESIDUAL_PLACE);
    to->residuals[pair][side] = to->residuals[pair][side + 2] = entry->residual;
}

/* A panel's residuals as it fills. */
struct filling {
    struct cpu_residual *residuals;
    size_t count, room;
};

/* Each entry into the first sum that takes it. False when there is no room. */
static bool fill(struct filling *filling, uint32_t output, const struct list *list)
{
    struct sum sums[2 * MOST_RESIDUALS + 1] = {0}; /* one is always empty */
    size_t used = 1;
    for (size_t e = 0; e < list->count; e++) {
        const struct entry *entry = &list->entries[e];
        size_t s = 0;
        while (!takes(&sums[s], entry->residual))
            s++;
        for (; used <= s / 2; used++) {
            if (used == MOST_RESIDUALS || filling->count == filling->room)
                return false;
            filling->residuals[filling->count++].output = output;
        }
        struct cpu_residual *to = &filling->residuals[s < 2 ? output : filling->count - used + s / 2];
        put(to, s % 2 * CPU_RESIDUAL_PAIRS + sums[s].count / 2, sums[s].count % 2, entry);
        sums[s].count++;
        sums[s].of_sign[entry->residual < 0] += abs(entry->residual);
    }
    return true;
}

struct cpu_clipped cpu_clipped_from(const struct cpu_clipped *clipped, const struct image_linear *linear, size_t panel)
{
    if (!clipped->weights)
        return *clipped;
    return (struct cpu_clipped){
        .weights = clipped->weights + panel * linear->in_padded * IMAGE_PANEL,
        .orders = clipped->orders + panel * (linear->in_padded / IMAGE_GROUP),
        .counts = clipped->counts + panel,
        .residuals = clipped->residuals + panel * cpu_residual_room(linear->in_padded),
    };
}

static void clip_panel(const struct cpu_clipped *clipped, const struct image_linear *linear, size_t panel,
                       struct entry *scratch)
{
    const struct cpu_clipped to = cpu_clipped_from(clipped, linear, panel);
    const size_t groups = linear->in_padded / IMAGE_GROUP, room = room_of_list(linear->in_padded);
    const int8_t *weights = linear->weights + panel * groups * GROUP_BYTES;
    struct filling filling = {(struct cpu_residual *)to.residuals, IMAGE_PANEL, cpu_residual_room(linear->in_padded)};
    struct list lists[IMAGE_PANEL];
    for (size_t o = 0; o < IMAGE_PANEL; o++)
        lists[o] = (struct list){.entries = scratch + o * room, .room = room};
    cpu_clipped_order((uint16_t *)to.orders, weights, groups);
    for (size_t g = 0; g < groups; g++)
        memcpy((int8_t *)to.weights + g * GROUP_BYTES, weights + to.orders[g] / IMAGE_GROUP * GROUP_BYTES, GROUP_BYTES);
    memset(filling.residuals, 0, filling.room * sizeof *filling.residuals);
    bool fits = clip_weights(lists, (int8_t *)to.weights, to.orders, groups);
    for (uint32_t o = 0; o < IMAGE_PANEL && fits; o++) {
        filling.residuals[o].output = o;
        fits = fill(&filling, o, &lists[o]);
    }
    *(uint16_t *)to.counts = fits ? (uint16_t)filling.count : CPU_NOT_CLIPPED;
}

enum status cpu_clip(const struct cpu_clipped *to, const struct image_linear *linear, struct error *err)
{
    struct entry *scratch = mem_alloc(IMAGE_PANEL * room_of_list(linear->in_padded) * sizeof *scratch);
    if (!scratch)
        return error_set(err, STATUS_NO_MEMORY, "no memory to clip weights");
    for (size_t panel = 0; panel < linear->out_padded / IMAGE_PANEL; panel++)
        clip_panel(to, linear, panel, scratch);
    mem_free(scratch);
    return STATUS_OK;
}

/* The section ----------------------------------------------------------------------------------------------------- */

/* A linear's arrays, one after another from `bytes` on; NULL: none, but their size. */
static struct cpu_clipped place(const void *bytes, const struct image_linear *linear, size_t *ret_size)
{
    const size_t panels = linear->out_padded / IMAGE_PANEL, groups = linear->in_padded / IMAGE_GROUP;
    const size_t orders = round_up(panels * groups * GROUP_BYTES, ALIGN);
    const size_t counts = orders + round_up(panels * groups * sizeof(uint16_t), ALIGN);
    const size_t residuals = counts + round_up(panels * sizeof(uint16_t), ALIGN);
    *ret_size = residuals + panels * cpu_residual_room(linear->in_padded) * sizeof(struct cpu_residual);
    const char *at = bytes;
    if (!at)
        return (struct cpu_clipped){0};
    return (struct cpu_clipped){
        .weights = (const int8_t *)at,
        .orders = (const uint16_t *)(at + orders),
        .counts = (const uint16_t *)(at + counts),
        .residuals = (const struct cpu_residual *)(at + residuals),
    };
}

static size_t section_size(const struct image_linear *linear)
{
    size_t size;
    place(NULL, linear, &size);
    return size;
}

static enum status section_fill(void *bytes, const struct image_linear *linear, struct error *err)
{
    size_t size;
    const struct cpu_clipped to = place(bytes, linear, &size);
    memset(bytes, 0, size); /* what lies between the arrays */
    return cpu_clip(&to, linear, err);
}

const struct image_section cpu_clipped_section = {section_size, section_fill};

struct cpu_clipped cpu_clipped_of(const struct image *image, const struct image_linear *linear)
{
    size_t size;
    return place(image_section(image, linear, &cpu_clipped_section), linear, &size);
}
