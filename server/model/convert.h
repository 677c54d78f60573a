/* A tensor's bytes to binary32. Room-private. */
#ifndef BERTD_MODEL_CONVERT_H
#define BERTD_MODEL_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

#include "server/model/safetensors.h"

/** Convert `count` elements at `data` (any alignment) to out[count]. Every value of F16 and BF16 has an exact binary32,
 *  subnormals, infinities and NaN included. `dtype` is F32, F16 or BF16. Thread: any. */
void model_convert(float *out, const unsigned char *data, size_t count, enum model_dtype dtype);
/** True for the dtypes that model_convert takes. */
bool model_convertible(enum model_dtype dtype);

#endif
