#!/usr/bin/env python3
"""The codec against Google's own protobuf for Python: test_codec.py CONVERT MODULES, where CONVERT is the program of
convert.c and MODULES the folder of all_types_pb2.py. Random messages (the seed is printed, and taken from BERTD_SEED),
then cases of their own. Status 77 where that library is not there."""
import math
import os
import random
import struct
import subprocess
import sys

if "--help" in sys.argv:
    print(__doc__)
    sys.exit(0)
try:
    from google.protobuf import json_format
except ImportError:
    print("skipped: no google.protobuf for Python (Debian: python3-protobuf)")
    sys.exit(77)
sys.path.insert(0, sys.argv[2])
import all_types_pb2                                    # noqa: E402

All = all_types_pb2.All
ROUNDS = 400
converter = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def convert(source, target, data):
    """(status, bytes) of `data` from one encoding in another."""
    converter.stdin.write(b"%s %s %d\n" % (source.encode(), target.encode(), len(data)) + data)
    converter.stdin.flush()
    status, length = converter.stdout.readline().split()
    return status.decode(), converter.stdout.read(int(length))


def convert_ok(source, target, data):
    status, out = convert(source, target, data)
    assert status == "OK", (status, out, data[:200])
    return out


# Random messages ---------------------------------------------------------------------------------------------------

def number(rng, bits, signed):
    value = rng.choice([0, 1, rng.getrandbits(bits), (1 << bits) - 1, rng.getrandbits(7)])
    return value - (1 << bits) if signed and value >> (bits - 1) else value


def real(rng, form):
    value = rng.choice([0.0, 1.5, -1e-7, 1e20, math.inf, -math.inf, math.nan, None, None, None])
    if value is not None:
        return struct.unpack(form, struct.pack(form, value))[0]
    value = struct.unpack(form, rng.randbytes(struct.calcsize(form)))[0]
    return math.nan if math.isnan(value) else value


def text(rng):
    return "".join(rng.choice(["a", '"', "\\", "\n", "\x01", "\u00e9", "\u4e2d", "\U0001f600", "/", "</script>"])
                   for _ in range(rng.randrange(6)))


def scalar(rng, field):
    kind = field.type
    if kind in (field.TYPE_INT32, field.TYPE_SINT32, field.TYPE_SFIXED32):
        return number(rng, 32, True)
    if kind in (field.TYPE_UINT32, field.TYPE_FIXED32):
        return number(rng, 32, False)
    if kind in (field.TYPE_INT64, field.TYPE_SINT64, field.TYPE_SFIXED64):
        return number(rng, 64, True)
    if kind in (field.TYPE_UINT64, field.TYPE_FIXED64):
        return number(rng, 64, False)
    if kind == field.TYPE_FLOAT:
        return real(rng, "<f")
    if kind == field.TYPE_DOUBLE:
        return real(rng, "<d")
    if kind == field.TYPE_BOOL:
        return rng.random() < 0.5
    if kind == field.TYPE_ENUM:
        return rng.choice([0, 1, -7, 99])
    if kind == field.TYPE_STRING:
        return text(rng)
    return rng.randbytes(rng.randrange(6))


def is_map(field):
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def fill_map(rng, field, target, depth):
    key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    for _ in range(rng.randrange(3)):
        if value.message_type:
            fill(rng, target[scalar(rng, key)], depth + 1)
        else:
            target[scalar(rng, key)] = scalar(rng, value)


def fill(rng, message, depth=0):
    for field in message.DESCRIPTOR.fields:
        if rng.random() < (0.6 if depth == 0 else 0.85):
            continue
        target = getattr(message, field.name)
        if field.name == "anything":
            if depth < 3:
                inner = All()
                fill(rng, inner, depth + 2)
                target.Pack(inner)
        elif is_map(field):
            fill_map(rng, field, target, depth)
        elif field.label == field.LABEL_REPEATED:
            for _ in range(rng.randrange(4)):
                if field.message_type:
                    fill(rng, target.add(), depth + 1)
                else:
                    target.append(scalar(rng, field))
        elif field.message_type:
            if depth < 4:
                target.SetInParent()
                fill(rng, target, depth + 1)
        else:
            setattr(message, field.name, scalar(rng, field))


def canonical(message):
    """Its bytes, where what Anys hold is encoded in one way, too: of the same message there are several."""
    def settle(part):
        for field, value in part.ListFields():
            if is_map(field):
                values = value.values() if field.message_type.fields_by_name["value"].message_type else ()
            elif field.message_type:
                values = value if field.label == field.LABEL_REPEATED else [value]
            else:
                values = ()
            for inner in values:
                settle(inner)
        if part.DESCRIPTOR == All.DESCRIPTOR and part.HasField("anything"):
            held = All.FromString(part.anything.value)
            settle(held)
            part.anything.value = held.SerializeToString(deterministic=True)
    copy = All.FromString(message.SerializeToString())
    settle(copy)
    return copy.SerializeToString(deterministic=True)


def same(a, b):
    """Equal, where NaN equals NaN."""
    return canonical(a) == canonical(b)


def check_message(message):
    data = message.SerializeToString()
    assert same(All.FromString(convert_ok("proto", "proto", data)), message)
    assert same(json_format.Parse(convert_ok("proto", "json", data), All()), message)
    for options in ({}, {"preserving_proto_field_name": True}, {"use_integers_for_enums": True, "indent": None}):
        written = json_format.MessageToJson(message, **options).encode()
        assert same(All.FromString(convert_ok("json", "proto", written)), message), written


def check_random():
    seed = int(os.environ.get("BERTD_SEED", 20))
    print("seed", seed)
    rng = random.Random(seed)
    filled = 0
    for _ in range(ROUNDS):
        message = All()
        fill(rng, message)
        filled += bool(message.ByteSize())
        check_message(message)
    assert filled > ROUNDS / 2


