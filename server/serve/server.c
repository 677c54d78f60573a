#include "server/serve/server.h"

#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"

static enum status start_threads(struct serve_server *server, struct error *err)
{
    enum status status = serve_pool_init(&server->pool, server->options.workers, err);
    if (status != STATUS_OK)
        return status;
    status = serve_watch_init(&server->watch, err);
    if (status != STATUS_OK)
        serve_pool_finish(&server->pool);
    return status;
}

static enum status start_access(struct serve_server *server, struct error *err)
{
    enum status status = serve_access_init(server, err);
    if (status != STATUS_OK)
        return status;
    status = serve_access_load(server, server->options.api_key, server->options.api_keys_file, err);
    if (status != STATUS_OK)
        serve_access_finish(&server->access);
    return status;
}

static enum status make_cache(struct serve_server *server, struct error *err)
{
    const struct serve_options *options = &server->options;
    if (options->cache_bytes == 0)
        return STATUS_OK;
    enum status status =
        serve_cache_create(&server->cache, options->cache_bytes, options->width, options->max_input_length, err);
    return status == STATUS_OK ? serve_share_init(&server->share, server->cache, options->width, err) : status;
}

static void free_server(struct serve_server *server)
{
    batch_set_on_dispatch(server->options.batch, NULL, NULL);
    serve_share_finish(&server->share);
    serve_cache_destroy(&server->cache);
    serve_prompts_finish(&server->prompts);
    mem_free(server);
}

enum status serve_server_create(struct serve_server **ret, const struct serve_options *options, struct error *err)
{
    struct serve_server *server = mem_calloc(1, sizeof *server);
    if (!server)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the server");
    server->options = *options;
    if (getrandom(&server->seed, sizeof server->seed, 0) != sizeof server->seed)
        server->seed = clock_now_ns();
    enum status status = serve_prompts_load(&server->prompts, options->model_dir, options->default_prompt,
                                            options->default_prompt_name, err);
    if (status == STATUS_OK)
        status = make_cache(server, err);
    if (status == STATUS_OK)
        status = serve_telemetry_init(server, err);
    if (status == STATUS_OK)
        status = start_access(server, err);
    if (status == STATUS_OK) {
        status = start_threads(server, err);
        if (status != STATUS_OK)
            serve_access_finish(&server->access);
    }
    if (status != STATUS_OK) {
        free_server(server);
        return status;
    }
    *ret = server;
    return STATUS_OK;
}

void serve_server_drain(struct serve_server *server)
{
    atomic_store(&server->draining, true);
}

void serve_server_close(struct serve_server *server, bool cancel)
{
    atomic_store(&server->draining, true);
    atomic_store(&server->closing, true);
    if (cancel)
        serve_watch_give_up(&server->watch);
}

void serve_server_destroy(struct serve_server **ref)
{
    struct serve_server *server = *ref;
    *ref = NULL;
    if (!server)
        return;
    serve_watch_finish(&server->watch);
    serve_pool_finish(&server->pool);
    serve_access_finish(&server->access);
    free_server(server);
}

const struct serve_options *serve_server_options(const struct serve_server *server)
{
    return &server->options;
}

enum status serve_server_check(struct serve_server *server, struct error *err)
{
    struct batch_stats stats;
    if (serve_server_is_draining(server))
        return error_set(err, STATUS_UNHEALTHY, "the server is shutting down");
    batch_get_stats(server->options.batch, &stats);
    if (stats.boards_ready == 0)
        return error_set(err, STATUS_UNHEALTHY, "no board is ready");
    return STATUS_OK;
}

bool serve_server_is_draining(const struct serve_server *server)
{
    return atomic_load(&server->draining);
}

enum status serve_server_reserve(struct serve_server *server, uint64_t bytes, struct error *err)
{
    uint64_t limit = server->options.max_memory;
    uint64_t before = atomic_fetch_add(&server->memory, bytes);
    if (bytes <= limit && before <= limit - bytes)
        return STATUS_OK;
    atomic_fetch_sub(&server->memory, bytes);
    return error_set(err, STATUS_OVERLOADED,
                     "the requests being worked on hold all of the %llu bytes of --max-request-memory: try again later",
                     (unsigned long long)limit);
}

void serve_server_release(struct serve_server *server, uint64_t bytes)
{
    atomic_fetch_sub(&server->memory, bytes);
}
