/* bertctl completion: what shells complete, and the manual page, out of the tables of options. */
#include <stdio.h>
#include <string.h>

#include "clients/c/bertd.h"
#include "clients/cli/manual.h"
#include "clients/cli/options.h"
#include "clients/cli/terminal.h"

/* bash ---------------------------------------------------------------------------------------------------------- */

static void print_names(const struct cli_command *command)
{
    const struct cli_option *rows;
    size_t n;
    printf("--help");
    for (size_t group = 0; (rows = cli_options_group(command, group, &n)) != NULL; group++)
        for (size_t i = 0; i < n; i++)
            printf(" --%s", rows[i].name);
}

static void print_words(const char *choices)
{
    for (; *choices; choices++)
        putchar(*choices == '|' ? ' ' : *choices);
}

static void print_pattern(const struct cli_command *command, const struct cli_option *option)
{
    printf("        %s:--%s", command->name, option->name);
    if (option->letter)
        printf("|%s:-%c", command->name, option->letter);
    printf(") ");
}

static void print_values(const struct cli_command *command)
{
    const struct cli_option *rows;
    size_t n;
    for (size_t group = 0; (rows = cli_options_group(command, group, &n)) != NULL; group++) {
        for (size_t i = 0; i < n; i++) {
            if (rows[i].kind == CLI_FLAG)
                continue;
            print_pattern(command, &rows[i]);
            if (rows[i].kind == CLI_CHOICE) {
                printf("COMPREPLY=($(compgen -W '");
                print_words(rows[i].value);
                printf("' -- \"$word\")); return ;;\n");
            } else {
                printf("%s return ;;\n", rows[i].kind == CLI_NAME ? "COMPREPLY=($(compgen -f -- \"$word\"));" : "");
            }
        }
    }
}

static void print_bash(const struct cli_command *const *commands, size_t n)
{
    printf("# bash completion of bertctl: source it, or put it into a folder of bash-completion.\n"
           "_bertctl() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}\n"
           "    COMPREPLY=()\n"
           "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
           "        COMPREPLY=($(compgen -W '--help --version");
    for (size_t i = 0; i < n; i++)
        printf(" %s", commands[i]->name);
    printf("' -- \"$word\")); return\n    fi\n    case $command:$before in\n");
    for (size_t i = 0; i < n; i++)
        print_values(commands[i]);
    printf("    esac\n    case $command:$word in\n");
    for (size_t i = 0; i < n; i++) {
        printf("        %s:-*) COMPREPLY=($(compgen -W '", commands[i]->name);
        print_names(commands[i]);
        printf("' -- \"$word\")) ;;\n");
    }
    printf("        completion:*) COMPREPLY=($(compgen -W 'bash zsh man' -- \"$word\")) ;;\n"
           "        *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
           "    esac\n}\ncomplete -o filenames -F _bertctl bertctl\n");
}

/* zsh ----------------------------------------------------------------------------------------------------------- */

/* In single quotes, and in the brackets of _arguments. */
static void print_quoted(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            printf("'\\''");
        else if (strchr("[]:\\", *text))
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void print_zsh_option(const struct cli_option *option)
{
    char names[2][64];
    size_t n = 0;
    snprintf(names[n++], sizeof names[0], "--%s", option->name);
    if (option->letter)
        snprintf(names[n++], sizeof names[0], "-%c", option->letter);
    for (size_t i = 0; i < n; i++) {
        printf(" \\\n            '%s%s[", option->kind == CLI_TEXTS ? "*" : "", names[i]);
        print_quoted(option->help);
        printf("]");
        if (option->kind == CLI_CHOICE) {
            printf(":value:(");
            print_words(option->value);
            printf(")");
        } else if (option->kind == CLI_NAME) {
            printf(":file:_files");
        } else if (option->kind != CLI_FLAG) {
            printf(":%s:", option->value);
        }
        printf("'");
    }
}

static void print_zsh(const struct cli_command *const *commands, size_t n)
{
    size_t n_rows;
    printf("#compdef bertctl\n# zsh completion of bertctl: put it as _bertctl into a folder of $fpath.\n"
           "_bertctl() {\n    if (( CURRENT == 2 )); then\n        local -a commands\n        commands=(");
    for (size_t i = 0; i < n; i++) {
        printf("\n            '%s:", commands[i]->name);
        print_quoted(commands[i]->summary);
        printf("'");
    }
    printf("\n        )\n        _describe command commands\n        return\n    fi\n"
           "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $command in\n");
    for (size_t i = 0; i < n; i++) {
        const struct cli_option *rows;
        printf("    %s)\n        _arguments -s '--help[Tell more]'", commands[i]->name);
        for (size_t group = 0; (rows = cli_options_group(commands[i], group, &n_rows)) != NULL; group++)
            for (size_t j = 0; j < n_rows; j++)
                print_zsh_option(&rows[j]);
        printf(" \\\n            '*:argument:%s' ;;\n",
               commands[i] == &cli_command_completion ? "(bash zsh man)" : "_files");
    }
    printf("    esac\n}\n_bertctl \"$@\"\n");
}

static int run(const void *settings, const struct cli_line *line)
{
    (void)settings;
    const char *kind = line->arguments[0];
    if (strcmp(kind, "bash") == 0)
        print_bash(line->commands, line->n_commands);
    else if (strcmp(kind, "zsh") == 0)
        print_zsh(line->commands, line->n_commands);
    else if (strcmp(kind, "man") == 0)
        cli_manual_print(line->commands, line->n_commands);
    else {
        cli_say("completion knows bash, zsh and man, not '%s'", kind);
        return CLI_USAGE;
    }
    return CLI_OK;
}

const struct cli_command cli_command_completion = {
    .name = "completion",
    .arguments = "bash|zsh|man",
    .summary = "Completion for a shell, or the manual page",
    .about = "Prints the completion script for bash or zsh, or the manual page in roff:\n\n"
             "    source <(bertctl completion bash)",
    .run = run,
    .least_arguments = 1,
    .most_arguments = 1,
};
