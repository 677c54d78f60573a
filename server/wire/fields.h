/* The fields of a JSON object, by a table: what each is called, how it is read, whether it must be there.
 * Private to the room. */
#ifndef BERTD_WIRE_FIELDS_H
#define BERTD_WIRE_FIELDS_H

#include "server/wire/request.h"

/** Read the next value into `target`; false after a failure. */
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

bool wire_field_bool(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);
bool wire_field_string(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);
/** Left or Right, also in lower case, into an enum token_direction. */
bool wire_field_direction(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);
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

#endif
