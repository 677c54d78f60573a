#include "server/rpc/failure.h"

#include "error_details.pb-c.h"

enum { DETAIL_SIZE = 128 };

static struct rpc_detail pack(const ProtobufCMessage *message, uint8_t bytes[DETAIL_SIZE])
{
    size_t len = protobuf_c_message_get_packed_size(message);
    if (len <= DETAIL_SIZE)
        protobuf_c_message_pack(message, bytes);
    return (struct rpc_detail){message->descriptor->name, bytes, len <= DETAIL_SIZE ? len : 0};
}

void rpc_failure_finish(struct rpc_stream *stream, const struct error *err, uint64_t retry_s)
{
    uint8_t bytes[2][DETAIL_SIZE];
    struct rpc_detail details[2];
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    info.reason = (char *)(uintptr_t)status_name(err->status);
    info.domain = (char *)(uintptr_t) "bertd";
    details[0] = pack(&info.base, bytes[0]);
    Google__Rpc__Delay delay = GOOGLE__RPC__DELAY__INIT;
    Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
    delay.seconds = (int64_t)retry_s;
    retry.retry_delay = &delay;
    details[1] = pack(&retry.base, bytes[1]);
    rpc_finish(stream, (rpc_code)status_grpc(err->status), err->message, details, retry_s ? 2 : 1);
}
