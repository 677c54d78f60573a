/* bertctl tokenize: the tokens of texts. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/cli/connection.h"
#include "clients/cli/plain.h"
#include "clients/cli/reader.h"
#include "clients/cli/terminal.h"

#define AT_ONCE 64

struct settings {
    const char *input;
    bool ids;
    bool count;
    const char *prompt_name;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct cli_option options[] = {
    {"input", 'i', CLI_NAME, "FILE", "Where texts come from, a line each; -: standard input", FIELD(input), 0, 0},
    {"ids", 0, CLI_FLAG, NULL, "A line of ids for each text", FIELD(ids), 0, 0},
    {"count", 0, CLI_FLAG, NULL, "How many tokens each text has", FIELD(count), 0, 0},
    {"prompt-name", 0, CLI_TEXT, "NAME", "One of the model's prompts, put before each text", FIELD(prompt_name), 0, 0},
};

static json_t *json_of(const struct bertd_token *token)
{
    json_t *text = json_stringn(token->text, token->length);
    json_t *root =
        json_pack("{s:I, s:o?, s:b}", "id", (json_int_t)token->id, "text", text, "special", (int)token->special);
    json_object_set_new(root, "start", token->special ? json_null() : json_integer((json_int_t)token->begin));
    json_object_set_new(root, "stop", token->special ? json_null() : json_integer((json_int_t)token->end));
    return root;
}

static void show_json(const struct bertd_token *tokens, size_t n)
{
    json_t *root = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(root, json_of(&tokens[i]));
    json_dumpf(root, stdout, 0);
    printf("\n");
    json_decref(root);
}

static void show_table(const struct bertd_token *tokens, size_t n, bool colour)
{
    for (size_t i = 0; i < n; i++) {
        const char *begin = colour && tokens[i].special ? "\033[2m" : "";
        printf("%s%8u  ", begin, tokens[i].id);
        if (tokens[i].special)
            printf("%13s  ", "");
        else
            printf("%6zu-%-6zu  ", tokens[i].begin, tokens[i].end);
        cli_plain_print(tokens[i].text, tokens[i].length);
        printf("%s\n", *begin ? "\033[m" : "");
    }
}

static void show(const struct settings *settings, const struct cli_line *line, const struct bertd_tokens *found)
{
    bool colour = cli_coloured(&line->common, STDOUT_FILENO);
    for (size_t i = 0; i < found->texts; i++) {
        const struct bertd_token *tokens = found->tokens + found->begin[i];
        size_t n = found->begin[i + 1] - found->begin[i];
        if (settings->count)
            printf("%zu\n", n);
        else if (settings->ids)
            for (size_t j = 0; j < n; j++)
                printf("%u%c", tokens[j].id, j + 1 < n ? ' ' : '\n');
        else if (line->common.json)
            show_json(tokens, n);
        else
            show_table(tokens, n, colour);
        if (!settings->count && !settings->ids && !line->common.json && i + 1 < found->texts)
            printf("\n");
    }
}

/* Texts may hold NUL. NULL, having said why. */
static char *copy_of(const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    if (copy)
        memcpy(copy, text, length);
    else
        cli_say("no memory");
    return copy;
}

static int run_on(const struct settings *settings, const struct cli_line *line, struct bertd_client *client,
                  struct cli_reader *reader)
{
    struct bertd_call_options call = cli_call_options(&line->connection);
    struct bertd_error error = {0};
    call.prompt_name = settings->prompt_name;
    int code = CLI_OK, found = 1;
    while (code == CLI_OK && found == 1) {
        char *texts[AT_ONCE];
        size_t lengths[AT_ONCE], n = 0;
        const char *text;
        bool memory = true;
        while (memory && n < AT_ONCE && (n == 0 || cli_reader_ready(reader)) &&
               (found = cli_reader_next(reader, &text, &lengths[n])) == 1) {
            texts[n] = copy_of(text, lengths[n]);
            memory = texts[n] != NULL;
            n += memory;
        }
        struct bertd_tokens *tokens = NULL;
        if (found < 0 || !memory)
            code = memory ? CLI_FILE : CLI_FAILED;
        else if (n > 0 &&
                 bertd_tokenize(client, (const char *const *)texts, lengths, n, &call, &tokens, &error) != BERTD_OK)
            code = cli_failed(NULL, &error);
        if (tokens)
            show(settings, line, tokens);
        bertd_free(tokens);
        while (n > 0)
            free(texts[--n]);
    }
    return code;
}

static int run(const void *settings_, const struct cli_line *line)
{
    const struct settings *settings = settings_;
    if (line->n_arguments == 0 && !settings->input && isatty(STDIN_FILENO)) {
        cli_say("no texts: give them as arguments, by --input FILE, or on standard input");
        return CLI_USAGE;
    }
    struct cli_reader_settings from = {.path = settings->input ? settings->input : "-",
                                       .arguments = line->n_arguments > 0 ? line->arguments : NULL,
                                       .n_arguments = line->n_arguments,
                                       .form = CLI_FORM_LINES};
    struct bertd_client *client = NULL;
    int code = cli_connect(&line->connection, &client);
    if (code >= 0)
        return code;
    struct cli_reader *reader = cli_reader_open(&from);
    code = reader ? run_on(settings, line, client, reader) : CLI_FILE;
    cli_reader_close(reader);
    bertd_client_destroy(&client);
    return code;
}

const struct cli_command cli_command_tokenize = {
    .name = "tokenize",
    .arguments = "[TEXT ..]",
    .summary = "The tokens of texts",
    .about =
        "Shows the tokens of texts: id, place in the text in bytes, and the text of each. Special tokens, which "
        "the model's template adds, have no place. Texts are the arguments or lines. With --json an array for each "
        "text, a line each.",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(struct settings),
    .run = run,
    .most_arguments = SIZE_MAX,
    .connects = true,
};
