#include <string.h>

#include "server/http/endpoints.h"

struct route {
    const char *path;
    const struct http_endpoint *get;
    const struct http_endpoint *post;
};

/* {model} stands for a piece that may hold slashes, {version} for one that does not. */
static const struct route routes[] = {
    {"/embed", NULL, &http_embed},
    {"/embed_all", NULL, &http_embed_all},
    {"/similarity", NULL, &http_similarity},
    {"/tokenize", NULL, &http_tokenize},
    {"/decode", NULL, &http_decode},
    {"/predict", NULL, &http_predict},
    {"/rerank", NULL, &http_rerank},
    {"/embed_sparse", NULL, &http_embed_sparse},
    {"/v1/embeddings", NULL, &http_openai_embeddings},
    {"/embeddings", NULL, &http_openai_embeddings},
    {"/v1/models", &http_openai_models, NULL},
    {"/v1/models/{model}", &http_openai_model, NULL},
    {"/v2", &http_v2_server, NULL},
    {"/v2/health/live", &http_v2_live, NULL},
    {"/v2/health/ready", &http_v2_ready, NULL},
    {"/v2/models/{model}/versions/{version}/infer", NULL, &http_v2_infer},
    {"/v2/models/{model}/versions/{version}/ready", &http_v2_model_ready, NULL},
    {"/v2/models/{model}/versions/{version}", &http_v2_model, NULL},
    {"/v2/models/{model}/infer", NULL, &http_v2_infer},
    {"/v2/models/{model}/ready", &http_v2_model_ready, NULL},
    {"/v2/models/{model}", &http_v2_model, NULL},
    {"/", &http_health, &http_embed}, /* clients given no more than a host and a port */
    {"/health", &http_health, NULL},
    {"/ping", &http_health, NULL},
    {"/info", &http_info, NULL},
    {"/metrics", &http_metrics, NULL},
    {"/boards", &http_boards, NULL},
    {"/admin/faults", NULL, &http_faults},
    {"/openapi.json", &http_openapi, NULL},
    {"/docs", &http_docs, NULL},
    {"/docs/docs.js", &http_docs_js, NULL},
    {"/docs/swagger-ui.css", &http_swagger_css, NULL},
    {"/docs/swagger-ui-bundle.js", &http_swagger_js, NULL},
    {"/dashboard", &http_dashboard, NULL},
    {"/dashboard/dashboard.css", &http_dashboard_css, NULL},
    {"/dashboard/dashboard.js", &http_dashboard_js, NULL},
};

_Static_assert(sizeof routes / sizeof *routes == HTTP_ROUTE_OTHER, "one place a path, and one for all others");

/* Whether `path` is what `pattern` says from its place `n` on, and what stands for its {..}. */
static bool matches(const char *pattern, const char *path, struct serve_string *parts, uint32_t n)
{
    while (*pattern && *pattern != '{') {
        if (*pattern++ != *path++)
            return false;
    }
    if (!*pattern)
        return !*path;
    const char *behind = strchr(pattern, '}') + 1;
    size_t len = n == 0 ? strlen(path) : strcspn(path, "/");
    for (; len > 0; len--) {
        if (matches(behind, path + len, parts, n + 1)) {
            parts[n] = (struct serve_string){path, len};
            return true;
        }
        if (n > 0)
            return false; /* what is behind begins with a slash, or is the end */
    }
    return false;
}

uint32_t http_route_index(const char *path, struct serve_string parts[HTTP_PARTS])
{
    uint32_t route = 0;
    while (route < HTTP_ROUTE_OTHER && !matches(routes[route].path, path, parts, 0))
        route++;
    return route;
}

static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

enum wire_error_form http_route_error_form(const char *path)
{
    if (is_below(path, "/v1") || is_below(path, "/embeddings"))
        return WIRE_ERROR_OPENAI;
    return is_below(path, "/v2") ? WIRE_ERROR_V2 : WIRE_ERROR_TEI;
}

const char *http_route_name(uint32_t route)
{
    return route < HTTP_ROUTE_OTHER ? routes[route].path : "other";
}

static const char *allowed(const struct route *route)
{
    if (route->get && route->post)
        return "GET, HEAD, POST, OPTIONS";
    return route->get ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
}

enum status http_route_find(const struct http_endpoint **ret, const char **ret_allow, uint32_t route,
                            const char *method, const char *path, struct error *err)
{
    if (route == HTTP_ROUTE_OTHER)
        return error_set(err, STATUS_NOT_FOUND, "there is nothing at %.200s", path);
    const struct route *row = &routes[route];
    const struct http_endpoint *endpoint = NULL;
    if (strcmp(method, "POST") == 0)
        endpoint = row->post;
    else if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        endpoint = row->get;
    *ret_allow = allowed(row);
    if (!endpoint)
        return error_set(err, STATUS_METHOD, "%.200s takes %s, not %.20s", path, *ret_allow, method);
    *ret = endpoint;
    return STATUS_OK;
}
