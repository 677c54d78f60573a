#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "server/config/key.h"
#include "server/config/suggest.h"
#include "server/config/table.h"

/* Where a value was given, for errors: "--port" or "PORT in the environment". */
struct origin {
    const char *prefix;
    const char *name;
    const char *suffix;
};

/* A word that another build would know, or that says too little. */
static const char *choice_hint(const char *value)
{
    if (strcmp(value, "xrt") == 0)
        return ": which card? xrt:0 is the first";
    return strcmp(value, "rtl-sim") == 0
               ? ": the simulated accelerator is in builds of the preset rtl (cmake --preset rtl)"
               : "";
}

static enum status refuse(struct error *err, struct origin origin, const struct option_row *row, const char *value)
{
    switch (row->kind) {
    case OPTION_COUNT:
        return error_set(err, STATUS_USAGE, "%s%s%s: \"%s\" is not a whole number from %llu to %llu", origin.prefix,
                         origin.name, origin.suffix, value, (unsigned long long)row->least,
                         (unsigned long long)row->most);
    case OPTION_FLAG:
        return error_set(err, STATUS_USAGE, "%s%s%s: \"%s\" is not true or false (--no-%s is false)", origin.prefix,
                         origin.name, origin.suffix, value, row->flag);
    case OPTION_CHOICE:
    case OPTION_BOARDS:
        return error_set(err, STATUS_USAGE, "%s%s%s: \"%s\" is not one of %s%s", origin.prefix, origin.name,
                         origin.suffix, value, row->value, choice_hint(value));
    case OPTION_STRING:
    case OPTION_GROUP:
        break;
    }
    return error_set(err, STATUS_USAGE, "%s%s%s: the value is empty", origin.prefix, origin.name, origin.suffix);
}

static bool parse_count(const struct option_row *row, const char *value, uint64_t *ret)
{
    if (*value < '0' || *value > '9')
        return false;
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (errno || *end || number < row->least || number > row->most)
        return false;
    *ret = number;
    return true;
}

