#include "server/http/server.h"

#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/http/transport.h"

static void sweep(void *cookie)
{
    struct http_server *server = cookie;
    struct http_transport *transport = atomic_load(&server->transport);
    if (transport)
        http_connections_sweep(&transport->connections);
}

static enum status start_threads(struct http_server *server, int listen_fd, struct error *err)
{
    enum status status = http_pool_init(&server->pool, server->options.workers, err);
    if (status != STATUS_OK)
        return status;
    status = http_watch_init(&server->watch, server->options.batch, sweep, server, err);
    if (status != STATUS_OK)
        goto end_pool;
    struct http_transport *transport = NULL;
    status = http_transport_create(&transport, server, listen_fd, err);
    if (status != STATUS_OK)
        goto end_watch;
    atomic_store(&server->transport, transport);
    return STATUS_OK;

end_watch:
    http_watch_finish(&server->watch);
end_pool:
    http_pool_finish(&server->pool);
    return status;
}

enum status http_server_create(struct http_server **ret, const struct http_options *options, int listen_fd,
                               struct error *err)
{
    struct http_server *server = mem_calloc(1, sizeof *server);
    if (!server)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the server");
    server->options = *options;
    if (getrandom(&server->seed, sizeof server->seed, 0) != sizeof server->seed)
        server->seed = clock_now_ns();
    enum status status = http_prompts_load(&server->prompts, options->model_dir, options->default_prompt,
                                           options->default_prompt_name, err);
    if (status == STATUS_OK)
        status = http_telemetry_init(server, err);
    if (status == STATUS_OK)
        status = start_threads(server, listen_fd, err);
    if (status != STATUS_OK) {
        batch_set_on_dispatch(options->batch, NULL, NULL);
        http_prompts_finish(&server->prompts);
        mem_free(server);
        return status;
    }
    *ret = server;
    return STATUS_OK;
}

void http_server_drain(struct http_server *server)
{
    atomic_store(&server->draining, true);
}

void http_server_close(struct http_server *server, bool cancel)
{
    atomic_store(&server->draining, true);
    atomic_store(&server->closing, true);
    http_transport_quiesce(atomic_load(&server->transport));
    if (cancel)
        http_watch_give_up(&server->watch);
}

uint32_t http_server_active(struct http_server *server)
{
    return atomic_load(&server->open);
}

void http_server_destroy(struct http_server **server)
{
    if (!*server)
        return;
    http_server_close(*server, true);
    while (atomic_load(&(*server)->away) > 0) /* their results come, all of them, now that they are cancelled */
        usleep(1000);
    batch_set_on_dispatch((*server)->options.batch, NULL, NULL);
    struct http_transport *transport = atomic_load(&(*server)->transport);
    atomic_store(&(*server)->transport, NULL);
    http_watch_finish(&(*server)->watch);
    http_transport_destroy(&transport);
    http_pool_finish(&(*server)->pool);
    http_prompts_finish(&(*server)->prompts);
    mem_free(*server);
    *server = NULL;
}
