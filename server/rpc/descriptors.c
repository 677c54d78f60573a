#include "server/rpc/descriptors.h"

#include <stdio.h>
#include <string.h>

#include "server/rpc/wire.h"

/* A FileDescriptorSet. */
__asm__(".pushsection .rodata\n"
        ".globl rpc_descriptors_set\n"
        ".hidden rpc_descriptors_set\n"
        "rpc_descriptors_set:\n"
        ".incbin \"" RPC_DESCRIPTORS "\"\n"
        ".globl rpc_descriptors_set_end\n"
        ".hidden rpc_descriptors_set_end\n"
        "rpc_descriptors_set_end:\n"
        ".byte 0\n"
        ".popsection\n");
extern const char rpc_descriptors_set[], rpc_descriptors_set_end[];

/* Numbers of fields, by descriptor.proto. */
enum { NAME = 1 };                                          /* of every descriptor */
enum { PACKAGE = 2, DEPENDENCY = 3, SERVICE = 6 };          /* of a file */
enum scope { FILE_SCOPE, MESSAGE_SCOPE, LIST_SCOPE, LEAF }; /* LIST: of an enum or a service */

static struct rpc_wire open_set(void)
{
    struct rpc_wire wire;
    rpc_wire_init(&wire, rpc_descriptors_set, (size_t)(rpc_descriptors_set_end - rpc_descriptors_set));
    return wire;
}

/* The next file of the set. False: there is none. */
static bool next_file(struct rpc_wire *set, struct rpc_file *ret)
{
    struct rpc_wire_field field;
    if (!rpc_wire_next(set, &field))
        return false;
    *ret = (struct rpc_file){field.bytes, field.len};
    return true;
}

struct rpc_file rpc_descriptors_at(size_t index)
{
    struct rpc_wire set = open_set();
    struct rpc_file file = {0};
    for (size_t i = 0; i <= index; i++)
        next_file(&set, &file);
    return file;
}

/* The first field of this number; a string without bytes where there is none. */
static struct rpc_file get(struct rpc_file message, uint32_t number)
{
    struct rpc_wire wire;
    struct rpc_wire_field field;
    rpc_wire_init(&wire, message.bytes, message.len);
    while (rpc_wire_next(&wire, &field))
        if (field.number == number && field.bytes)
            return (struct rpc_file){field.bytes, field.len};
    return (struct rpc_file){"", 0};
}

bool rpc_descriptors_find_file(const char *name, size_t len, size_t *ret_index)
{
    struct rpc_wire set = open_set();
    struct rpc_file file;
    for (size_t i = 0; next_file(&set, &file); i++) {
        struct rpc_file own = get(file, NAME);
        if (own.len == len && memcmp(own.bytes, name, len) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

/* What the field of a scope holds; false: nothing with a name. */
static bool enter(enum scope scope, uint32_t number, enum scope *ret)
{
    static const enum scope of_file[8] = {[4] = MESSAGE_SCOPE, [5] = LIST_SCOPE, [6] = LIST_SCOPE};
    static const enum scope of_message[9] = {[2] = LEAF, [3] = MESSAGE_SCOPE, [4] = LIST_SCOPE, [8] = LEAF};
    if (scope == FILE_SCOPE && number < 8)
        *ret = of_file[number];
    else if (scope == MESSAGE_SCOPE && number < 9)
        *ret = of_message[number];
    else if (scope == LIST_SCOPE && number == 2)
        *ret = LEAF;
    else
        return false;
    return *ret != FILE_SCOPE;
}

/* Whether `symbol`, relative to the scope, is declared in it. */
static bool declares(struct rpc_file message, enum scope scope, const char *symbol)
{
    struct rpc_wire wire;
    struct rpc_wire_field field;
    enum scope inner;
    rpc_wire_init(&wire, message.bytes, message.len);
    while (rpc_wire_next(&wire, &field)) {
        if (!field.bytes || !enter(scope, field.number, &inner))
            continue;
        struct rpc_file part = {field.bytes, field.len}, name = get(part, NAME);
        if (strncmp(symbol, name.bytes, name.len) != 0)
            continue;
        const char *rest = symbol + name.len;
        if (*rest == '\0' || (*rest == '.' && declares(part, inner, rest + 1)))
            return true;
    }
    return false;
}

bool rpc_descriptors_find_symbol(const char *symbol, size_t *ret_index)
{
    struct rpc_wire set = open_set();
    struct rpc_file file;
    for (size_t i = 0; next_file(&set, &file); i++) {
        struct rpc_file package = get(file, PACKAGE);
        if (strncmp(symbol, package.bytes, package.len) == 0 && symbol[package.len] == '.' &&
            declares(file, FILE_SCOPE, symbol + package.len + 1)) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

void rpc_descriptors_imports(size_t index, void (*each)(void *cookie, size_t index), void *cookie)
{
    struct rpc_file file = rpc_descriptors_at(index);
    struct rpc_wire wire;
    struct rpc_wire_field field;
    size_t imported;
    rpc_wire_init(&wire, file.bytes, file.len);
    while (rpc_wire_next(&wire, &field))
        if (field.number == DEPENDENCY && rpc_descriptors_find_file(field.bytes, field.len, &imported))
            each(cookie, imported);
}

void rpc_descriptors_services(bool (*each)(void *cookie, const char *name), void *cookie)
{
    struct rpc_wire set = open_set();
    struct rpc_file file;
    char full[128];
    while (next_file(&set, &file)) {
        struct rpc_file package = get(file, PACKAGE);
        struct rpc_wire wire;
        struct rpc_wire_field field;
        rpc_wire_init(&wire, file.bytes, file.len);
        while (rpc_wire_next(&wire, &field)) {
            if (field.number != SERVICE)
                continue;
            struct rpc_file name = get((struct rpc_file){field.bytes, field.len}, NAME);
            snprintf(full, sizeof full, "%.*s.%.*s", (int)package.len, package.bytes, (int)name.len, name.bytes);
            if (!each(cookie, full))
                return;
        }
    }
}
