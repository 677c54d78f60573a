/* The endpoints, one file each, and the table that finds them. Private to the room. */
#ifndef BERTD_HTTP_ENDPOINTS_H
#define BERTD_HTTP_ENDPOINTS_H

#include "server/net/net.h"
#include "server/serve/call.h"
#include "server/serve/infer.h"
#include "server/wire/response.h"

/** How one endpoint works. Its method reads and writes bodies; a failure becomes an error in JSON. An immediate one
 * takes no headers of inference. */
struct http_endpoint {
    struct serve_method method;
    const char *content_type; /* of the answer; NULL: JSON */
    bool public;              /* needs no API key */
    bool any_type;            /* the Content-Type of a request does not matter */
    bool admin;               /* for operators: answers on the admin listener alone, where there is one */
};

/* Where JSON is followed by the bytes of tensors: how many bytes of the body it is. */
#define HTTP_JSON_LENGTH "inference-header-content-length"

/* Pieces of a path that its route leaves open. */
enum { HTTP_PARTS = 2 };

/** What an endpoint knows of its request besides the call, and says of its answer. */
struct http_request {
    struct net_exchange *net;
    struct serve_string parts[HTTP_PARTS]; /* what stands for each {..} of the route; bytes NULL: nothing */
    void *state;                           /* the endpoint's own, in the call's arena */
    unsigned code;                         /* of a good answer; 0: 200 */
    const char *content_type;              /* of it, static; NULL: the endpoint's */
    bool as_is;                            /* it is never coded */
    size_t json_len;                       /* of it, for the header HTTP_JSON_LENGTH; 0: it is all JSON */
};

static inline struct http_request *http_request_of(const struct serve_call *call)
{
    return call->transport;
}

extern const struct http_endpoint http_embed;
extern const struct http_endpoint http_embed_all;
extern const struct http_endpoint http_tokenize;
extern const struct http_endpoint http_decode;
extern const struct http_endpoint http_health;
extern const struct http_endpoint http_info;
extern const struct http_endpoint http_metrics;
extern const struct http_endpoint http_boards;
extern const struct http_endpoint http_faults;
extern const struct http_endpoint http_similarity;
extern const struct http_endpoint http_predict; /* this and the next: for models of another kind */
extern const struct http_endpoint http_rerank;
extern const struct http_endpoint http_embed_sparse;
extern const struct http_endpoint http_openai_embeddings;
extern const struct http_endpoint http_openai_models;
extern const struct http_endpoint http_openai_model;
extern const struct http_endpoint http_v2_server;
extern const struct http_endpoint http_v2_live;
extern const struct http_endpoint http_v2_ready;
extern const struct http_endpoint http_v2_model;
extern const struct http_endpoint http_v2_model_ready;
extern const struct http_endpoint http_v2_infer;
/* Files of server/web. */
extern const struct http_endpoint http_openapi, http_docs, http_docs_js, http_swagger_css, http_swagger_js,
    http_dashboard, http_dashboard_css, http_dashboard_js;

/* The paths of the table, and one place for all others. */
enum { HTTP_ROUTES = 37, HTTP_ROUTE_OTHER = HTTP_ROUTES - 1 };

/** The place of a path in the table; HTTP_ROUTE_OTHER: it has none. `parts` get the pieces of the path that stand for
 *  {..} there. */
uint32_t http_route_index(const char *path, struct serve_string parts[HTTP_PARTS]);
/** The endpoint at a place for this method (HEAD counts as GET); `path` as it was asked for, for the words.
 *  Errors: NOT_FOUND; METHOD, with `ret_allow` set to the methods that there are, static. */
enum status http_route_find(const struct http_endpoint **ret, const char **ret_allow, uint32_t route,
                            const char *method, const char *path, struct error *err);
/** The path at a place, "/embed" or "/v1/models/{model}"; else "other". Static. */
const char *http_route_name(uint32_t route);
/** How errors of this path are put, whether there is such a path or not. */
enum wire_error_form http_route_error_form(const char *path);

#endif
