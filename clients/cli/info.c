/* bertctl info: what a server serves. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clients/cli/connection.h"
#include "clients/cli/plain.h"
#include "clients/cli/terminal.h"

static const char *const kinds[] = {"unknown", "bertd", "text-embeddings-inference", "OpenAI's routes"};
static const char *const short_kinds[] = {"unknown", "bertd", "tei", "openai"};

static unsigned kind_of(const struct bertd_info *info)
{
    return (unsigned)info->server < sizeof kinds / sizeof *kinds ? (unsigned)info->server : 0;
}

static void show_json(const struct bertd_info *info)
{
    json_t *root = json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:b}", "server", short_kinds[kind_of(info)],
        "endpoint", cli_plain_json(info->endpoint), "version", cli_plain_json(info->version), "model_id",
        cli_plain_json(info->model_id), "served_model_name", cli_plain_json(info->served_model_name), "model_dtype",
        cli_plain_json(info->model_dtype), "pooling", cli_plain_json(info->pooling), "max_input_length",
        (json_int_t)info->max_input_length, "max_batch_tokens", (json_int_t)info->max_batch_tokens,
        "max_concurrent_requests", (json_int_t)info->max_concurrent_requests, "max_client_batch_size",
        (json_int_t)info->max_client_batch_size, "boards", (json_int_t)info->boards, "auto_truncate",
        info->auto_truncate);
    json_t *answer = json_loadb(info->json, info->json_length, 0, NULL);
    json_object_set_new(root, "answer", answer ? answer : json_null());
    json_dumpf(root, stdout, 0);
    printf("\n");
    json_decref(root);
}

static void show_text(const char *name, const char *value)
{
    if (!*value)
        return;
    printf("%-16s ", name);
    cli_plain_print(value, strlen(value));
    printf("\n");
}

static void show_count(const char *name, uint32_t value, const char *unit)
{
    char text[32];
    if (value > 0)
        printf("%-16s %s%s\n", name, cli_count(text, value), unit);
}

static int run(const void *settings, const struct cli_line *line)
{
    (void)settings;
    struct bertd_client *client = NULL;
    struct bertd_info *info = NULL;
    struct bertd_error error = {0};
    int code = cli_connect(&line->connection, &client);
    if (code >= 0)
        return code;
    struct bertd_call_options call = cli_call_options(&line->connection);
    if (bertd_get_info(client, &call, &info, &error) != BERTD_OK) {
        code = cli_failed(NULL, &error);
    } else if (line->common.json) {
        show_json(info);
        code = CLI_OK;
    } else {
        printf("%-16s %s\n", "server", kinds[kind_of(info)]);
        show_text("version", info->version);
        show_text("at", info->endpoint);
        show_text("model", info->model_id);
        show_text("served as", info->served_model_name);
        show_text("arithmetic", info->model_dtype);
        show_text("pooling", info->pooling);
        show_count("boards", info->boards, "");
        show_count("longest text", info->max_input_length, info->auto_truncate ? " tokens, then cut" : " tokens");
        show_count("texts a request", info->max_client_batch_size, " at most");
        show_count("requests at once", info->max_concurrent_requests, " at most");
        show_count("batch", info->max_batch_tokens, " tokens at most");
        code = CLI_OK;
    }
    bertd_free(info);
    bertd_client_destroy(&client);
    return code;
}

const struct cli_command cli_command_info = {
    .name = "info",
    .arguments = "",
    .summary = "The model and the limits of a server",
    .about = "Shows what answers at the server's address, its model and its limits. What the server does not tell is "
             "left out, and with --json empty or 0; there, answer has all that the server said.",
    .run = run,
    .connects = true,
};
