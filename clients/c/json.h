/* JSON read where it lies, from front to back, and texts written as JSON. Nothing is allocated to read: an answer of a
 * million numbers costs no more than its bytes. */
#ifndef BERTD_CLIENT_JSON_H
#define BERTD_CLIENT_JSON_H

#include "clients/c/memory.h"

/** The place where reading goes on. Every function skips the white space before what it reads, and returns false where
 *  that is not there; the reader is of no use then. */
struct bertd_json {
    const char *at;
    const char *end;
};

/** data  [len]; may be NULL where len is 0 */
struct bertd_json bertd_json_of(const void *data, size_t len);
/** The next byte that is not white space; 0 at the end. */
char bertd_json_peek(struct bertd_json *json);
/** `[` or `{`. */
bool bertd_json_open(struct bertd_json *json, char bracket);
/** Go on to the next element: 1, there is one; 0, `bracket` was there instead; -1, neither.
 *  count  elements so far, counted here; begins as 0 */
int bertd_json_more(struct bertd_json *json, char bracket, size_t *count);
/** The name of a member and its colon. */
bool bertd_json_name(struct bertd_json *json, struct bertd_slice *ret);
/** A text as it is written, without its quotes. */
bool bertd_json_text(struct bertd_json *json, struct bertd_slice *ret);
/** A number as a float, rounded to nearest as strtof does it in the C locale. Infinite and absent ones are false. */
bool bertd_json_float(struct bertd_json *json, float *ret);
/** A whole number from 0 on; one beyond 64 bits becomes UINT64_MAX. */
bool bertd_json_count(struct bertd_json *json, uint64_t *ret);
/** Any value, nested up to 64 deep. */
bool bertd_json_skip(struct bertd_json *json);
/** Nothing but white space is left. */
bool bertd_json_ends(struct bertd_json *json);
/** Whether a name or text, as it is written, is this word. */
bool bertd_json_is(struct bertd_slice text, const char *word);
/** Append what a text means; false where it is not well-formed. */
bool bertd_json_unescape(struct bertd_bytes *bytes, struct bertd_slice text);
/** Append a text with its quotes. */
void bertd_json_write(struct bertd_bytes *bytes, const char *text, size_t len);

#endif
