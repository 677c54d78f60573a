/* The endpoints, one file each, and the table that finds them. Private to the room. */
#ifndef BERTD_HTTP_ENDPOINTS_H
#define BERTD_HTTP_ENDPOINTS_H

#include "server/serve/call.h"

/** How one endpoint works. Its method reads and writes bodies; a failure becomes an error in JSON. An immediate one
 * takes no headers of inference. */
struct http_endpoint {
    struct serve_method method;
    const char *content_type; /* of the answer; NULL: JSON */
    bool public;              /* needs no API key */
    bool admin;               /* for operators: answers on the admin listener alone, where there is one */
};

extern const struct http_endpoint http_embed;
extern const struct http_endpoint http_embed_all;
extern const struct http_endpoint http_tokenize;
extern const struct http_endpoint http_decode;
extern const struct http_endpoint http_health;
extern const struct http_endpoint http_info;
extern const struct http_endpoint http_metrics;
extern const struct http_endpoint http_boards;
extern const struct http_endpoint http_faults;

/** The endpoint at this path for this method (HEAD counts as GET).
 *  Errors: NOT_FOUND; METHOD, with `ret_allow` set to the methods that there are, static. */
enum status http_route_find(const struct http_endpoint **ret, const char **ret_allow, const char *method,
                            const char *path, struct error *err);

/* The paths of the table, and one place for all others. */
enum { HTTP_ROUTES = 12, HTTP_ROUTE_OTHER = HTTP_ROUTES - 1 };

/** The place of a path in the table; HTTP_ROUTE_OTHER: it has none. */
uint32_t http_route_index(const char *path);
/** The path at a place, "/embed"; else "other". Static. */
const char *http_route_name(uint32_t route);

#endif
