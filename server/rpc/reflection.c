/* grpc.reflection.v1 and v1alpha: the services and their messages, for clients such as grpcurl. */
#include "reflection.pb-c.h"

#include <stdio.h>
#include <string.h>

#include "server/rpc/descriptors.h"
#include "server/rpc/services.h"
#include "server/rpc/status.h"

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;
#define ANSWER(part) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##part
#define ASKED(part)  GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##part

enum { MAX_FILES = 16, MAX_SERVICES = 32 };

/* A response and what it points to. */
struct answer {
    struct serve_call *call;
    Response response;
    char words[256];
    Grpc__Reflection__V1__ErrorResponse error;
    Grpc__Reflection__V1__FileDescriptorResponse files;
    ProtobufCBinaryData file[MAX_FILES];
    size_t indexes[MAX_FILES];
    Grpc__Reflection__V1__ListServiceResponse list;
    Grpc__Reflection__V1__ServiceResponse service[MAX_SERVICES];
    Grpc__Reflection__V1__ServiceResponse *services[MAX_SERVICES];
};

static void fail(struct answer *answer, int code, const char *what, const char *name)
{
    snprintf(answer->words, sizeof answer->words, "%s%.150s", what, name);
    grpc__reflection__v1__error_response__init(&answer->error);
    answer->error.error_code = code;
    answer->error.error_message = answer->words;
    answer->response.message_response_case = ANSWER(ERROR_RESPONSE);
    answer->response.error_response = &answer->error;
}

static void add_file(void *cookie, size_t index)
{
    struct answer *answer = cookie;
    size_t n = answer->files.n_file_descriptor_proto;
    for (size_t i = 0; i < n; i++)
        if (answer->indexes[i] == index)
            return;
    if (n == MAX_FILES)
        return; /* the client asks for it again by its name */
    struct rpc_file file = rpc_descriptors_at(index);
    answer->indexes[n] = index;
    answer->file[n] = (ProtobufCBinaryData){file.len, (uint8_t *)(uintptr_t)file.bytes};
    answer->files.n_file_descriptor_proto++;
}

/* The file and all that it imports, itself or by others. */
static void answer_file(struct answer *answer, size_t index)
{
    grpc__reflection__v1__file_descriptor_response__init(&answer->files);
    answer->files.file_descriptor_proto = answer->file;
    add_file(answer, index);
    for (size_t i = 0; i < answer->files.n_file_descriptor_proto; i++)
        rpc_descriptors_imports(answer->indexes[i], add_file, answer);
    answer->response.message_response_case = ANSWER(FILE_DESCRIPTOR_RESPONSE);
    answer->response.file_descriptor_response = &answer->files;
}

static bool add_service(void *cookie, const char *name)
{
    struct answer *answer = cookie;
    size_t n = answer->list.n_service;
    grpc__reflection__v1__service_response__init(&answer->service[n]);
    answer->service[n].name = arena_copy(answer->call->arena, name, strlen(name));
    answer->services[n] = &answer->service[n];
    answer->list.n_service += answer->service[n].name != NULL;
    return answer->list.n_service < MAX_SERVICES;
}

static void answer_services(struct answer *answer)
{
    grpc__reflection__v1__list_service_response__init(&answer->list);
    answer->list.service = answer->services;
    rpc_descriptors_services(add_service, answer);
    answer->response.message_response_case = ANSWER(LIST_SERVICES_RESPONSE);
    answer->response.list_services_response = &answer->list;
}

static void respond(struct answer *answer, const Request *request)
{
    size_t index = 0;
    switch (request->message_request_case) {
    case ASKED(FILE_BY_FILENAME):
        if (rpc_descriptors_find_file(request->file_by_filename, strlen(request->file_by_filename), &index))
            answer_file(answer, index);
        else
            fail(answer, RPC_NOT_FOUND, "there is no file ", request->file_by_filename);
        break;
    case ASKED(FILE_CONTAINING_SYMBOL):
        if (rpc_descriptors_find_symbol(request->file_containing_symbol, &index))
            answer_file(answer, index);
        else
            fail(answer, RPC_NOT_FOUND, "there is no symbol ", request->file_containing_symbol);
        break;
    case ASKED(FILE_CONTAINING_EXTENSION):
        fail(answer, RPC_NOT_FOUND, "there are no extensions of ", request->file_containing_extension->containing_type);
        break;
    case ASKED(ALL_EXTENSION_NUMBERS_OF_TYPE):
        fail(answer, RPC_NOT_FOUND, "there are no extensions of ", request->all_extension_numbers_of_type);
        break;
    case ASKED(LIST_SERVICES):
        answer_services(answer);
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST__NOT_SET:
    default:
        fail(answer, RPC_INVALID_ARGUMENT, "nothing is asked for", "");
        break;
    }
}

static enum serve_progress start(struct serve_call *call, const ProtobufCMessage *message)
{
    Request *request = (Request *)(uintptr_t)message;
    struct answer *answer = arena_alloc(call->arena, sizeof *answer);
    if (!answer) {
        serve_call_fail(call, STATUS_NO_MEMORY, "no memory for the response");
        return SERVE_DONE;
    }
    answer->call = call;
    grpc__reflection__v1__server_reflection_response__init(&answer->response);
    answer->response.valid_host = request->host;
    answer->response.original_request = request;
    respond(answer, request);
    rpc_calls_reply(call, &answer->response.base);
    return SERVE_DONE;
}

const struct rpc_action rpc_reflection = {.start = start, .immediate = true};