# Cases ---------------------------------------------------------------------------------------------------------------

GOOD_JSON = [
    (b"", All()),
    (b"{}", All()),
    (b' {"unknown": [1, {"a": null}], "aString": "x"} ', All(a_string="x")),
    (b'{"a_string": null, "manyInt32": null, "aMessage": null}', All()),
    (b'{"anInt32": "-12", "aUint64": "18446744073709551615", "anInt64": -9223372036854775808}',
     All(an_int32=-12, a_uint64=2**64 - 1, an_int64=-2**63)),
    (b'{"anInt32": 1.0, "aUint32": 1e5, "aFloat": 1, "aDouble": "2.5"}',
     All(an_int32=1, a_uint32=100000, a_float=1, a_double=2.5)),
    (b'{"aDouble": 123456789012345678901234567890, "anInt32": 5}', All(a_double=123456789012345678901234567890.0, an_int32=5)),
    (b'{"aColour": "COLOUR_BLUE", "manyColours": [1, "COLOUR_NONE", 5]}', All(a_colour=-7, many_colours=[1, 0, 5])),
    (b'{"someBytes": "-_-_", "manyBytes": ["+/+/", "YQ", "YQ==", ""]}',
     All(some_bytes=b"\xfb\xff\xbf", many_bytes=[b"\xfb\xff\xbf", b"a", b"a", b""])),
    (b'{"byBool": {"true": {"anInt32": 3}}, "byNumber": {"-5": "x"}}',
     All(by_bool={True: All(an_int32=3)}, by_number={-5: "x"})),
    (b'{"maybe": 0}', All(maybe=0)),
    (b'{"name2With3Digits": "x"}', All(name2_with3_digits="x")),
    (b'{"aString": "\\ud83d\\ude00"}', All(a_string="\U0001f600")),
]

BAD_JSON = [
    b"{", b"[]", b"1", b'{"a": 1,}', b"{} x", b'{"aString": 1}', b'{"aString": "\xff"}', b'{"aString": "\\ud800"}',
    b'{"aBool": "true"}', b'{"aBool": 1}', b'{"anInt32": 2147483648}', b'{"anInt32": 1.5}', b'{"anInt32": "1 "}',
    b'{"anInt32": " 1"}', b'{"anInt32": ""}', b'{"anInt32": "0x1"}', b'{"aUint32": -1}', b'{"aUint32": "-1"}',
    b'{"aUint64": "18446744073709551616"}', b'{"anInt64": 9223372036854775808}', b'{"aFloat": 1e39}',
    b'{"aFloat": "x"}', b'{"aFloat": "1e999"}', b'{"aDouble": true}', b'{"aColour": "COLOUR_GREEN"}',
    b'{"someBytes": "a"}', b'{"someBytes": "a b="}', b'{"someBytes": [1]}', b'{"manyInt32": 1}', b'{"manyInt32": [null]}',
    b'{"aMessage": []}', b'{"firstChoice": 1, "secondChoice": "x"}', b'{"byName": []}', b'{"byBool": {"maybe": {}}}',
    b'{"byNumber": {"x": "y"}}', b'{"anInt32": 1, "anInt32": 2}',
    b'{"anything": {"@type": "type.googleapis.com/no.Such"}}', b'{"anything": {"anInt32": 1}}', b'{"anything": 1}',
    b'{"aMessage":' * 101 + b"{}" + b"}" * 101, b'[' * 5000,
]

GOOD_PROTO = [
    (b"\x08\x01\x08\x02", All(an_int32=2)),                       # the last one counts
    (b"\xa8\x01\x01\xaa\x01\x02\x02\x03", All(many_int32=[1, 2, 3])),  # packed and not
    (b"\xc8\x02\x05\xd2\x02\x01x", All(second_choice="x")),      # the last of a oneof
    (All(many_float=[-0.0]).SerializeToString(), All(many_float=[-0.0])),  # protobuf-c leaves it out where it is alone
]

BAD_PROTO = [
    b"\x08", b"\x00\x01", b"\x7a\x05ab", b"\x7a\x01\xff", b"\x7a\x02\xc0\x80", b"\x0b\x0c", b"\x0f", b"\x7a" + b"\xff" * 10,
    b"\x8a\x01\x02\x7a\x05", b"\x8a\x01\x03\x7a\x01\xff", b"\xff" * 11, b"\x05\x01",
    b"\x78\x01",                                                   # a number where a string should be
]


def nested(depth):
    data = b""
    for _ in range(depth):
        length = len(data)
        prefix = b""
        while length > 127:
            prefix += bytes([length & 127 | 128])
            length >>= 7
        data = b"\x8a\x01" + prefix + bytes([length]) + data
    return data


def check_cases():
    for data, message in GOOD_JSON:
        assert same(All.FromString(convert_ok("json", "proto", data)), message), data
    for data, message in GOOD_PROTO:
        assert same(All.FromString(convert_ok("proto", "proto", data)), message), data
    assert convert_ok("proto", "json", b"\xc2\x3e\x01x") == b"{}"    # a field that nobody knows
    for source, cases in (("json", BAD_JSON), ("proto", BAD_PROTO + [nested(100)])):
        for data in cases:
            status, words = convert(source, "proto", data)
            assert status == "MALFORMED" and words.startswith(b"JSON: " if source == "json" else b"protobuf: "), \
                (status, words, data[:80])
            words.decode()
    convert_ok("proto", "proto", nested(99))
    convert_ok("json", "proto", b'{"aMessage":' * 99 + b"{}" + b"}" * 99)


check_random()
check_cases()
converter.stdin.close()
assert converter.wait() == 0
print("all as it should be")
