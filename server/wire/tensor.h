/* The input tensors of a request in the Open Inference Protocol. Private to the room. */
#ifndef BERTD_WIRE_TENSOR_H
#define BERTD_WIRE_TENSOR_H

#include "server/wire/request.h"

enum { WIRE_TENSORS = 3, WIRE_TENSOR_DIMENSIONS = 2 };

/** One input; its data is in the JSON or among the binary bytes. */
struct wire_tensor {
    bool given;
    uint32_t shape[WIRE_TENSOR_DIMENSIONS];
    uint32_t n_dimensions;
    struct wire_string datatype;
    struct wire_json data; /* stands before it; `start` NULL: it is binary */
    const char *binary;    /* [binary_len] */
    size_t binary_len;
};

struct wire_tensors {
    struct wire_tensor items[WIRE_TENSORS]; /* text, input_ids, attention_mask */
    const char *binary;                     /* [binary_len], of which `taken` belong to the tensors so far */
    size_t binary_len;
    size_t taken;
    struct wire_unknown *unknown;
};

/** A wire_field_read: the array `inputs` into a struct wire_tensors. */
bool wire_tensors_read(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target);
/** The inputs that the tensors hold: texts, or ids. Errors: EMPTY, VALIDATION, MALFORMED, NO_MEMORY */
enum status wire_tensors_inputs(const struct wire_tensors *tensors, struct wire_inputs *ret,
                                const struct wire_limits *limits, struct arena *arena, struct error *err);

#endif
