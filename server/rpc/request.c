#include "server/rpc/request.h"

#include "server/rpc/codec.h"

struct serve_string rpc_request_text(const char *text)
{
    return (struct serve_string){text, rpc_text_len(text)};
}

enum status rpc_request_input(struct serve_call *call, const char *text, struct serve_inputs *ret, struct error *err)
{
    struct serve_input *input = arena_alloc(call->arena, sizeof *input);
    if (!input)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the input");
    *input = (struct serve_input){.text = rpc_request_text(text)};
    *ret = (struct serve_inputs){input, 1, true};
    return STATUS_OK;
}

enum status rpc_request_direction(Tei__V1__TruncationDirection direction, enum token_direction *ret, struct error *err)
{
    switch ((int)direction) {
    case TEI__V1__TRUNCATION_DIRECTION__TRUNCATION_DIRECTION_RIGHT:
        *ret = TOKEN_RIGHT;
        return STATUS_OK;
    case TEI__V1__TRUNCATION_DIRECTION__TRUNCATION_DIRECTION_LEFT:
        *ret = TOKEN_LEFT;
        return STATUS_OK;
    default:
        return error_set(err, STATUS_VALIDATION, "`truncation_direction`: expected 0 (right) or 1 (left), got %d",
                         (int)direction);
    }
}

enum status rpc_request_dimensions(uint32_t dimensions, uint32_t *ret, struct error *err)
{
    if (dimensions == 0)
        return error_set(err, STATUS_VALIDATION, "`dimensions`: expected a whole number of at least 1");
    *ret = dimensions;
    return STATUS_OK;
}