static bool parse_flag(const char *value, bool *ret)
{
    bool yes = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    if (!yes && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
        return false;
    *ret = yes;
    return true;
}

static bool parse_choice(const struct option_row *row, const char *value, int *ret)
{
    int index = 0;
    size_t len = strlen(value);
    for (const char *choice = row->value; choice; index++) {
        size_t choice_len = strcspn(choice, "|");
        if (len == choice_len && memcmp(choice, value, len) == 0) {
            *ret = index;
            return true;
        }
        choice = choice[choice_len] ? choice + choice_len + 1 : NULL;
    }
    return false;
}

static enum status set_value(struct config *config, const struct option_row *row, const char *value,
                             struct origin origin, struct error *err)
{
    void *field = (char *)config + row->offset;
    bool ok = false;
    switch (row->kind) {
    case OPTION_STRING:
        ok = *value != '\0';
        if (ok)
            *(const char **)field = value;
        break;
    case OPTION_COUNT:
        ok = parse_count(row, value, field);
        break;
    case OPTION_FLAG:
        ok = parse_flag(value, field);
        break;
    case OPTION_BOARDS:
        ok = config_add_boards(field, value, !*origin.prefix);
        break;
    case OPTION_CHOICE:
        ok = parse_choice(row, value, field);
        break;
    case OPTION_GROUP:
        break;
    }
    return ok ? STATUS_OK : refuse(err, origin, row, value);
}

static void set_defaults(struct config *config)
{
    for (size_t i = 0; i < config_n_rows; i++) {
        const struct option_row *row = &config_rows[i];
        void *field = (char *)config + row->offset;
        if (row->kind == OPTION_STRING)
            *(const char **)field = row->text;
        else if (row->kind == OPTION_COUNT)
            *(uint64_t *)field = row->number;
        else if (row->kind == OPTION_FLAG)
            *(bool *)field = row->number != 0;
        else if (row->kind == OPTION_CHOICE)
            *(int *)field = (int)row->number;
    }
}

static enum status note_absent(struct config *config, const struct absent_row *row, struct error *err)
{
    if (row->reaction == ABSENT_REFUSE)
        return error_set(err, STATUS_USAGE, "--%s (%s in the environment) is not supported: %s", row->flag,
                         row->environment, row->reason);
    for (uint32_t i = 0; i < config->n_notes; i++) {
        if (config->notes[i] == row->note)
            return STATUS_OK;
    }
    if (config->n_notes < CONFIG_MAX_NOTES)
        config->notes[config->n_notes++] = row->note;
    return STATUS_OK;
}

/* An empty variable counts as unset, as compose files and unit files write "not given"; but a server that was meant to
 * have a key or TLS must not run without. */
static bool counts_as_unset(const struct option_row *row, const char *value)
{
    static const size_t protecting[] = {offsetof(struct config, api_key),       offsetof(struct config, api_key_file),
                                        offsetof(struct config, api_keys_file), offsetof(struct config, tls_cert),
                                        offsetof(struct config, tls_key),       offsetof(struct config, tls_client_ca)};
    for (size_t i = 0; value && i < sizeof protecting / sizeof *protecting; i++) {
        if (row->offset == protecting[i])
            return false;
    }
    return !value || !*value;
}

static enum status read_environment(struct config *config, const char *(*get_env)(const char *), struct error *err)
{
    for (size_t i = 0; i < config_n_rows; i++) {
        const struct option_row *row = &config_rows[i];
        const char *value = row->kind == OPTION_GROUP ? NULL : get_env(row->environment);
        if (row->kind == OPTION_GROUP || counts_as_unset(row, value))
            continue;
        struct origin origin = {"", row->environment, " in the environment"};
        enum status status = set_value(config, row, value, origin, err);
        if (status != STATUS_OK)
            return status;
    }
    for (size_t i = 0; i < config_n_absent_rows; i++) {
        const char *value = get_env(config_absent_rows[i].environment);
        if (!value || !*value)
            continue;
        enum status status = note_absent(config, &config_absent_rows[i], err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static const struct option_row *find_row(const char *name, size_t len)
{
    for (size_t i = 0; i < config_n_rows; i++) {
        if (config_rows[i].kind != OPTION_GROUP && strlen(config_rows[i].flag) == len &&
            memcmp(config_rows[i].flag, name, len) == 0)
            return &config_rows[i];
    }
    return NULL;
}

static const struct absent_row *find_absent(const char *name, size_t len)
{
    for (size_t i = 0; i < config_n_absent_rows; i++) {
        if (strlen(config_absent_rows[i].flag) == len && memcmp(config_absent_rows[i].flag, name, len) == 0)
            return &config_absent_rows[i];
    }
    return NULL;
}

/* The arguments that are left; `next` is where reading goes on. */
struct arguments {
    char *const *argv;
    int argc;
    int next;
};

static enum status read_unknown(struct config *config, struct arguments *args, const char *name, size_t len,
                                struct error *err)
{
    const struct absent_row *absent = find_absent(name, len);
    if (absent) {
        bool has_value = !name[len] && args->next < args->argc && args->argv[args->next][0] != '-';
        if (has_value && strcmp(absent->flag, "disable-spans") != 0)
            args->next++;
        return note_absent(config, absent, err);
    }
    const char *near = config_suggest(name, len);
    if (near)
        return error_set(err, STATUS_USAGE, "unknown option --%.*s; did you mean --%s? See --help.", (int)len, name,
                         near);
    return error_set(err, STATUS_USAGE, "unknown option --%.*s; see --help", (int)len, name);
}

/* The word behind an option that need not have one: no other argument stands without a dash. */
static const char *next_word(struct arguments *args)
{
    bool has_word = args->next < args->argc && args->argv[args->next][0] != '-';
    return has_word ? args->argv[args->next++] : NULL;
}

/* --flag, --flag=true, --flag true. */
static enum status read_flag(struct config *config, struct arguments *args, const struct option_row *row,
                             const char *value, struct error *err)
{
    if (!value)
        value = next_word(args);
    return set_value(config, row, value ? value : "true", (struct origin){"--", row->flag, ""}, err);
}

/* --no-flag. */
static enum status read_no_flag(struct config *config, struct arguments *args, const struct option_row *row,
                                const char *value, struct error *err)
{
    if (!value)
        value = next_word(args);
    if (value)
        return error_set(err, STATUS_USAGE, "--no-%s takes no value (\"%s\"): it is the same as --%s false", row->flag,
                         value, row->flag);
    return set_value(config, row, "false", (struct origin){"--", row->flag, ""}, err);
}

static enum status read_option(struct config *config, struct arguments *args, const char *name, struct error *err)
{
    size_t len = strcspn(name, "=");
    const char *value = name[len] ? name + len + 1 : NULL;
    const struct option_row *row = find_row(name, len);
    if (!row && len > 3 && memcmp(name, "no-", 3) == 0) {
        const struct option_row *positive = find_row(name + 3, len - 3);
        if (positive && positive->kind == OPTION_FLAG)
            return read_no_flag(config, args, positive, value, err);
    }
    if (!row)
        return read_unknown(config, args, name, len, err);
    if (row->kind == OPTION_FLAG)
        return read_flag(config, args, row, value, err);
    if (!value) {
        if (args->next >= args->argc)
            return error_set(err, STATUS_USAGE, "--%s needs a value (%s)", row->flag, row->value);
        value = args->argv[args->next++];
    }
    return set_value(config, row, value, (struct origin){"--", row->flag, ""}, err);
}

/* Options that say what to do instead of serving. */
static const struct {
    const char *name, *shorter;
    enum config_action action;
} actions[] = {
    {"--help", "-h", CONFIG_HELP},
    {"--version", "-V", CONFIG_SHOW_VERSION},
    {"--check", NULL, CONFIG_CHECK},
};

static enum status read_argument(struct config *config, struct arguments *args, struct error *err)
{
    const char *word = args->argv[args->next++];
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        size_t len = strlen(actions[i].name);
        if (strcmp(word, actions[i].name) == 0 || (actions[i].shorter && strcmp(word, actions[i].shorter) == 0)) {
            config->action = actions[i].action;
            return STATUS_OK;
        }
        if (strncmp(word, actions[i].name, len) == 0 && word[len] == '=')
            return error_set(err, STATUS_USAGE, "%s takes no value (\"%s\")", actions[i].name, word + len + 1);
    }
    if (strcmp(word, "-p") == 0) /* text-embeddings-inference's one short option */
        return read_option(config, args, "port", err);
    if (strncmp(word, "--", 2) != 0 || !word[2])
        return error_set(err, STATUS_USAGE, "unexpected argument \"%s\": options begin with --; see --help", word);
    return read_option(config, args, word + 2, err);
}

/* Of access, what no row can say alone. */
static enum status check_access(const struct config *config, struct error *err)
{
    if (config->api_key && config->api_key_file)
        return error_set(err, STATUS_USAGE, "--api-key and --api-key-file exclude each other");
    if (config->api_key && config_check_key(config->api_key, "--api-key", err) != STATUS_OK)
        return STATUS_USAGE;
    if (config->tls_cert && !config->tls_key)
        return error_set(err, STATUS_USAGE, "--tls-cert needs --tls-key");
    if (config->tls_key && !config->tls_cert)
        return error_set(err, STATUS_USAGE, "--tls-key needs --tls-cert");
    if (config->tls_client_ca && !config->tls_cert)
        return error_set(err, STATUS_USAGE, "--tls-client-ca needs --tls-cert and --tls-key");
    if (config->admin_port == CONFIG_NONE && strcmp(config->admin_hostname, "127.0.0.1") != 0)
        return error_set(err, STATUS_USAGE, "--admin-hostname needs --admin-port");
    if (config->admin_port == config->port && config->port && strcmp(config->admin_hostname, config->hostname) == 0)
        return error_set(err, STATUS_USAGE, "--admin-port and --port are the same, %llu",
                         (unsigned long long)config->port);
    if (config->unix_socket && strlen(config->unix_socket) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return error_set(err, STATUS_USAGE, "--unix-socket: the path has more than the %zu bytes that a socket's may",
                         sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
    return STATUS_OK;
}

/* What no row can say alone. */
static enum status check_together(const struct config *config, struct error *err)
{
    if (config->action != CONFIG_SERVE)
        return STATUS_OK;
    if (!config->model_id)
        return error_set(
            err, STATUS_USAGE,
            "--model-id is missing (in the environment: MODEL_ID): the directory of a model, or the name of one in "
            "$HOME/.cache/bertd/models; \"bertctl pull\" fetches models and prints their directories");
    if (config->default_prompt && config->default_prompt_name)
        return error_set(err, STATUS_USAGE, "--default-prompt and --default-prompt-name exclude each other");
    if (config->max_input_length > config->max_batch_tokens)
        return error_set(err, STATUS_USAGE, "--max-input-length %llu does not fit into --max-batch-tokens %llu",
                         (unsigned long long)config->max_input_length, (unsigned long long)config->max_batch_tokens);
    for (uint32_t i = 0; i < config->board.n; i++)
        if (config->board.list[i].card[0] && !config->xclbin)
            return error_set(err, STATUS_USAGE, "--board xrt:%s needs --xclbin: the engine that the card is to load",
                             config->board.list[i].card);
    return check_access(config, err);
}

/* Make dtype and boards agree where either was left open. */
static enum status settle_arithmetic(struct config *config, struct error *err)
{
    struct config_boards *boards = &config->board;
    if (boards->n == 0)
        boards->list[boards->n++].kind = "auto";
    for (uint32_t i = 0; i < boards->n; i++) {
        struct config_board *board = &boards->list[i];
        if (strcmp(board->kind, "auto") == 0)
            board->kind = config->dtype == CONFIG_FLOAT32 ? "fp32" : "emu";
        int computes = strcmp(board->kind, "fp32") == 0 ? CONFIG_FLOAT32 : CONFIG_INT8;
        if (config->dtype == CONFIG_DTYPE_AUTO)
            config->dtype = computes;
        if (config->dtype != computes)
            return error_set(err, STATUS_USAGE, "--board %s computes in %s, not in the %s of %s", board->kind,
                             computes == CONFIG_FLOAT32 ? "float32" : "int8",
                             computes == CONFIG_FLOAT32 ? "int8" : "float32", i ? "the boards before it" : "--dtype");
    }
    return STATUS_OK;
}

enum status config_read(struct config *ret, int argc, char *const *argv, const char *(*get_env)(const char *),
                        struct error *err)
{
    struct config config = {0};
    set_defaults(&config);
    enum status status = read_environment(&config, get_env, err);
    struct arguments args = {.argv = argv, .argc = argc, .next = 1};
    while (status == STATUS_OK && args.next < argc) {
        status = read_argument(&config, &args, err);
        if (config.action == CONFIG_HELP || config.action == CONFIG_SHOW_VERSION)
            break;
    }
    if (status == STATUS_OK)
        status = settle_arithmetic(&config, err);
    if (status == STATUS_OK)
        status = check_together(&config, err);
    if (status == STATUS_OK)
        *ret = config;
    return status;
}
