/* One text to the list of its tokens, without template or truncation's arithmetic. Room-private. */
#ifndef BERTD_TOKEN_SCAN_H
#define BERTD_TOKEN_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "server/token/list.h"
#include "server/token/vocab.h"

enum { TOKEN_MAX_TEXT = 1 << 28 }; /* bytes */

/** Find the tokens of `text` [len], valid UTF-8 of at most TOKEN_MAX_TEXT bytes.
 *  ret_steps  may be NULL; the work done, in characters read and trie nodes visited: what makes time linear
 *  Errors: NO_MEMORY */
enum status token_scan(const struct token_vocab *vocab, const char *text, size_t len, struct token_list *list,
                       uint64_t *ret_steps, struct error *err);

#endif
