/* The routes that compute, each with a request that it answers. */
#ifndef TESTS_HTTP_SURFACES_H
#define TESTS_HTTP_SURFACES_H

#include <stdbool.h>

#include "tests/http/client.h"

/* The model is to be called so: --served-model-name. */
#define SURFACES_MODEL "acme/mini"

enum surface_form { FORM_TEI, FORM_OPENAI, FORM_V2 };

struct surface {
    const char *path;
    const char *body;
    const char *empty; /* a request without an input */
    enum surface_form form;
    bool infers;   /* on a board */
    bool any_type; /* the Content-Type does not matter */
};

enum { SURFACES = 9 };
extern const struct surface surfaces[SURFACES];

/** The form of a path's errors. */
enum surface_form surface_form_of(const char *path);
/** Expect exactly this error in this form, with these words in it, and free. */
void surface_expect_error(struct answer answer, enum surface_form form, long code, const char *type, const char *words);

#endif
