/* The vectors of a call, as they come in. */
#ifndef BERTD_CLIENT_RESULTS_H
#define BERTD_CLIENT_RESULTS_H

#include "clients/c/json.h"
#include "clients/c/queue.h"

/** The answer of a part is not what it should be. Returns PROTOCOL. */
enum bertd_status bertd_results_broken(const struct bertd_part *part, struct bertd_error *err, const char *what);
/** Make the block of vectors, as soon as their width is known; later see that it is the same.
 *  Errors: PROTOCOL, BUFFER, NO_MEMORY */
enum bertd_status bertd_results_begin(struct bertd_part *part, size_t width, struct bertd_error *err);
/** Where the vector of a text of a part goes; after bertd_results_begin. */
float *bertd_results_row(const struct bertd_part *part, size_t row);
/** Put the vector of a text there.
 *  floats   its values, which may have failed. Errors: as bertd_results_begin */
enum bertd_status bertd_results_store(struct bertd_part *part, size_t row, const struct bertd_bytes *floats,
                                      struct bertd_error *err);
/** Values that came as little-endian binary32 become floats. */
void bertd_results_fix(float *values, size_t n);
/** Append an array of numbers as floats. False: it is none. */
bool bertd_results_vector(struct bertd_json *json, struct bertd_bytes *floats);

/* Readers of an answer, by what it is. Errors: PROTOCOL, BUFFER, NO_MEMORY. */

/** Of EmbedBatch and /embed. */
enum bertd_status bertd_vectors_read(struct bertd_part *part, struct bertd_error *err);
/** Of OpenAI's /v1/embeddings. */
enum bertd_status bertd_openai_read(struct bertd_part *part, struct bertd_error *err);
/** Of /embed_all. */
enum bertd_status bertd_pieces_read_vectors(struct bertd_part *part, struct bertd_error *err);
/** Of /tokenize. */
enum bertd_status bertd_pieces_read_tokens(struct bertd_part *part, struct bertd_error *err);
/** Put pieces together: the block of /embed_all's or /tokenize's results. NULL: no memory. */
struct bertd_token_embeddings *bertd_pieces_vectors(const struct bertd_call *call);
struct bertd_tokens *bertd_pieces_tokens(const struct bertd_call *call);
/** Free the pieces of a call. */
void bertd_pieces_drop(struct bertd_call *call);

#endif
