/* Refusals of requests that never became one. */
#include "server/http/http.h"
#include "server/serve/refusals.h"
#include "server/serve/request_id.h"
#include "server/wire/response.h"

_Static_assert((int)SERVE_ID_SIZE <= (int)NET_ID_SIZE, "an id fits");

const char http_spare_body[] = "{\"error\":\"no memory for the request\",\"error_type\":\"Internal\"}";

void http_write_refusal(struct buf *out, char ret_id[NET_ID_SIZE], const char *words)
{
    serve_request_id(ret_id, NULL);
    wire_write_error(out, WIRE_ERROR_TEI, STATUS_MALFORMED, words);
    serve_log_refusal(&(struct serve_refusal){.id = ret_id, .status = STATUS_MALFORMED, .reason = words});
}
