#include "clients/cli/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/cli/terminal.h"

#define KEY_MAX 4096

/* The first line of a file. False, having said why: there is none. */
static bool read_key(const char *path, char key[KEY_MAX])
{
    FILE *file = fopen(path, "re");
    if (!file)
        return cli_say_errno(path);
    bool read = fgets(key, KEY_MAX, file) != NULL;
    fclose(file);
    key[read ? strcspn(key, "\r\n") : 0] = 0;
    if (key[0] == 0)
        cli_say("%s: its first line should be the API key, and is empty", path);
    return key[0] != 0;
}

int cli_connect(const struct cli_connection *connection, struct bertd_client **ret)
{
    struct bertd_options options = bertd_options_default();
    struct bertd_error error = {0};
    char key[KEY_MAX];
    const char *urls[CLI_TEXTS_MAX];
    for (size_t i = 0; i < connection->urls.n; i++)
        urls[i] = connection->urls.items[i];
    const char *from_environment = getenv("BERTD_URL");
    options.n_endpoints = connection->urls.n;
    if (options.n_endpoints == 0 && from_environment && *from_environment)
        urls[options.n_endpoints++] = from_environment;
    options.endpoints = options.n_endpoints > 0 ? urls : NULL;
    if (connection->api_key_file) {
        if (!read_key(connection->api_key_file, key))
            return CLI_FILE;
        options.api_key = key;
    } else if (getenv("BERTD_API_KEY") && *getenv("BERTD_API_KEY")) {
        options.api_key = getenv("BERTD_API_KEY");
    }
    options.model = connection->model;
    options.proxy = connection->proxy;
    options.ca_file = connection->ca_file;
    options.cert_file = connection->cert_file;
    options.key_file = connection->key_file;
    options.insecure = connection->insecure;
    options.timeout_ms = (uint32_t)(connection->timeout * 1000);
    options.retries = connection->retries >= 1 ? (uint32_t)connection->retries : BERTD_NO_RETRIES;
    if (bertd_client_create(ret, &options, &error) == BERTD_OK)
        return -1;
    cli_failed(NULL, &error);
    return error.status == BERTD_INVALID ? CLI_USAGE : CLI_FAILED;
}

struct bertd_call_options cli_call_options(const struct cli_connection *connection)
{
    static const enum bertd_priority priorities[] = {BERTD_PRIORITY_DEFAULT, BERTD_PRIORITY_INTERACTIVE,
                                                     BERTD_PRIORITY_BULK};
    struct bertd_call_options options = bertd_call_options_default();
    options.priority = priorities[connection->priority];
    return options;
}

enum cli_exit cli_exit_of(enum bertd_status status)
{
    switch (status) {
    case BERTD_OK:
        return CLI_OK;
    case BERTD_INVALID:
        return CLI_USAGE;
    case BERTD_CANCELLED:
        return CLI_INTERRUPTED;
    case BERTD_CONNECT:
    case BERTD_TLS:
    case BERTD_LOST:
    case BERTD_UNAVAILABLE:
        return CLI_UNREACHABLE;
    case BERTD_UNAUTHENTICATED:
    case BERTD_REFUSED:
    case BERTD_UNSUPPORTED:
        return CLI_REFUSED;
    case BERTD_DEADLINE:
    case BERTD_OVERLOADED:
        return CLI_LATER;
    case BERTD_NO_MEMORY:
    case BERTD_PROTOCOL:
    case BERTD_SERVER:
    case BERTD_BUFFER:
    case BERTD_SYSTEM:
        break;
    }
    return CLI_FAILED;
}

int cli_failed(const char *what, const struct bertd_error *error)
{
    if (what)
        cli_say("%s: %s", what, error->message);
    else
        cli_say("%s", error->message);
    return (int)cli_exit_of(error->status);
}
