#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/c/bertd.h"
#include "clients/cli/cli.h"
#include "clients/cli/options.h"
#include "clients/cli/terminal.h"

static const struct cli_command *const commands[] = {
    &cli_command_embed, &cli_command_similar, &cli_command_tokenize, &cli_command_status,
    &cli_command_bench, &cli_command_pull,    &cli_command_info,     &cli_command_completion,
};

static void print_help(void)
{
    printf("usage: bertctl COMMAND [option ..] [argument ..]\n\n"
           "The command line of bertd, an inference server for text embeddings. It also\n"
           "talks to text-embeddings-inference and to servers with OpenAI's routes.\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        printf("  %-11s %s\n", commands[i]->name, commands[i]->summary);
    printf("\nbertctl COMMAND --help tells more; man bertctl tells all.\n\n"
           "Exit codes:\n"
           "  0  done                          5  overloaded or too late: may work later\n"
           "  1  the server failed             6  a file is wrong or cannot be used\n"
           "  2  the command line is wrong     7  a checksum differs\n"
           "  3  no server within reach      130  interrupted\n"
           "  4  the server refuses\n");
}

static int run_command(const struct cli_command *command, int argc, char **argv)
{
    void *settings = calloc(1, command->settings_size + 1);
    struct cli_line line = {.commands = commands,
                            .n_commands = sizeof commands / sizeof *commands,
                            .connection = {.timeout = 60, .retries = 4}};
    if (!settings) {
        cli_say("no memory");
        return CLI_FAILED;
    }
    if (command->defaults)
        command->defaults(settings, &line);
    int code = cli_options_read(command, argc, argv, settings, &line);
    if (code < 0)
        code = command->run(settings, &line);
    free(settings);
    if (fflush(stdout) != 0 && code == CLI_OK) {
        cli_say("standard output cannot be written");
        code = CLI_FILE;
    }
    return code;
}

int cli_run(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a reader that leaves is an error of writing */
    if (argc < 2) {
        cli_say("which command? bertctl --help lists them");
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help();
        return fflush(stdout) == 0 ? CLI_OK : CLI_FILE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("bertctl %s\n", bertd_version());
        return fflush(stdout) == 0 ? CLI_OK : CLI_FILE;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i]->name) == 0)
            return run_command(commands[i], argc - 2, argv + 2);
    }
    cli_say("there is no command '%s'; bertctl --help lists them", argv[1]);
    return CLI_USAGE;
}
