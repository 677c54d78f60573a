/* Records in bytes: where a line or a record of CSV (RFC 4180) ends, and the fields of one. */
#ifndef CLIENTS_CLI_RECORDS_H
#define CLIENTS_CLI_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

/** How far a record was looked at. Begins with 0. */
struct cli_scan {
    size_t at;   /**< bytes; with the end of the line once that was found */
    bool quoted; /**< in quotes there */
    bool middle; /**< in a field, where a quote is a character like others */
};

/** Look on for the end of the line that ends the record: of CSV, not inside of quotes.
 *  bytes      [n] from the record's begin, those of the last call included
 *  separator  of CSV; 0: the record is a line
 *  Returns    true: it was found, and scan->at is behind it */
bool cli_records_end(struct cli_scan *scan, const char *bytes, size_t n, char separator);

/** A field of a record of CSV. Doubled quotes are written as one in place.
 *  record   [length] without the end of the line
 *  Returns  false: it has fewer fields */
bool cli_records_field(char *record, size_t length, char separator, size_t index, const char **ret_field,
                       size_t *ret_length);

/** Which field of the first line has a name; -1: none. The line stays as it is. `name` may be NULL: none. */
int cli_records_column(const char *line, size_t length, char separator, const char *name);

#endif
