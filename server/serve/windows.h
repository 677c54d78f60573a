/* A text longer than the model, as overlapping windows. Private to the room.
 *
 * The windows are as few as possible and of even size; neighbours share `overlap` tokens, so that a token near a seam
 * is seen with context on both sides. Every token belongs to one window, of the two that share it the one in which it
 * lies deeper: pooling counts it there and only there. So mean pooling over windows is the mean over all tokens, and
 * max pooling the maximum over all; cls pooling is the mean of the windows' [CLS] vectors, weighted by the tokens that
 * belong to each.
 */
#ifndef BERTD_SERVE_WINDOWS_H
#define BERTD_SERVE_WINDOWS_H

#include "server/batch/batch.h"

struct serve_windows {
    uint32_t n;
    uint32_t tokens;  /* that they cover: all, unless `max` windows do not reach */
    uint32_t overlap; /* as asked for, but at most half of a window's room */
};

/** Half open ranges of tokens. */
struct serve_window {
    uint32_t begin, end;
    uint32_t own_begin, own_end;
};

/** Lay `tokens` (> 0) over windows with room for `room` (> 0) of them, at most `max` (> 0) windows. */
struct serve_windows serve_windows_plan(uint32_t tokens, uint32_t room, uint32_t overlap, uint32_t max);
struct serve_window serve_windows_at(const struct serve_windows *windows, uint32_t index);
/** From the pooled vectors of one text's windows, items [n], one for the text, in the first item's `out` [width].
 *  Their n_rows weigh them. */
void serve_windows_pool(const struct batch_item *items, uint32_t n, uint32_t width);

#endif
