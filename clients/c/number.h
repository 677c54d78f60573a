/* Decimal numbers to floats, whatever the locale of the process. */
#ifndef BERTD_CLIENT_NUMBER_H
#define BERTD_CLIENT_NUMBER_H

/** Read a number of JSON's grammar, correctly rounded.
 *  Returns the first byte behind it; NULL: there is no number */
const char *bertd_number_float(const char *at, const char *end, float *ret);

#endif
