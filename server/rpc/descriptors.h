/* What the schemas say of the services, as protoc wrote it into the program: files are
 * google.protobuf.FileDescriptorProto messages, encoded. Private to the room. */
#ifndef BERTD_RPC_DESCRIPTORS_H
#define BERTD_RPC_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

/** An encoded file. Static. */
struct rpc_file {
    const char *bytes; /* [len] */
    size_t len;
};

/** The file at a place that one of the functions below gave. */
struct rpc_file rpc_descriptors_at(size_t index);
/** The place of the file with this name ("tei.proto"), or in which a message, enum, service, method, field or value is
 *  declared ("tei.v1.Embed.EmbedStream"). False: there is none. */
bool rpc_descriptors_find_file(const char *name, size_t len, size_t *ret_index);
bool rpc_descriptors_find_symbol(const char *symbol, size_t *ret_index);
/** Called with each file that this one imports itself. */
void rpc_descriptors_imports(size_t index, void (*each)(void *cookie, size_t index), void *cookie);
/** Called with each service's full name, until it returns false. */
void rpc_descriptors_services(bool (*each)(void *cookie, const char *name), void *cookie);

#endif
