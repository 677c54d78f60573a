#include "clients/cli/manual.h"

#include <stdbool.h>
#include <stdio.h>

#include "clients/c/bertd.h"
#include "clients/cli/options.h"

/* Text in roff: hyphens stay hyphens, and no line begins with a request. */
static void print_roff(const char *text)
{
    for (bool fresh = true; *text; fresh = *text++ == '\n') {
        if (fresh && (*text == '.' || *text == '\''))
            printf("\\&");
        if (text[0] == '\n' && text[1] == '\n') {
            printf("\n.PP");
            text++;
        }
        if (*text == '-' || *text == '\\')
            printf(*text == '-' ? "\\-" : "\\e");
        else
            putchar(*text);
    }
    printf("\n");
}

static void print_option(const struct cli_option *option)
{
    printf(".TP\n");
    if (option->letter)
        printf("\\fB\\-%c\\fR, ", option->letter);
    printf("\\fB\\-\\-");
    for (const char *c = option->name; *c; c++)
        printf(*c == '-' ? "\\-" : "%c", *c);
    printf("\\fR");
    if (option->value)
        printf(" \\fI%s\\fR", option->value);
    printf("\n");
    print_roff(option->help);
}

static void print_options(const struct cli_option *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        print_option(&rows[i]);
}

static const char ends[] =
    ".SH EXIT STATUS\n"
    ".TP\n0\nDone.\n"
    ".TP\n1\nThe server failed, or its answer is none.\n"
    ".TP\n2\nThe command line is wrong; nothing was done.\n"
    ".TP\n3\nNo server within reach, or it does not serve at present.\n"
    ".TP\n4\nThe server refuses: the request or its key is wrong.\n"
    ".TP\n5\nToo much to do, or not done in time: it may work later.\n"
    ".TP\n6\nA file cannot be read or written, or is not what it should be.\n"
    ".TP\n7\nA checksum differs.\n"
    ".TP\n130\nInterrupted by SIGINT or SIGTERM. A job of embed can be resumed.\n"
    ".SH ENVIRONMENT\n"
    ".TP\nBERTD_URL\nWhere the server is, without \\-\\-url.\n"
    ".TP\nBERTD_API_KEY\nThe API key, without \\-\\-api\\-key\\-file.\n"
    ".TP\nhttp_proxy, https_proxy, no_proxy\nProxies, without \\-\\-proxy.\n"
    ".TP\nNO_COLOR\nNo colours where it is not empty, unless \\-\\-colour says otherwise.\n"
    ".TP\nHF_ENDPOINT, HF_TOKEN, HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME\n"
    "The hub, its key, and the cache of pull, as other tools have them.\n"
    ".SH FILES\n"
    ".TP\nOUTPUT.part, OUTPUT.bertctl\nWhat an interrupted job of embed has written, and how far that is certain.\n";

void cli_manual_print(const struct cli_command *const *commands, size_t n)
{
    printf(".TH BERTCTL 1 \"\" \"bertctl %s\" \"User Commands\"\n.SH NAME\n"
           "bertctl \\- the command line of bertd\n.SH SYNOPSIS\n"
           "\\fBbertctl\\fR \\fICOMMAND\\fR [\\fIoption\\fR ..] [\\fIargument\\fR ..]\n.SH DESCRIPTION\n"
           "The command line of bertd, an inference server for text embeddings. It also talks to\n"
           "text\\-embeddings\\-inference and to servers with OpenAI's routes.\n"
           "Progress and colours are for terminals: piped, there are none.\n.SH COMMANDS\n",
           bertd_version());
    for (size_t i = 0; i < n; i++) {
        printf(".SS bertctl %s %s\n", commands[i]->name, commands[i]->arguments);
        print_roff(commands[i]->about);
        print_options(commands[i]->options, commands[i]->n_options);
    }
    printf(".SH OPTIONS\n.SS Of all commands\n");
    print_options(cli_common_options, cli_common_options_n);
    printf(".SS Of commands that ask a server: ");
    for (size_t i = 0, shown = 0; i < n; i++) {
        if (commands[i]->connects)
            printf("%s%s", shown++ ? ", " : "", commands[i]->name);
    }
    printf("\n");
    print_options(cli_connection_options, cli_connection_options_n);
    printf("%s", ends);
}
