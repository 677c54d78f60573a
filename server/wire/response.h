/* Responses as JSON text. All append to a buf, whose `failed` tells when memory ran out. Thread: any. */
#ifndef BERTD_WIRE_RESPONSE_H
#define BERTD_WIRE_RESPONSE_H

#include "base/buf.h"
#include "server/token/token.h"
#include "server/wire/json.h"

/** Bytes that a float costs in an array at most, its comma included: to reserve memory by. */
enum { WIRE_FLOAT_COST = 18 };

/** A string in quotes; `text` [len] is UTF-8. */
void wire_write_string(struct buf *out, const char *text, size_t len);
/** The same for a NUL-terminated one, NULL gives null. */
void wire_write_text(struct buf *out, const char *text);
/** [0.1,-0.2,..] of `values` [n]. */
void wire_write_floats(struct buf *out, const float *values, size_t n);
/** [[..],[..]] of `rows` [n][width], of each the first `keep`. */
void wire_write_rows(struct buf *out, const float *rows, size_t n, size_t width, size_t keep);
/** The same values as one array without the rows. */
void wire_write_flat(struct buf *out, const float *rows, size_t n, size_t width, size_t keep);
/** One text's tokens, [{"id","text","special","start","stop"},..]: slices of `text` as spans say, and the vocabulary's
 *  words for what the template added. */
void wire_write_tokens(struct buf *out, const struct token_vocab *vocab, const struct token_encoding *encoding,
                       const char *text);

/** How an error is put, by whose clients read it. */
enum wire_error_form {
    WIRE_ERROR_TEI,    /* {"error": the words, "error_type": the name} */
    WIRE_ERROR_OPENAI, /* {"message","code","type"} as text-embeddings-inference has it, and "error" with the same,
                          where OpenAI's clients look first */
    WIRE_ERROR_V2,     /* {"error": the words} */
};

/** A status that is not OK. */
void wire_write_error(struct buf *out, enum wire_error_form form, enum status status, const char *message);

#endif
