#include <stdio.h>
#include <string.h>

#include "server/config/table.h"

enum { INDENT = 6, WIDTH = 100 };

static void write_wrapped(struct buf *out, const char *text)
{
    size_t column = WIDTH + 1; /* before the first line */
    while (*text) {
        size_t len = strcspn(text, " ");
        if (column + 1 + len > WIDTH) {
            buf_printf(out, "%s%*s", column > WIDTH ? "" : "\n", INDENT, "");
            column = INDENT;
        } else {
            buf_puts(out, " ");
            column++;
        }
        buf_append(out, text, len);
        column += len;
        text += len + strspn(text + len, " ");
    }
}

static void write_default(struct buf *out, const struct option_row *row)
{
    char word[64];
    switch (row->kind) {
    case OPTION_STRING:
        if (row->text)
            buf_printf(out, "default %s; ", row->text);
        break;
    case OPTION_COUNT:
        if (row->number == CONFIG_NONE)
            buf_printf(out, "default none, from %llu to %llu; ", (unsigned long long)row->least,
                       (unsigned long long)row->most);
        else
            buf_printf(out, "default %llu, from %llu to %llu; ", (unsigned long long)row->number,
                       (unsigned long long)row->least, (unsigned long long)row->most);
        break;
    case OPTION_FLAG:
        buf_printf(out, "default %s; ", row->number ? "true" : "false");
        break;
    case OPTION_CHOICE:
        buf_printf(out, "default %s; ", config_choice(row->value, (int)row->number, word, sizeof word));
        break;
    case OPTION_BOARDS:
        buf_puts(out, "default auto; ");
        break;
    case OPTION_GROUP:
        break;
    }
    buf_printf(out, "environment %s]\n", row->environment);
}

static void write_row(struct buf *out, const struct option_row *row)
{
    if (row->kind == OPTION_GROUP) {
        buf_printf(out, "\n%s\n", row->flag);
        return;
    }
    buf_printf(out, "  --%s %s%s%s\n", row->flag, row->kind == OPTION_FLAG ? "[" : "", row->value,
               row->kind == OPTION_FLAG ? "]" : "");
    write_wrapped(out, row->help);
    buf_printf(out, "\n%*s[", INDENT, "");
    write_default(out, row);
}

void config_write_help(struct buf *out)
{
    buf_puts(out, "bertd " CONFIG_VERSION ": text embeddings from BERT models on a pool of boards\n\n"
                  "usage: bertd --model-id DIR [option...]\n\n"
                  "Serves REST, gRPC, gRPC-Web and Connect on one port, in HTTP/1.1 and HTTP/2. A first request:\n\n"
                  "  curl 127.0.0.1:3000/embed -H 'Content-Type: application/json' -d '{\"inputs\": \"Hello\"}'\n\n"
                  "Pages for browsers: http://127.0.0.1:3000/dashboard and /docs\n");
    for (size_t i = 0; i < config_n_rows; i++)
        write_row(out, &config_rows[i]);
    buf_puts(
        out,
        "\nOther\n"
        "  --check\n"
        "      Ask the running server at --hostname and --port for its health; exit 0 if it is well, else 1.\n"
        "      With --tls-cert it asks in TLS; with --admin-port it asks there.\n"
        "  --help, -h\n"
        "  --version, -V\n"
        "\nThe command line goes before the environment. --name=value and --name value are the same; a flag\n"
        "takes true or false, and --no-FLAG turns it off. An empty variable counts as not given, but for keys\n"
        "and TLS.\n"
        "\nVariables that are no options\n"
        "  OTEL_EXPORTER_OTLP_ENDPOINT  send spans to this collector (OTLP/HTTP); docs/operating.md has the others\n"
        "  BERTD_CPU_MASK               newest instructions to use: c (none), or a set that docs/operating.md names\n"
        "  BERTD_XRT_LOG                a file for the words of XRT, which opens cards; docs/cards.md\n"
        "\nOptions of text-embeddings-inference that bertd does not have\n");
    for (size_t i = 0; i < config_n_absent_rows; i++) {
        const struct absent_row *row = &config_absent_rows[i];
        buf_printf(out, "  --%-22s %s: %s\n", row->flag, row->reaction == ABSENT_REFUSE ? "refused" : "no effect",
                   row->reason);
    }
}

const char *config_choice(const char *choices, int index, char *word, size_t size)
{
    for (; index > 0 && *choices; index--) {
        choices += strcspn(choices, "|");
        choices += *choices == '|';
    }
    snprintf(word, size, "%.*s", (int)strcspn(choices, "|"), choices);
    return word;
}
