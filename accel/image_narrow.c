#include "accel/image_narrow.h"

#include <stdlib.h>
#include <string.h>

#include "accel/image_order.h"

/* Two neighbouring groups of inputs: 8 weights of an output, in two spans. */
enum {
    GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP,
    PAIR = 2 * IMAGE_GROUP,
    SPANS = 2,
    MOST_EXCESS = 256 /* of an output */
};

static const uint8_t spans[SPANS][IMAGE_SPAN] = {{0, 1, 4, 5}, {2, 3, 6, 7}};

/* One lane an output of the panel. */
typedef int32_t lanes __attribute__((vector_size(4 * IMAGE_PANEL)));

/* What the weights of one output were clipped by. */
struct entry {
    uint16_t input;
    int8_t excess;
};
struct list {
    struct entry *entries;
    size_t count, room;
};

size_t image_excess_room(uint32_t in_padded)
{
    return 2 * IMAGE_PANEL + in_padded / 16;
}

struct image_narrow image_narrow_at(const struct image_linear *linear, size_t panel)
{
    const struct image_narrow *narrow = &linear->narrow;
    if (!narrow->weights)
        return *narrow;
    return (struct image_narrow){
        .weights = narrow->weights + panel * linear->in_padded * IMAGE_PANEL,
        .orders = narrow->orders + panel * (linear->in_padded / IMAGE_GROUP),
        .counts = narrow->counts + panel,
        .excess = narrow->excess + panel * image_excess_room(linear->in_padded),
    };
}

static size_t room_of_list(size_t in)
{
    return in / 2 + IMAGE_SPAN;
}

size_t image_narrow_scratch(uint32_t in)
{
    return IMAGE_PANEL * room_of_list(in) * sizeof(struct entry);
}

/* False when there is no room. */
static bool append(struct list *list, size_t input, int8_t excess)
{
    if (list->count == list->room || input > UINT16_MAX / IMAGE_PLACE)
        return false;
    list->entries[list->count++] = (struct entry){(uint16_t)input, excess};
    return true;
}

/* Takes from the weights of a span that have this sign, the largest first, until they sum up to IMAGE_NARROW at most;
 * `excess` gains what was taken. */
static void clip(int8_t weights[PAIR], int8_t excess[PAIR], const uint8_t span[IMAGE_SPAN], int sign)
{
    int sizes[IMAGE_SPAN], over = -IMAGE_NARROW;
#pragma GCC unroll 4
    for (size_t i = 0; i < IMAGE_SPAN; i++) {
        int size = sign * weights[span[i]];
        sizes[i] = size > 0 ? size : 0;
        over += sizes[i];
    }
    while (over > 0) {
        size_t largest = 0;
#pragma GCC unroll 4
        for (size_t i = 1; i < IMAGE_SPAN; i++)
            largest = sizes[i] > sizes[largest] ? i : largest;
        int part = sizes[largest] < over ? sizes[largest] : over;
        sizes[largest] -= part;
        over -= part;
        excess[span[largest]] = (int8_t)(sign * part);
        weights[span[largest]] = (int8_t)(sign * sizes[largest]);
    }
}

/* Groups at `weights` and, unless it is the last, behind it; of these inputs. */
static bool narrow_output(struct list *list, int8_t *weights, const uint16_t *inputs, bool last)
{
    int8_t pair[PAIR] = {0}, excess[PAIR] = {0};
    memcpy(pair, weights, IMAGE_GROUP);
    if (!last)
        memcpy(pair + IMAGE_GROUP, weights + GROUP_BYTES, IMAGE_GROUP);
    for (size_t s = 0; s < SPANS; s++) {
        clip(pair, excess, spans[s], 1);
        clip(pair, excess, spans[s], -1);
    }
    memcpy(weights, pair, IMAGE_GROUP);
    if (!last)
        memcpy(weights + GROUP_BYTES, pair + IMAGE_GROUP, IMAGE_GROUP);
    for (size_t i = 0; i < PAIR; i++)
        if (excess[i] != 0 && !append(list, inputs[i / IMAGE_GROUP] + i % IMAGE_GROUP, excess[i]))
            return false;
    return true;
}

