#include <string.h>

#include "server/http/endpoints.h"

struct route {
    const char *path;
    const struct http_endpoint *get;
    const struct http_endpoint *post;
};

static const struct route routes[] = {
    {"/embed", NULL, &http_embed},     {"/embed_all", NULL, &http_embed_all}, {"/tokenize", NULL, &http_tokenize},
    {"/decode", NULL, &http_decode},   {"/", &http_health, &http_embed}, /* clients given no more than a host and a port
                                                                          */
    {"/health", &http_health, NULL},   {"/ping", &http_health, NULL},         {"/info", &http_info, NULL},
    {"/metrics", &http_metrics, NULL}, {"/boards", &http_boards, NULL},       {"/admin/faults", NULL, &http_faults},
};

_Static_assert(sizeof routes / sizeof *routes == HTTP_ROUTE_OTHER, "one place a path, and one for all others");

uint32_t http_route_index(const char *path)
{
    uint32_t route = 0;
    while (route < HTTP_ROUTE_OTHER && strcmp(routes[route].path, path) != 0)
        route++;
    return route;
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

enum status http_route_find(const struct http_endpoint **ret, const char **ret_allow, const char *method,
                            const char *path, struct error *err)
{
    uint32_t index = http_route_index(path);
    if (index == HTTP_ROUTE_OTHER)
        return error_set(err, STATUS_NOT_FOUND, "there is nothing at %.200s", path);
    const struct route *route = &routes[index];
    const struct http_endpoint *endpoint = NULL;
    if (strcmp(method, "POST") == 0)
        endpoint = route->post;
    else if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        endpoint = route->get;
    *ret_allow = allowed(route);
    if (!endpoint)
        return error_set(err, STATUS_METHOD, "%.200s takes %s, not %.20s", path, *ret_allow, method);
    *ret = endpoint;
    return STATUS_OK;
}
