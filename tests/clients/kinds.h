/* What the three kinds of servers answer, in the shapes that they document. */
#ifndef TESTS_CLIENTS_KINDS_H
#define TESTS_CLIENTS_KINDS_H

#include "clients/c/bertd.h"
#include "tests/clients/stand.h"

enum { KINDS_WIDTH = 5, KINDS_BATCH = 32, KINDS_OPENAI_BATCH = 256 };

/** Answers as one kind of server; the cookie is a struct kinds, or NULL. */
stand_handler kinds_bertd;
stand_handler kinds_tei;
stand_handler kinds_openai;

/** How they differ from the usual, and what they have seen. */
struct kinds {
    bool no_batch_call;  /* bertd without EmbedBatch */
    bool floats;         /* OpenAI's vectors as arrays, not in base64 */
    bool backwards;      /* OpenAI's data in reverse order */
    unsigned models;     /* OpenAI's; 0: 1 */
    size_t largest_body; /* else 413; 0: any */
    atomic_uint embeds;  /* requests that embed */
    atomic_uint most;    /* texts of the largest */
};

/** The value of a text's vector. */
float kinds_value(const char *text, size_t len, size_t column);
/** Fail the test unless row i is the vector of texts[i]. */
void kinds_check(const struct bertd_embeddings *found, const char *const *texts, const size_t *lengths, size_t n);
/** Options for these addresses, borrowed: waits are short. */
struct bertd_options kinds_options(const char *const *addresses, size_t n);
/** A client with them. */
struct bertd_client *kinds_client(const char *const *addresses, size_t n);
/** n new texts "text 0", ..; kinds_free_texts. */
char **kinds_texts(size_t n);
void kinds_free_texts(char **texts, size_t n);

#endif
