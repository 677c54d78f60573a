/* Messages of all_types.proto from one encoding to another, for test_codec.py.
 *
 * Reads "FROM TO LENGTH\n" and the bytes, writes "STATUS LENGTH\n" and the bytes or the error's words, until the end.
 * FROM and TO are proto or json.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "all_types.pb-c.h"
#include "server/rpc/codec.h"

static enum rpc_codec codec_of(const char *name)
{
    return strcmp(name, "json") == 0 ? RPC_JSON : RPC_PROTO;
}

static void convert(enum rpc_codec from, enum rpc_codec to, const char *bytes, size_t len)
{
    struct arena *arena = arena_create(1 << 28);
    struct error err = {0};
    struct buf out = {0};
    ProtobufCMessage *message = NULL;
    enum status status = rpc_decode(&message, from, &test__v1__all__descriptor, bytes, len, arena, &err);
    if (status == STATUS_OK)
        rpc_encode(&out, to, message);
    else
        buf_puts(&out, err.message);
    printf("%s %zu\n", status_name(status), out.len);
    fwrite(out.data, 1, out.len, stdout);
    fflush(stdout);
    buf_finish(&out);
    arena_destroy(&arena);
}

int main(void)
{
    static const ProtobufCMessageDescriptor *const types[] = {&test__v1__all__descriptor};
    char from[8], to[8];
    size_t len;
    rpc_codec_set_types(types, 1);
    while (scanf("%7s %7s %zu", from, to, &len) == 3 && getchar() == '\n') {
        char *bytes = malloc(len + 1);
        if (!bytes || fread(bytes, 1, len, stdin) != len)
            return 1;
        convert(codec_of(from), codec_of(to), bytes, len);
        free(bytes);
    }
    return 0;
}
