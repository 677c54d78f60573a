/* The nearest known word to a mistyped one. Private to the room. */
#ifndef BERTD_CONFIG_SUGGEST_H
#define BERTD_CONFIG_SUGGEST_H

#include <stddef.h>

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` [a_len] into `b`; both are cut at 63 bytes. */
unsigned config_edit_distance(const char *a, size_t a_len, const char *b);
/** The option's name nearest to `word` [len], NULL when none is near enough to be meant. Static. */
const char *config_suggest(const char *word, size_t len);

#endif
