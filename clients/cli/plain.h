/* Texts of others, of servers, hubs and files, on a terminal or in JSON: they do not rule the one nor break the other.
 */
#ifndef CLIENTS_CLI_PLAIN_H
#define CLIENTS_CLI_PLAIN_H

#include <jansson.h>
#include <stddef.h>

/** Put '?' where a byte is not UTF-8, or of a character that rules terminals (C0, DEL, C1: so a text is one line). */
void cli_plain(char *text);

/** Put '?' where a byte is not UTF-8. */
void cli_plain_utf8(char *text);

/** Print a text to standard output: plain on a terminal, else as it is. */
void cli_plain_print(const char *text, size_t length);

/** A text in JSON, in UTF-8 whatever it is. New; NULL: no memory. */
json_t *cli_plain_json(const char *text);

#endif