/* Which outputs have a span that is too large: all ones. */
static void find_wide(int32_t ret[IMAGE_PANEL], const int8_t *weights, bool last)
{
    lanes first, second = {0}, wide = {0};
    memcpy(&first, weights, sizeof first);
    if (!last)
        memcpy(&second, weights + GROUP_BYTES, sizeof second);
    for (int shift = 0; shift < 32; shift += 16) {
        lanes sum = {0}, positive = {0};
        for (int byte = 0; byte < 2; byte++) {
            lanes w = first << (24 - shift - 8 * byte) >> 24, v = second << (24 - shift - 8 * byte) >> 24;
            sum += w + v;
            positive += (w & ~(w >> 31)) + (v & ~(v >> 31));
        }
        wide |= (positive > IMAGE_NARROW) | (positive - sum > IMAGE_NARROW);
    }
    memcpy(ret, &wide, sizeof wide);
}

static bool narrow_weights(struct list lists[IMAGE_PANEL], int8_t *weights, const uint16_t *order, size_t groups)
{
    for (size_t g = 0; g < groups; g += 2, weights += 2 * GROUP_BYTES) {
        const bool last = g + 1 == groups;
        int32_t wide[IMAGE_PANEL];
        find_wide(wide, weights, last);
        for (size_t o = 0; o < IMAGE_PANEL; o++)
            if (wide[o] && !narrow_output(&lists[o], weights + o * IMAGE_GROUP, order + g, last))
                return false;
    }
    return true;
}

/* A sum of excess as it fills. */
struct sum {
    size_t count;
    int of_sign[2];
};

static bool takes(const struct sum *sum, int excess)
{
    return sum->count < 2 * IMAGE_TURNS && sum->of_sign[excess < 0] + abs(excess) <= IMAGE_NARROW;
}

static void put(struct image_excess *to, size_t turn, size_t side, const struct entry *entry)
{
    to->places[turn][side] = (uint16_t)(entry->input * IMAGE_PLACE);
    to->excess[turn][side] = to->excess[turn][side + 2] = entry->excess;
}

/* A panel's excess as it fills. */
struct filling {
    struct image_excess *excess;
    size_t count, room;
};

/* Each entry into the first sum that takes it. False when there is no room. */
static bool fill(struct filling *filling, uint32_t output, const struct list *list)
{
    struct sum sums[2 * MOST_EXCESS + 1] = {0}; /* one is always empty */
    size_t used = 1;
    for (size_t e = 0; e < list->count; e++) {
        const struct entry *entry = &list->entries[e];
        size_t s = 0;
        while (!takes(&sums[s], entry->excess))
            s++;
        for (; used <= s / 2; used++) {
            if (used == MOST_EXCESS || filling->count == filling->room)
                return false;
            filling->excess[filling->count++].output = output;
        }
        struct image_excess *to = &filling->excess[s < 2 ? output : filling->count - used + s / 2];
        put(to, s % 2 * IMAGE_TURNS + sums[s].count / 2, sums[s].count % 2, entry);
        sums[s].count++;
        sums[s].of_sign[entry->excess < 0] += abs(entry->excess);
    }
    return true;
}

static void narrow_panel(const struct image_linear *linear, size_t panel, struct entry *scratch)
{
    const struct image_narrow to = image_narrow_at(linear, panel);
    const size_t groups = linear->in_padded / IMAGE_GROUP, room = room_of_list(linear->in_padded);
    const int8_t *weights = linear->weights + panel * groups * GROUP_BYTES;
    struct filling filling = {(struct image_excess *)to.excess, IMAGE_PANEL, image_excess_room(linear->in_padded)};
    struct list lists[IMAGE_PANEL];
    for (size_t o = 0; o < IMAGE_PANEL; o++)
        lists[o] = (struct list){.entries = scratch + o * room, .room = room};
    image_order_groups((uint16_t *)to.orders, weights, groups);
    for (size_t g = 0; g < groups; g++)
        memcpy((int8_t *)to.weights + g * GROUP_BYTES, weights + to.orders[g] / IMAGE_GROUP * GROUP_BYTES, GROUP_BYTES);
    memset(filling.excess, 0, filling.room * sizeof *filling.excess);
    bool fits = narrow_weights(lists, (int8_t *)to.weights, to.orders, groups);
    for (uint32_t o = 0; o < IMAGE_PANEL && fits; o++) {
        filling.excess[o].output = o;
        fits = fill(&filling, o, &lists[o]);
    }
    *(uint16_t *)to.counts = fits ? (uint16_t)filling.count : IMAGE_NOT_NARROW;
}

void image_narrow_rows(const struct image_linear *linear, uint32_t first, uint32_t rows, void *scratch)
{
    for (size_t panel = first / IMAGE_PANEL; panel * IMAGE_PANEL < first + rows; panel++)
        narrow_panel(linear, panel, scratch);
}
