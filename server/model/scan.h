/* A cursor over the bytes of a JSON text, for readers that know what they want next. Room-private. Nothing is
 * allocated and nothing nests by itself, so hostile text costs no memory and no stack. */
#ifndef BERTD_MODEL_SCAN_H
#define BERTD_MODEL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct model_scan {
    const char *at;
    const char *end;
};

/** A string as it stands between its quotes: escapes are checked but not decoded. Borrowed from the text. */
struct model_slice {
    const char *data;
    size_t len;
};

/** Skip white space, then consume `c` if it is next. */
bool model_scan_take(struct model_scan *scan, char c);
/** Skip white space, then consume a string. False (nothing useful consumed) when none is next or it is malformed. */
bool model_scan_string(struct model_scan *scan, struct model_slice *ret);
/** Skip white space, then consume a whole number that fits 64 bits, written with digits only. */
bool model_scan_count(struct model_scan *scan, uint64_t *ret);
/** Skip white space; true when nothing is left. */
bool model_scan_done(struct model_scan *scan);

/** True when the slice is exactly `text`. */
bool model_slice_is(struct model_slice slice, const char *text);

#endif
