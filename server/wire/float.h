/* binary32 as decimal text: the shortest that reads back to the same bits, in the notation of serde_json.
 *
 * Always a number with a point or an exponent, so that every JSON reader makes a float of it: 0.061234, -1.0, 1e-7,
 * 1.5e20. Plain notation is used from 1e-6 up to below 1e13. Not a number and the infinities, which JSON cannot say,
 * are null.
 */
#ifndef BERTD_WIRE_FLOAT_H
#define BERTD_WIRE_FLOAT_H

enum { WIRE_FLOAT_SIZE = 24 }; /* room that wire_float_write needs; it uses at most 17 bytes */

/** Write `value` at `to` [WIRE_FLOAT_SIZE], without a NUL. Returns the end of the text. Thread: any.
 *  Source: the algorithm is Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020) for binary32. */
char *wire_float_write(char *to, float value);

#endif
