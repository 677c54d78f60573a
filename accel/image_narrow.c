#include "accel/image_narrow.h"

#include <string.h>

/* Two neighbouring groups of inputs: 8 weights of an output, in two spans. */
enum { GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP, PAIR = 2 * IMAGE_GROUP, SPANS = 2 };

static const uint8_t spans[SPANS][IMAGE_SPAN] = {{0, 1, 4, 5}, {2, 3, 6, 7}};

/* One lane an output of the panel. */
typedef int32_t lanes __attribute__((vector_size(4 * IMAGE_PANEL)));

/* The list of one output as it grows: single weights. */
struct list {
    struct image_excess *pairs;
    size_t count, room;
};

size_t image_excess_room(uint32_t in_padded)
{
    return (size_t)in_padded * IMAGE_PANEL / 8 / 2;
}

struct image_narrow image_narrow_at(const struct image_linear *linear, size_t panel)
{
    const struct image_narrow *narrow = &linear->narrow;
    if (!narrow->weights)
        return *narrow;
    return (struct image_narrow){
        .weights = narrow->weights + panel * linear->in_padded * IMAGE_PANEL,
        .lists = narrow->lists + panel,
        .excess = narrow->excess + panel * image_excess_room(linear->in_padded),
    };
}

/* In pairs, plenty: lists are cut to a panel's room later. */
static size_t room_of_list(size_t in)
{
    return in / 8 + 1;
}

size_t image_narrow_scratch(uint32_t in)
{
    return IMAGE_PANEL * room_of_list(in) * sizeof(struct image_excess);
}

/* False when there is no room. */
static bool append(struct list *list, size_t input, int16_t excess)
{
    if (list->count == 2 * list->room || input > UINT16_MAX / IMAGE_PLACE)
        return false;
    struct image_excess *pair = &list->pairs[list->count / 2];
    if (list->count % 2 == 0)
        *pair = (struct image_excess){0};
    pair->places[list->count % 2] = (uint16_t)(input * IMAGE_PLACE);
    pair->excess[list->count % 2] = excess;
    list->count++;
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

/* Groups at `weights` and, unless it is the last, behind it. */
static bool narrow_output(struct list *list, int8_t *weights, size_t input, bool last)
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
        if (excess[i] != 0 && !append(list, input + i, excess[i]))
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

static bool narrow_weights(struct list lists[IMAGE_PANEL], int8_t *weights, size_t groups)
{
    for (size_t g = 0; g < groups; g += 2, weights += 2 * GROUP_BYTES) {
        const bool last = g + 1 == groups;
        int32_t wide[IMAGE_PANEL];
        find_wide(wide, weights, last);
        for (size_t o = 0; o < IMAGE_PANEL; o++)
            if (wide[o] && !narrow_output(&lists[o], weights + o * IMAGE_GROUP, g * IMAGE_GROUP, last))
                return false;
    }
    return true;
}

static size_t turns_of(const struct list *list)
{
    return (list->count + 1) / 2;
}

/* By length, the longest first. */
static void sort(uint8_t outputs[IMAGE_PANEL], const struct list lists[IMAGE_PANEL])
{
    for (uint8_t o = 0; o < IMAGE_PANEL; o++) {
        size_t at = o;
        for (; at > 0 && lists[outputs[at - 1]].count < lists[o].count; at--)
            outputs[at] = outputs[at - 1];
        outputs[at] = o;
    }
}

/* False when there is no room. */
static bool interleave(struct image_lists *to, struct image_excess *pairs, size_t room,
                       const struct list lists[IMAGE_PANEL])
{
    sort(to->outputs, lists);
    for (size_t four = 0; four < IMAGE_PANEL / IMAGE_LISTS; four++) {
        const uint8_t *outputs = to->outputs + four * IMAGE_LISTS;
        const size_t turns = turns_of(&lists[outputs[0]]), used = turns * IMAGE_LISTS;
        if (used > room || turns >= IMAGE_NOT_NARROW)
            return false;
        for (size_t i = 0; i < used; i++) {
            const struct list *list = &lists[outputs[i % IMAGE_LISTS]];
            if (i / IMAGE_LISTS < turns_of(list))
                pairs[i] = list->pairs[i / IMAGE_LISTS];
        }
        to->turns[four] = (uint16_t)turns;
        pairs += used;
        room -= used;
    }
    return true;
}

static void narrow_panel(const struct image_linear *linear, size_t panel, struct image_excess *scratch)
{
    const struct image_narrow to = image_narrow_at(linear, panel);
    const size_t size = (size_t)linear->in_padded * IMAGE_PANEL, of_panel = image_excess_room(linear->in_padded);
    const size_t room = room_of_list(linear->in_padded);
    struct image_lists *head = (struct image_lists *)to.lists;
    struct image_excess *pairs = (struct image_excess *)to.excess;
    struct list lists[IMAGE_PANEL];
    for (size_t o = 0; o < IMAGE_PANEL; o++)
        lists[o] = (struct list){.pairs = scratch + o * room, .room = room};
    memcpy((int8_t *)to.weights, linear->weights + panel * size, size);
    memset(head, 0, sizeof *head);
    memset(pairs, 0, of_panel * sizeof *pairs);
    if (!narrow_weights(lists, (int8_t *)to.weights, linear->in_padded / IMAGE_GROUP) ||
        !interleave(head, pairs, of_panel, lists))
        head->turns[0] = IMAGE_NOT_NARROW;
}

void image_narrow_rows(const struct image_linear *linear, uint32_t first, uint32_t rows, void *scratch)
{
    for (size_t panel = first / IMAGE_PANEL; panel * IMAGE_PANEL < first + rows; panel++)
        narrow_panel(linear, panel, scratch);
}
