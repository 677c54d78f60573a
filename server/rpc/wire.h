/* Fields of protobuf's binary encoding one by one, without knowing what they mean. Private to the room. */
#ifndef BERTD_RPC_WIRE_H
#define BERTD_RPC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rpc_wire {
    const char *at;
    const char *end;
    bool broken; /* stopped at `at` because of what stands there */
};

struct rpc_wire_field {
    uint32_t number;
    const char *bytes; /* [len], borrowed, of a field with a length; NULL: a number */
    size_t len;
    uint64_t value; /* of a varint or of 4 or 8 bytes */
};

void rpc_wire_init(struct rpc_wire *wire, const char *bytes, size_t len);
/** The next field. False: there is none, or `broken`. Groups are broken. */
bool rpc_wire_next(struct rpc_wire *wire, struct rpc_wire_field *ret);

#endif
