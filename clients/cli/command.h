/* What a subcommand is. The tables of options make the parser, --help, the completions and the manual page. */
#ifndef CLIENTS_CLI_COMMAND_H
#define CLIENTS_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How bertctl ends. The numbers are documented and stay. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,       /**< the server failed, or its answer is none */
    CLI_USAGE = 2,        /**< the command line is wrong; nothing was done */
    CLI_UNREACHABLE = 3,  /**< no connection, or nobody serves there */
    CLI_REFUSED = 4,      /**< the server refuses: the request or its key is wrong */
    CLI_LATER = 5,        /**< too much to do, or not done in time: it may work later */
    CLI_FILE = 6,         /**< a file cannot be read or written, or is not what it should be */
    CLI_DIFFERS = 7,      /**< a checksum does not match */
    CLI_INTERRUPTED = 130 /**< by SIGINT or SIGTERM; a job can be resumed */
};

enum cli_option_kind {
    CLI_FLAG,   /**< into a bool */
    CLI_TEXT,   /**< into a const char * */
    CLI_NAME,   /**< the same: a file, which shells complete */
    CLI_TEXTS,  /**< may be given several times; into a struct cli_texts */
    CLI_NUMBER, /**< into a double */
    CLI_CHOICE  /**< one of `value`, joined by '|'; into an unsigned, counted from 0 */
};

#define CLI_TEXTS_MAX 64

struct cli_texts {
    const char *items[CLI_TEXTS_MAX];
    size_t n;
};

struct cli_option {
    const char *name;
    char letter; /**< 0: none */
    enum cli_option_kind kind;
    const char *value; /**< the word for it in --help; NULL: a flag */
    const char *help;
    size_t offset; /**< into the settings */
    double least;  /**< of a number */
    double most;   /**< of a number */
};

/** What all commands take. */
struct cli_common {
    bool json;
    bool quiet;
    unsigned colour; /**< 0: on a terminal, 1: always, 2: never */
};

/** How to reach a server: what commands take that ask one. */
struct cli_connection {
    struct cli_texts urls;
    const char *api_key_file;
    const char *model;
    const char *proxy;
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
    bool insecure;
    double timeout; /**< seconds */
    double retries;
    unsigned priority;
};

struct cli_command;

/** A parsed command line. Texts are borrowed from argv. */
struct cli_line {
    const struct cli_command *const *commands; /**< [n_commands] all there are, in the order of --help */
    size_t n_commands;
    struct cli_common common;
    struct cli_connection connection;
    const char *const *arguments;
    size_t n_arguments;
};

struct cli_command {
    const char *name;
    const char *arguments; /**< for the line of usage */
    const char *summary;   /**< one line */
    const char *about;     /**< paragraphs for --help and the manual page, with an empty line between */
    const struct cli_option *options;
    size_t n_options;
    size_t settings_size;                                    /**< of what `options` fill */
    void (*defaults)(void *settings, struct cli_line *line); /**< NULL: all 0 */
    int (*run)(const void *settings, const struct cli_line *line);
    size_t least_arguments;
    size_t most_arguments;
    bool connects; /**< takes the options of struct cli_connection */
};

extern const struct cli_command cli_command_embed;
extern const struct cli_command cli_command_similar;
extern const struct cli_command cli_command_tokenize;
extern const struct cli_command cli_command_status;
extern const struct cli_command cli_command_bench;
extern const struct cli_command cli_command_pull;
extern const struct cli_command cli_command_info;
extern const struct cli_command cli_command_completion;

/** The options that every command takes. Static. */
extern const struct cli_option cli_common_options[];
extern const size_t cli_common_options_n;

/** The options of commands that connect. Static. */
extern const struct cli_option cli_connection_options[];
extern const size_t cli_connection_options_n;

#endif
