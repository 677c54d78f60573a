#include "clients/cli/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/cli/terminal.h"

#define COMMON(field)     offsetof(struct cli_common, field)
#define CONNECTION(field) offsetof(struct cli_connection, field)

const struct cli_option cli_common_options[] = {
    {"json", 0, CLI_FLAG, NULL, "Results as JSON on standard output, for programs", COMMON(json), 0, 0},
    {"quiet", 'q', CLI_FLAG, NULL, "No progress and no notes; errors are still told", COMMON(quiet), 0, 0},
    {"colour", 0, CLI_CHOICE, "auto|always|never", "Colours; auto: on a terminal, unless NO_COLOR is set",
     COMMON(colour), 0, 0},
};
const size_t cli_common_options_n = sizeof cli_common_options / sizeof *cli_common_options;

const struct cli_option cli_connection_options[] = {
    {"url", 'u', CLI_TEXTS, "URL",
     "Where the server is: http://HOST:PORT, https://.., unix:/PATH. Several of the same model: give it several times. "
     "Default: $BERTD_URL, else http://127.0.0.1:3000",
     CONNECTION(urls), 0, 0},
    {"api-key-file", 0, CLI_NAME, "FILE",
     "The API key is its first line. Default: $BERTD_API_KEY, else none. As an argument others would see it",
     CONNECTION(api_key_file), 0, 0},
    {"model", 0, CLI_TEXT, "NAME", "Model to ask for on servers with OpenAI's routes", CONNECTION(model), 0, 0},
    {"proxy", 0, CLI_TEXT, "URL", "Proxy; default: as http_proxy, https_proxy and no_proxy say", CONNECTION(proxy), 0,
     0},
    {"ca-file", 0, CLI_NAME, "FILE", "PEM of whom to trust; default: the system's", CONNECTION(ca_file), 0, 0},
    {"cert-file", 0, CLI_NAME, "FILE", "PEM of the client's certificate", CONNECTION(cert_file), 0, 0},
    {"key-file", 0, CLI_NAME, "FILE", "PEM of its key", CONNECTION(key_file), 0, 0},
    {"insecure", 0, CLI_FLAG, NULL, "Trust whoever answers; for tests", CONNECTION(insecure), 0, 0},
    {"timeout", 0, CLI_NUMBER, "SECONDS", "Limit for one call, its tries included", CONNECTION(timeout), 0.001, 86400},
    {"retries", 0, CLI_NUMBER, "N", "Further tries of a request that failed for a while", CONNECTION(retries), 0, 1000},
    {"priority", 0, CLI_CHOICE, "default|interactive|bulk", "What goes first where a server has too much to do",
     CONNECTION(priority), 0, 0},
};
const size_t cli_connection_options_n = sizeof cli_connection_options / sizeof *cli_connection_options;

const struct cli_option *cli_options_group(const struct cli_command *command, size_t group, size_t *ret_n)
{
    if (group == 0) {
        *ret_n = command->n_options;
        return command->n_options > 0 ? command->options : cli_common_options + cli_common_options_n;
    }
    if (group == 1) {
        *ret_n = command->connects ? cli_connection_options_n : 0;
        return cli_connection_options;
    }
    *ret_n = cli_common_options_n;
    return group == 2 ? cli_common_options : NULL;
}

/* Finding ------------------------------------------------------------------------------------------------------- */

struct place {
    const struct cli_option *option;
    char *field;
};

static struct place find(const struct cli_command *command, const char *name, size_t length, char letter,
                         void *settings, struct cli_line *line)
{
    void *into[] = {settings, &line->connection, &line->common};
    const struct cli_option *rows;
    size_t n;
    for (size_t group = 0; (rows = cli_options_group(command, group, &n)) != NULL; group++) {
        for (size_t i = 0; i < n; i++) {
            bool same = name ? strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0
                             : rows[i].letter == letter;
            if (same)
                return (struct place){&rows[i], (char *)into[group] + rows[i].offset};
        }
    }
    return (struct place){NULL, NULL};
}

/* Values -------------------------------------------------------------------------------------------------------- */

static bool read_number(const struct cli_option *option, const char *text, double *ret)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != 0 || !isfinite(value) || value < option->least || value > option->most)
        return false;
    *ret = value;
    return true;
}

static bool read_choice(const struct cli_option *option, const char *text, unsigned *ret)
{
    size_t length = strlen(text);
    unsigned index = 0;
    for (const char *word = option->value; word; index++) {
        size_t n = strcspn(word, "|");
        if (n == length && memcmp(word, text, n) == 0) {
            *ret = index;
            return true;
        }
        word = word[n] ? word + n + 1 : NULL;
    }
    return false;
}

