#include "server/rpc/wire.h"

enum { VARINT, EIGHT_BYTES, WITH_LENGTH, FOUR_BYTES = 5 };
enum { MAX_NUMBER = (1 << 29) - 1 };

void rpc_wire_init(struct rpc_wire *wire, const char *bytes, size_t len)
{
    *wire = (struct rpc_wire){bytes, bytes + len, false};
}

static bool read_varint(struct rpc_wire *wire, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (wire->at == wire->end)
            return false;
        uint8_t byte = (uint8_t)*wire->at++;
        value |= shift < 64 ? (uint64_t)(byte & 127) << shift : 0;
        if (byte < 128) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool read_fixed(struct rpc_wire *wire, size_t len, uint64_t *ret)
{
    if ((size_t)(wire->end - wire->at) < len)
        return false;
    *ret = 0;
    for (size_t i = len; i-- > 0;)
        *ret = *ret << 8 | (uint8_t)wire->at[i];
    wire->at += len;
    return true;
}

static bool read_bytes(struct rpc_wire *wire, struct rpc_wire_field *ret)
{
    uint64_t len = 0;
    if (!read_varint(wire, &len) || len > (uint64_t)(wire->end - wire->at))
        return false;
    ret->bytes = wire->at;
    ret->len = (size_t)len;
    wire->at += len;
    return true;
}

static bool read_field(struct rpc_wire *wire, struct rpc_wire_field *ret)
{
    uint64_t tag = 0;
    if (!read_varint(wire, &tag) || tag >> 3 == 0 || tag >> 3 > MAX_NUMBER)
        return false;
    *ret = (struct rpc_wire_field){.number = (uint32_t)(tag >> 3)};
    switch (tag & 7) {
    case VARINT:
        return read_varint(wire, &ret->value);
    case EIGHT_BYTES:
        return read_fixed(wire, 8, &ret->value);
    case WITH_LENGTH:
        return read_bytes(wire, ret);
    case FOUR_BYTES:
        return read_fixed(wire, 4, &ret->value);
    default:
        return false;
    }
}

bool rpc_wire_next(struct rpc_wire *wire, struct rpc_wire_field *ret)
{
    const char *begin = wire->at;
    if (begin == wire->end)
        return false;
    if (read_field(wire, ret))
        return true;
    wire->at = begin;
    wire->broken = true;
    return false;
}
