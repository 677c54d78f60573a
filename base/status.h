/* Every way a call can end, in one table, and the error that carries one with its words.
 *
 * A function that can fail returns `enum status` (STATUS_OK is 0) and takes a `struct error *` as its last
 * parameter where a reader would want to know which thing and which limit. `err` may be NULL.
 */
#ifndef BERTD_BASE_STATUS_H
#define BERTD_BASE_STATUS_H

#include <stddef.h>

/* X(name, HTTP status, gRPC status, TEI error_type) */
#define STATUS_MAP(X)                                                                                                  \
    X(OK, 200, 0, "")                                                                                                  \
    X(EMPTY, 400, 3, "Empty")                                                                                          \
    X(MALFORMED, 400, 3, "Validation")                                                                                 \
    X(UNAUTHENTICATED, 401, 16, "Unauthenticated")                                                                     \
    X(FORBIDDEN, 403, 7, "Forbidden")                                                                                  \
    X(NOT_FOUND, 404, 5, "NotFound")                                                                                   \
    X(METHOD, 405, 12, "MethodNotAllowed")                                                                             \
    X(TOO_LARGE, 413, 3, "Validation")                                                                                 \
    X(MEDIA_TYPE, 415, 3, "Validation")                                                                                \
    X(VALIDATION, 422, 3, "Validation")                                                                                \
    X(TOKENIZER, 422, 9, "Tokenizer")                                                                                  \
    X(HEAD_TOO_LARGE, 431, 3, "Validation")                                                                            \
    X(BACKEND, 424, 9, "Backend")                                                                                      \
    X(OTHER_MODEL, 424, 9, "Backend")                                                                                  \
    X(OVERLOADED, 429, 8, "Overloaded")                                                                                \
    X(CANCELLED, 499, 1, "Cancelled")                                                                                  \
    X(INTERNAL, 500, 13, "Internal")                                                                                   \
    X(NO_MEMORY, 500, 8, "Internal")                                                                                   \
    X(UNIMPLEMENTED, 501, 12, "Unimplemented")                                                                         \
    X(UNHEALTHY, 503, 14, "Unhealthy")                                                                                 \
    X(TIMEOUT, 504, 4, "Timeout")                                                                                      \
    /* Never reach a client: found while starting. */                                                                  \
    X(IO, 500, 13, "Internal")                                                                                         \
    X(FORMAT, 500, 13, "Internal")                                                                                     \
    X(UNSUPPORTED, 500, 13, "Internal")                                                                                \
    X(USAGE, 500, 13, "Internal")

enum status {
#define X(name, http, grpc, tei) STATUS_##name,
    STATUS_MAP(X)
#undef X
        STATUS_COUNT
};

/** A status with a sentence for the reader: which thing, which limit, what to do. */
struct error {
    enum status status;
    char message[512];
};

/** Fill `err` (may be NULL) and return `status`, so that failing reads `return error_set(err, STATUS_X, "...")`.
 *  Messages longer than the field are cut at a whole UTF-8 character. */
enum status error_set(struct error *err, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Put a prefix before the message of an error that is passed on: "model.safetensors: " + what was wrong. */
enum status error_prefix(struct error *err, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

const char *status_name(enum status status); /**< "OVERLOADED"; static */
int status_http(enum status status);         /**< 429 */
int status_grpc(enum status status);         /**< 8 */
const char *status_tei(enum status status);  /**< "Overloaded"; static */

#endif
