/* Files of server/web: /openapi.json, /docs and /dashboard with their styles and scripts. The same for everybody, so
 * without a key; what they show comes from routes that need it. */
#include "server/http/endpoints.h"
#include "server/serve/serve.h"
#include "server/web/web.h"

/* Nothing from elsewhere, nothing inline; style sheets have some images in themselves (data:). */
static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                             "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void add_headers(struct serve_call *call, const struct web_file *file)
{
    struct http_request *request = http_request_of(call);
    request->content_type = file->content_type;
    request->as_is = true; /* as its etag says */
    net_add(request->net, "etag", file->etag);
    net_add(request->net, "cache-control", "no-cache");
    net_add(request->net, "content-security-policy", policy);
    net_add(request->net, "x-content-type-options", "nosniff");
    net_add(request->net, "referrer-policy", "no-referrer");
}

static enum status write_file(struct serve_call *call, enum web_name name, struct error *err)
{
    const struct web_file *file = web_file(name);
    if (file->len == 0)
        return error_set(err, STATUS_NOT_FOUND, "this bertd was built without Swagger UI (see /docs)");
    bool known = web_file_is_known(file, net_exchange_header(http_request_of(call)->net, "if-none-match"));
    enum status status = known ? STATUS_OK : serve_call_reserve(call, file->len, err);
    if (status != STATUS_OK)
        return status;
    add_headers(call, file);
    if (known)
        http_request_of(call)->code = 304;
    else
        buf_append(&call->reply, file->bytes, file->len);
    return STATUS_OK;
}

#define FILE_ENDPOINT(endpoint, name)                                                                                  \
    static enum serve_progress start_##endpoint(struct serve_call *call)                                               \
    {                                                                                                                  \
        call->status = write_file(call, name, &call->err);                                                             \
        return SERVE_DONE;                                                                                             \
    }                                                                                                                  \
    const struct http_endpoint http_##endpoint = {.method = {.start = start_##endpoint, .immediate = true},            \
                                                  .public = true}

FILE_ENDPOINT(openapi, WEB_OPENAPI);
FILE_ENDPOINT(docs, WEB_DOCS);
FILE_ENDPOINT(docs_js, WEB_DOCS_JS);
FILE_ENDPOINT(swagger_css, WEB_SWAGGER_CSS);
FILE_ENDPOINT(swagger_js, WEB_SWAGGER_JS);
FILE_ENDPOINT(dashboard, WEB_DASHBOARD);
FILE_ENDPOINT(dashboard_css, WEB_DASHBOARD_CSS);
FILE_ENDPOINT(dashboard_js, WEB_DASHBOARD_JS);
