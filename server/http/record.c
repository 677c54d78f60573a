/* What is kept of an answer: its code, counts, and lines in the log. */
#include <stdio.h>

#include "server/http/exchange.h"
#include "server/serve/record.h"

unsigned http_exchange_code(const struct http_exchange *exchange)
{
    if (exchange->call.status != STATUS_OK)
        return (unsigned)status_http(exchange->call.status);
    if (!exchange->endpoint)
        return 204; /* of OPTIONS */
    return exchange->request.code ? exchange->request.code : 200;
}

void http_exchange_record(struct http_exchange *exchange, size_t len)
{
    const char *route = http_route_name(exchange->route), *method = net_exchange_method(exchange->net);
    unsigned code = http_exchange_code(exchange);
    char client[NET_ADDRESS_SIZE] = "", name[64];
    http_telemetry_count(&exchange->server->telemetry, exchange->route, code);
    if (exchange->call.status != STATUS_OK)
        net_exchange_address_text(exchange->net, client);
    snprintf(name, sizeof name, "%.16s %s", method, route);
    const struct trace_attribute attributes[] = {
        {"http.request.method", method, 0}, {"http.route", route, 0}, {"http.response.status_code", NULL, code}};
    serve_record(&exchange->call, &(struct serve_record){.route = route,
                                                         .method = method,
                                                         .client = client,
                                                         .name = name,
                                                         .code = code,
                                                         .bytes = len,
                                                         .probe = exchange->endpoint == &http_health,
                                                         .attributes = attributes,
                                                         .n_attributes = sizeof attributes / sizeof *attributes});
}
