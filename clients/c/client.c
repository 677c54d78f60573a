#include "clients/c/client.h"

#include <curl/curl.h>
#include <string.h>

#include "clients/c/error.h"
#include "clients/c/options.h"
#include "clients/c/queue.h"

enum { LONGEST_ADDRESS = 1024 };

static enum bertd_status refuse(const char *address, struct bertd_error *err)
{
    return bertd_fail(err, BERTD_INVALID,
                      "endpoint '%.100s' is no address: write http://host:port, https://host:port "
                      "or unix:/path/of/socket",
                      address);
}

/* The address without a password in it: scheme, and what is behind the last @ of the host's part. */
static char *without_password(const struct bertd_memory *memory, const char *address)
{
    char *shown = bertd_memory_copy(memory, address);
    char *host = shown ? strstr(shown, "://") : NULL;
    if (!host)
        return shown;
    host += 3;
    char *at = NULL;
    for (char *c = host; *c && *c != '/'; c++)
        at = *c == '@' ? c : at;
    if (at)
        memmove(host, at + 1, strlen(at + 1) + 1);
    return shown;
}

static enum bertd_status make_endpoint(struct bertd_client *client, struct bertd_endpoint *endpoint,
                                       const char *address, struct bertd_error *err)
{
    size_t len = address ? strnlen(address, LONGEST_ADDRESS) : 0;
    const struct bertd_memory *memory = &client->memory;
    if (len == 0 || len == LONGEST_ADDRESS)
        return bertd_fail(err, BERTD_INVALID, "an endpoint's address is empty or longer than %d bytes",
                          LONGEST_ADDRESS - 1);
    bool local = strncmp(address, "unix:", 5) == 0;
    if (local ? address[5] != '/' : strncmp(address, "http://", 7) != 0 && strncmp(address, "https://", 8) != 0)
        return refuse(address, err);
    for (size_t i = 0; i < len; i++)
        if (!local && ((unsigned char)address[i] <= ' ' || address[i] == '?' || address[i] == '#'))
            return refuse(address, err);
    endpoint->shown = without_password(memory, address);
    endpoint->base = bertd_memory_copy(memory, local ? "http://localhost" : address);
    endpoint->socket = local ? bertd_memory_copy(memory, address + 5) : NULL;
    if (!endpoint->shown || !endpoint->base || (local && !endpoint->socket))
        return bertd_fail_memory(err);
    size_t end = strlen(endpoint->base);
    while (end > 0 && endpoint->base[end - 1] == '/')
        endpoint->base[--end] = '\0';
    endpoint->openai = end > 3 && strcmp(endpoint->base + end - 3, "/v1") == 0;
    if (endpoint->openai && client->options.model)
        endpoint->known = (struct bertd_knowledge){.server = BERTD_SERVER_OPENAI, .model = client->options.model};
    return BERTD_OK;
}

/* The texts of options that the client keeps. */
static const size_t texts[] = {offsetof(struct bertd_options, api_key),   offsetof(struct bertd_options, model),
                               offsetof(struct bertd_options, proxy),     offsetof(struct bertd_options, ca_file),
                               offsetof(struct bertd_options, cert_file), offsetof(struct bertd_options, key_file)};

static char **text_of(struct bertd_options *options, size_t i)
{
    return (char **)(void *)((char *)options + texts[i]);
}

static enum bertd_status copy_texts(struct bertd_client *client, const struct bertd_options *options,
                                    struct bertd_error *err)
{
    struct bertd_options given = *options;
    bool fine = true;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *text = *text_of(&given, i);
        char *copy = text ? bertd_memory_copy(&client->memory, text) : NULL;
        *text_of(&client->options, i) = copy;
        fine = fine && (!text || copy);
    }
    return fine ? BERTD_OK : bertd_fail_memory(err);
}

static enum bertd_status fill(struct bertd_client *client, const struct bertd_options *options, struct bertd_error *err)
{
    enum bertd_status status = copy_texts(client, options, err);
    if (status != BERTD_OK)
        return status;
    client->options.endpoints = NULL;
    client->random = bertd_client_now_ms() ^ (uint64_t)(uintptr_t)client;
    client->endpoints = bertd_memory_new(&client->memory, options->n_endpoints, sizeof *client->endpoints);
    if (!client->endpoints)
        return bertd_fail_memory(err);
    client->n_endpoints = options->n_endpoints;
    for (size_t i = 0; i < client->n_endpoints && status == BERTD_OK; i++)
        status = make_endpoint(client, &client->endpoints[i], options->endpoints[i], err);
    if (status != BERTD_OK)
        return status;
    client->curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return client->curl ? BERTD_OK : bertd_fail(err, BERTD_SYSTEM, "libcurl could not be set up: is there memory?");
}

enum bertd_status bertd_client_create(struct bertd_client **ret, const struct bertd_options *options,
                                      struct bertd_error *err)
{
    struct bertd_options read;
    enum bertd_status status = bertd_options_read(&read, options, err);
    if (status != BERTD_OK)
        return status;
    struct bertd_memory memory = bertd_memory_default();
    if (read.allocate)
        memory = (struct bertd_memory){read.allocate, read.reallocate, read.release, read.memory_cookie};
    struct bertd_client *client = bertd_memory_new(&memory, 1, sizeof *client);
    if (!client)
        return bertd_fail_memory(err);
    client->memory = memory;
    client->options = read;
    pthread_mutex_init(&client->lock, NULL);
    status = fill(client, &read, err);
    if (status == BERTD_OK)
        *ret = client;
    else
        bertd_client_destroy(&client);
    return status;
}

void bertd_client_destroy(struct bertd_client **client)
{
    struct bertd_client *gone = *client;
    *client = NULL;
    if (!gone)
        return;
    while (gone->idle) {
        struct bertd_queue *queue = gone->idle;
        gone->idle = queue->next;
        bertd_queue_destroy(&queue);
    }
    for (size_t i = 0; i < gone->n_endpoints; i++) {
        struct bertd_endpoint *endpoint = &gone->endpoints[i];
        bertd_memory_free(&gone->memory, endpoint->shown);
        bertd_memory_free(&gone->memory, endpoint->base);
        bertd_memory_free(&gone->memory, endpoint->socket);
        bertd_free(endpoint->info);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        bertd_memory_free(&gone->memory, *text_of(&gone->options, i));
    if (gone->curl)
        curl_global_cleanup();
    pthread_mutex_destroy(&gone->lock);
    struct bertd_memory memory = gone->memory;
    bertd_memory_free(&memory, gone->endpoints);
    bertd_memory_free(&memory, gone);
}
