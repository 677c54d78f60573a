#include "server/rpc/record.h"

#include "server/net/net.h"
#include "server/serve/record.h"

void rpc_record(struct rpc_stream *stream, const struct serve_call *call)
{
    struct net_exchange *exchange = rpc_exchange_of(stream);
    const char *path = net_exchange_path(exchange); /* of a method that there is */
    unsigned code = (unsigned)status_grpc(call->status);
    char client[NET_ADDRESS_SIZE] = "";
    if (call->status != STATUS_OK)
        net_exchange_address_text(exchange, client);
    const struct trace_attribute attributes[] = {{"rpc.method", path + 1, 0}, {"rpc.grpc.status_code", NULL, code}};
    serve_record(call, &(struct serve_record){.route = path,
                                              .client = client,
                                              .name = path + 1,
                                              .code = code,
                                              .bytes = call->reply.len,
                                              .attributes = attributes,
                                              .n_attributes = sizeof attributes / sizeof *attributes});
}