static bool take(const struct place *place, const char *text)
{
    const struct cli_option *option = place->option;
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)place->field = true;
        return true;
    case CLI_TEXT:
    case CLI_NAME:
        *(const char **)place->field = text;
        return true;
    case CLI_TEXTS: {
        struct cli_texts *texts = (struct cli_texts *)place->field;
        if (texts->n == CLI_TEXTS_MAX)
            return false;
        texts->items[texts->n++] = text;
        return true;
    }
    case CLI_NUMBER:
        return read_number(option, text, (double *)place->field);
    case CLI_CHOICE:
        return read_choice(option, text, (unsigned *)place->field);
    }
    return false;
}

static int wrong_value(const struct cli_option *option, const char *text)
{
    if (option->kind == CLI_NUMBER)
        cli_say("--%s takes a number from %.15g to %.15g, not '%s'", option->name, option->least, option->most, text);
    else if (option->kind == CLI_CHOICE)
        cli_say("--%s takes one of %s, not '%s'", option->name, option->value, text);
    else
        cli_say("--%s is given more than %d times", option->name, CLI_TEXTS_MAX);
    return CLI_USAGE;
}

/* Lines --------------------------------------------------------------------------------------------------------- */

static int unknown(const struct cli_command *command, const char *word)
{
    cli_say("%s does not know %s; see bertctl %s --help", command->name, word, command->name);
    return CLI_USAGE;
}

/* One word that begins with '-': `*i` is moved past its value. */
static int read_word(const struct cli_command *command, int argc, char **argv, int *i, void *settings,
                     struct cli_line *line)
{
    const char *word = argv[*i];
    const char *value = NULL;
    struct place place;
    if (word[1] == '-') {
        size_t length = strcspn(word + 2, "=");
        place = find(command, word + 2, length, 0, settings, line);
        value = word[2 + length] ? word + 3 + length : NULL;
    } else {
        place = find(command, NULL, 0, word[1], settings, line);
        value = word[2] ? word + 2 : NULL;
    }
    if (!place.option)
        return unknown(command, word);
    if (place.option->kind == CLI_FLAG && value) {
        cli_say("--%s takes no value", place.option->name);
        return CLI_USAGE;
    }
    if (place.option->kind != CLI_FLAG && !value) {
        if (*i + 1 == argc) {
            cli_say("--%s needs a value: %s", place.option->name, place.option->value);
            return CLI_USAGE;
        }
        value = argv[++*i];
    }
    return take(&place, value) ? -1 : wrong_value(place.option, value);
}

int cli_options_read(const struct cli_command *command, int argc, char **argv, void *settings,
                     struct cli_line *ret_line)
{
    int kept = 0;
    bool only_arguments = false;
    for (int i = 0; i < argc; i++) {
        if (only_arguments || argv[i][0] != '-' || argv[i][1] == 0) {
            argv[kept++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            only_arguments = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            cli_options_help(command);
            return CLI_OK;
        } else {
            int code = read_word(command, argc, argv, &i, settings, ret_line);
            if (code >= 0)
                return code;
        }
    }
    ret_line->arguments = (const char *const *)argv;
    ret_line->n_arguments = (size_t)kept;
    if (ret_line->n_arguments < command->least_arguments || ret_line->n_arguments > command->most_arguments) {
        cli_say("usage: bertctl %s [option ..] %s; see bertctl %s --help", command->name, command->arguments,
                command->name);
        return CLI_USAGE;
    }
    return -1;
}

/* Help ---------------------------------------------------------------------------------------------------------- */

static void print_group(const char *title, const struct cli_option *rows, size_t n)
{
    if (n > 0)
        printf("\n%s:\n", title);
    for (size_t i = 0; i < n; i++) {
        char left[80];
        char letter[8] = "    ";
        if (rows[i].letter)
            snprintf(letter, sizeof letter, "-%c, ", rows[i].letter);
        int used = snprintf(left, sizeof left, "  %s--%s%s%s", letter, rows[i].name, rows[i].value ? " " : "",
                            rows[i].value ? rows[i].value : "");
        if (used < 27)
            printf("%-28s", left);
        else
            printf("%s\n%28s", left, "");
        cli_print_wrapped(rows[i].help, 28, 28, 79);
    }
}

void cli_options_help(const struct cli_command *command)
{
    static const char *const titles[] = {"Options", "Connection", "Of all commands"};
    char usage[400];
    snprintf(usage, sizeof usage, "usage: bertctl %s [option ..] %s", command->name, command->arguments);
    cli_print_wrapped(usage, 0, 7, 79);
    printf("\n");
    cli_print_wrapped(command->about, 0, 0, 79);
    const struct cli_option *rows;
    size_t n;
    for (size_t group = 0; (rows = cli_options_group(command, group, &n)) != NULL; group++)
        print_group(titles[group], rows, n);
}
