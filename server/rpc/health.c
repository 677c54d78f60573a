/* grpc.health.v1.Health: whether requests are served. */
#include "health.pb-c.h"

#include <string.h>

#include "server/rpc/descriptors.h"
#include "server/rpc/services.h"
#include "server/serve/serve.h"

typedef Grpc__Health__V1__HealthCheckResponse Response;
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus Serving;
#define SERVING         GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

static Serving serving(struct serve_server *server)
{
    return serve_server_check(server, NULL) == STATUS_OK ? SERVING : NOT_SERVING;
}

/* Services of other models than bertd's never serve. */
static bool never_serves(const char *service)
{
    return strcmp(service, "tei.v1.Predict") == 0 || strcmp(service, "tei.v1.Rerank") == 0;
}

struct search {
    const char *service;
    bool found;
};

static bool is_other(void *cookie, const char *name)
{
    struct search *search = cookie;
    search->found = strcmp(search->service, name) == 0;
    return !search->found;
}

/* "" is the whole server. */
static bool is_known(const char *service)
{
    struct search search = {service, *service == '\0'};
    if (!search.found)
        rpc_descriptors_services(is_other, &search);
    return search.found;
}

static enum serve_progress start_check(struct serve_call *call, const ProtobufCMessage *message)
{
    const char *service = ((const Grpc__Health__V1__HealthCheckRequest *)message)->service;
    if (!is_known(service)) {
        serve_call_fail(call, STATUS_NOT_FOUND, "there is no service %.100s", service);
        return SERVE_DONE;
    }
    Response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = never_serves(service) ? NOT_SERVING : serving(call->server);
    rpc_calls_reply(call, &response.base);
    return SERVE_DONE;
}

const struct rpc_action rpc_health_check = {.start = start_check, .immediate = true};

/* List --------------------------------------------------------------------------------------------------------------*/

enum { MAX_SERVICES = 32 };

struct list {
    struct serve_call *call;
    Response serving, not_serving;
    Grpc__Health__V1__HealthListResponse__StatusesEntry entries[MAX_SERVICES];
    Grpc__Health__V1__HealthListResponse__StatusesEntry *pointers[MAX_SERVICES];
    size_t n;
};

static bool add(void *cookie, const char *name)
{
    struct list *list = cookie;
    Grpc__Health__V1__HealthListResponse__StatusesEntry *entry = &list->entries[list->n];
    grpc__health__v1__health_list_response__statuses_entry__init(entry);
    entry->key = arena_copy(list->call->arena, name, strlen(name));
    if (!entry->key)
        serve_call_fail(list->call, STATUS_NO_MEMORY, "no memory for the response");
    entry->value = never_serves(name) ? &list->not_serving : &list->serving;
    list->pointers[list->n++] = entry;
    return entry->key && list->n < MAX_SERVICES;
}

static enum serve_progress start_list(struct serve_call *call, const ProtobufCMessage *message)
{
    (void)message;
    struct list list = {.call = call};
    grpc__health__v1__health_check_response__init(&list.serving);
    grpc__health__v1__health_check_response__init(&list.not_serving);
    list.serving.status = serving(call->server);
    list.not_serving.status = NOT_SERVING;
    if (add(&list, ""))
        rpc_descriptors_services(add, &list);
    Grpc__Health__V1__HealthListResponse response = GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__INIT;
    response.statuses = list.pointers;
    response.n_statuses = list.n;
    if (call->status == STATUS_OK)
        rpc_calls_reply(call, &response.base);
    return SERVE_DONE;
}

const struct rpc_action rpc_health_list = {.start = start_list, .immediate = true};

/* Watch -------------------------------------------------------------------------------------------------------------*/

static int current(const struct rpc_watching *watching)
{
    return watching->fixed ? watching->fixed : (int)serving(rpc_server_of(watching->stream));
}

static enum status begin(struct rpc_watching *watching, const ProtobufCMessage *message, struct error *err)
{
    (void)err;
    const char *service = ((const Grpc__Health__V1__HealthCheckRequest *)message)->service;
    if (!is_known(service))
        watching->fixed = SERVICE_UNKNOWN;
    else if (never_serves(service))
        watching->fixed = NOT_SERVING;
    return STATUS_OK;
}

static bool has_changed(const struct rpc_watching *watching)
{
    return current(watching) != watching->told;
}

static enum status write_status(struct rpc_watching *watching, struct buf *out, struct error *err)
{
    (void)err;
    Response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = (Serving)current(watching);
    watching->told = (int)response.status;
    rpc_encode(out, rpc_codec_of(watching->stream), &response.base);
    return STATUS_OK;
}

const struct rpc_watch_action rpc_health_watch = {
    .begin = begin, .is_due = has_changed, .write = write_status, .tells_end = true};
