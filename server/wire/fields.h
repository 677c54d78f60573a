/* The fields of a JSON object, by a table: what each is called, how it is read, whether it must be there.
 * Private to the room. */
#ifndef BERTD_WIRE_FIELDS_H
#define BERTD_WIRE_FIELDS_H

#include "server/wire/request.h"

/** Read the next value into `target`; false after a failure. Each reader's words say what kind of target it takes. */
typedef bool wire_field_read(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);

struct wire_field {
    const char *name;
    wire_field_read *read;
    void *target;
    bool required;
};

enum { WIRE_MAX_FIELDS = 16 };

/** Read a whole body that is an object with these fields [n]. Others are added to `unknown`. */
enum status wire_fields_read(const char *body, size_t len, const struct wire_field *fields, uint32_t n,
                             struct wire_unknown *unknown, const struct wire_limits *limits, struct arena *arena,
                             struct error *err);

/** An object of fields in a body, the target of wire_field_object. */
struct wire_object {
    const struct wire_field *fields; /* [n] */
    uint32_t n;
    struct wire_unknown *unknown; /* is told of the others */
};

/** The fields of a wire_object. */
bool wire_field_object(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);
bool wire_field_bool(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);
bool wire_field_string(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);
/** Left or Right, also in lower case, into an enum token_direction. */
bool wire_field_direction(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);
/** Nothing yet: a struct wire_json becomes a second reader that stands before the value. */
bool wire_field_later(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);
/** An integer from 1 to 2^32-1 into a uint32_t. */
bool wire_field_positive(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);
/** The same from 0 on. */
bool wire_field_count(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);
/** A string, token ids, or an array of both, into a struct wire_inputs. */
bool wire_field_inputs(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);
/** A string or an array of them. */
bool wire_field_texts(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);
/** Token ids or an array of such arrays. */
bool wire_field_ids(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);

/** Errors: VALIDATION, where `n` inputs are too many. */
enum status wire_check_count(uint64_t n, const struct wire_limits *limits, struct error *err);

/* The first of the options are about the inputs, the others about the vectors. */
enum { WIRE_EMBED_INPUT_OPTIONS = 5, WIRE_EMBED_OPTIONS = 7 };

/** A request of embeddings in which no field has been given yet. */
struct wire_embed wire_embed_begin(const struct wire_embed_defaults *defaults);
/** The optional fields of such requests, to be read into `embed`. */
void wire_embed_options(struct wire_embed *embed, struct wire_field ret[WIRE_EMBED_OPTIONS]);

#endif
