/* From fields of messages to what the request core asks for. Private to the room. */
#ifndef BERTD_RPC_REQUEST_H
#define BERTD_RPC_REQUEST_H

#include "server/serve/infer.h"
#include "tei.pb-c.h"

/** A text of a decoded message. */
struct serve_string rpc_request_text(const char *text);
/** One text as the inputs of a call, in its arena. Errors: NO_MEMORY */
enum status rpc_request_input(struct serve_call *call, const char *text, struct serve_inputs *ret, struct error *err);
/** Errors: VALIDATION */
enum status rpc_request_direction(Tei__V1__TruncationDirection direction, enum token_direction *ret, struct error *err);
/** Of an optional field that is there. Errors: VALIDATION where it is 0, which serve_infer_spec takes for all. */
enum status rpc_request_dimensions(uint32_t dimensions, uint32_t *ret, struct error *err);

#endif
