/* From JSON bodies (server/wire) to what the request core asks for. Private to the room. */
#ifndef BERTD_HTTP_REQUESTS_H
#define BERTD_HTTP_REQUESTS_H

#include "server/serve/infer.h"
#include "server/wire/request.h"

/** The same inputs as the core knows them, in the call's arena. Errors: NO_MEMORY. */
enum status http_map_inputs(const struct serve_call *call, const struct wire_inputs *inputs, struct serve_inputs *ret,
                            struct error *err);
static inline struct serve_string http_map_string(struct wire_string string)
{
    return (struct serve_string){string.bytes, string.len};
}

/** Limits of the server for readers of bodies. */
struct wire_limits http_limits(const struct serve_call *call);
/** Fields of the body that nobody knows: to be counted, and at debug a line with their names. */
void http_note_unknown(struct serve_call *call, const struct wire_unknown *unknown);
struct wire_embed_defaults http_embed_defaults(const struct serve_call *call);
/** The end of a start that has read its body: infer. */
enum serve_progress http_infer(struct serve_call *call, const struct wire_embed *embed, enum batch_pooling pooling);
/** The model, and perhaps the version, that the path names must be the one that is served. Errors: NOT_FOUND */
enum status http_check_model(const struct serve_call *call, struct error *err);
/** The end of an embedding endpoint's start: read the body and infer. With `tokens` a vector a token, else one a text,
 *  pooled as the model says. */
enum serve_progress http_start_embedding(struct serve_call *call, bool tokens);

#endif
