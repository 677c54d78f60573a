#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/config/config.h"
#include "tests/config/environment.h"

enum { MAX_ARGS = 32 };

/* Reads a command line written as one string, words apart by spaces. */
static enum status read_line(struct config *config, const char *line, struct error *err)
{
    static char text[512];
    char *argv[MAX_ARGS] = {(char *)"bertd"};
    int argc = 1;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    return config_read(config, argc, argv, get_env, err);
}

static struct config config_of(const char *line)
{
    struct config config = {0};
    struct error err = {0};
    cr_assert_eq(read_line(&config, line, &err), STATUS_OK, "%s: %s", line, err.message);
    return config;
}

static void refused(const char *line, const char *words)
{
    struct config config = {.port = 77};
    struct error err = {0};
    cr_assert_eq(read_line(&config, line, &err), STATUS_USAGE, "%s", line);
    cr_expect(strstr(err.message, words), "%s: \"%s\" does not say \"%s\"", line, err.message, words);
    cr_expect_eq(config.port, 77u, "ret is untouched on failure");
}

Test(config, defaults_of_the_convention)
{
    struct config config = config_of("--model-id m");
    cr_expect_str_eq(config.model_id, "m");
    cr_expect_eq(config.max_concurrent_requests, 512u);
    cr_expect_eq(config.max_batch_tokens, 16384u);
    cr_expect_eq(config.max_batch_requests, 0u);
    cr_expect_eq(config.payload_limit, 2000000u);
    cr_expect_eq(config.port, 3000u);
    cr_expect(config.auto_truncate);
    cr_expect_not(config.json_output);
    cr_expect_eq(config.dtype, CONFIG_INT8);
    cr_expect_eq(config.pooling, CONFIG_POOL_MODEL);
    cr_expect_str_eq(config.hostname, "127.0.0.1");
    cr_expect_str_eq(config.board.list[0].kind, "emu");
    cr_expect_null(config.api_key);
    cr_expect_eq(config.action, CONFIG_SERVE);
}

Test(config, defaults_of_our_own)
{
    struct config config = config_of("--model-id m");
    cr_expect_eq(config.max_client_batch_size, 1024u, "larger batches than the convention's 32 are shared out");
    cr_expect_not(config.auto_chunk);
    cr_expect(config.verify);
    cr_expect_not(config_of("--model-id m --no-verify").verify);
    cr_expect_eq(config.chunk_overlap, 32u);
    cr_expect_eq(config.max_chunks, 64u);
    config = config_of("--model-id m --auto-chunk --chunk-overlap 0 --max-chunks 1 --max-client-batch-size 32");
    cr_expect(config.auto_chunk);
    cr_expect_eq(config.chunk_overlap, 0u);
    cr_expect_eq(config.max_chunks, 1u);
    cr_expect_eq(config.max_client_batch_size, 32u);
}

Test(config, ways_to_give_a_value)
{
    struct config config =
        config_of("--model-id=m --port=0 --boards 3 --auto-truncate false --json-output --board ref");
    cr_expect_eq(config.port, 0u);
    cr_expect_eq(config.boards, 3u);
    cr_expect_not(config.auto_truncate);
    cr_expect(config.json_output);
    cr_expect_str_eq(config.board.list[0].kind, "ref");
    config = config_of("--model-id m --auto-truncate --no-json-output -p 8080");
    cr_expect(config.auto_truncate);
    cr_expect_not(config.json_output);
    cr_expect_eq(config.port, 8080u);
    cr_expect_not(config_of("--model-id m --no-auto-truncate").auto_truncate);
    cr_expect_not(config_of("--model-id m --auto-truncate=false").auto_truncate);
}

Test(config, environment_comes_second)
{
    static const char *const given[] = {
        "MODEL_ID", "from-env", "PORT", "81", "AUTO_TRUNCATE", "false", "CORS_ALLOW_ORIGIN", "", "DTYPE", "int8", NULL};
    environment = given;
    struct config config = config_of("--port 82");
    cr_expect_str_eq(config.model_id, "from-env");
    cr_expect_eq(config.port, 82u);
    cr_expect_not(config.auto_truncate);
    cr_expect_null(config.cors_allow_origin, "an empty variable is unset");
    static const char *const wrong[] = {"PORT", "70000", NULL};
    environment = wrong;
    refused("--model-id m", "PORT in the environment: \"70000\" is not a whole number from 0 to 65535");
}

Test(config, an_empty_key_is_none_that_was_meant)
{
    static const char *const empty[] = {"API_KEY", "", NULL}, *const empty_file[] = {"BERTD_API_KEY_FILE", "", NULL};
    environment = empty;
    refused("--model-id m", "API_KEY in the environment: the value is empty");
    environment = empty_file;
    refused("--model-id m", "BERTD_API_KEY_FILE in the environment: the value is empty");
    environment = NULL;
    refused("--model-id m --api-key=", "--api-key: the value is empty");
    static const char *const spaces[] = {"API_KEY", "key ", NULL}, *const control[] = {"API_KEY", "k\n", NULL};
    environment = spaces;
    refused("--model-id m", "begins or ends with a space");
    environment = control;
    refused("--model-id m", "control character (byte 2)");
}

Test(config, what_protects_is_not_dropped_when_empty)
{
    static const char *const names[] = {"BERTD_API_KEYS_FILE", "BERTD_TLS_CERT", "BERTD_TLS_KEY",
                                        "BERTD_TLS_CLIENT_CA"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *const empty[] = {names[i], "", NULL};
        environment = empty;
        refused("--model-id m", "in the environment: the value is empty");
    }
    environment = NULL;
}

Test(config, access)
{
    struct config config = config_of("--model-id m");
    cr_expect_eq(config.admin_port, CONFIG_NONE);
    cr_expect_str_eq(config.admin_hostname, "127.0.0.1");
    cr_expect_null(config.tls_cert);
    cr_expect_null(config.api_keys_file);
    cr_expect_null(config.unix_socket);
    config = config_of("--model-id m --admin-port 0 --tls-cert c --tls-key k --tls-client-ca a --api-keys-file f "
                       "--api-key x --unix-socket s --max-streams 9 --keepalive-seconds 0 --max-age-seconds 3600");
    cr_expect_eq(config.admin_port, 0u);
    cr_expect_str_eq(config.tls_client_ca, "a");
    cr_expect_str_eq(config.api_keys_file, "f");
    cr_expect_eq(config.max_streams, 9u);
    cr_expect_eq(config.keepalive, 0u);
    cr_expect_eq(config.max_age, 3600u);
    refused("--model-id m --tls-cert c", "--tls-cert needs --tls-key");
    refused("--model-id m --tls-key k", "--tls-key needs --tls-cert");
    refused("--model-id m --tls-client-ca a", "--tls-client-ca needs --tls-cert and --tls-key");
    refused("--model-id m --admin-hostname 0.0.0.0", "--admin-hostname needs --admin-port");
    refused("--model-id m --port 81 --admin-port 81", "--admin-port and --port are the same, 81");
    config_of("--model-id m --port 81 --hostname 10.0.0.1 --admin-port 81");
    config_of("--model-id m --port 0 --admin-port 0");
    refused("--model-id m --admin-port 18446744073709551615", "is not a whole number from 0 to 65535");
    char line[256] = "--model-id m --unix-socket /";
    memset(line + strlen(line), 's', 107);
    refused(line, "more than the 107 bytes");
}

Test(config, words_that_help)
{
    refused("--model-id m --auto-truncate maybe", "--auto-truncate: \"maybe\" is not true or false");
    refused("--model-id m --verify off", "--verify: \"off\" is not true or false (--no-verify is false)");
    refused("--model-id m --no-verify=false",
            "--no-verify takes no value (\"false\"): it is the same as --verify false");
    refused("--model-id m --no-verify true", "--no-verify takes no value (\"true\")");
    refused("--model-id m --help=foo", "--help takes no value (\"foo\")");
    refused("--model-id m --version=", "--version takes no value");
    refused("--model-id m --check=yes", "--check takes no value");
#ifndef BERTD_RTL
    refused("--model-id m --board rtl-sim",
            "auto|emu|fp32|ref|xrt:CARD: the simulated accelerator is in builds of the preset rtl");
#endif
    cr_expect_eq(config_of("--model-id m --json-output --port 5").port, 5u, "a flag takes no option for its value");
}

Test(config, unknown_variables_are_known_as_such)
{
    static const struct {
        const char *entry;
        bool unknown;
        const char *suggestion;
    } cases[] = {
        {"BERTD_BOARDS=2", false, NULL},
        {"BERTD_CPU_MASK=c", false, NULL},
        {"BERTD_TEST_MODEL=m", false, NULL},
        {"PORTS=3", false, NULL},
        {"BERTD_BORDS=2", true, "BERTD_BOARDS"},
        {"BERTD_BOARD_S", true, "BERTD_BOARDS"},
        {"BERTD_API_KEY=secret", true, "API_KEY"},
        {"BERTD_PORT=3", true, "PORT"},
        {"BERTD_MAX_BATCH_TOKENS=3", true, "MAX_BATCH_TOKENS"},
        {"BERTD_IDLE_TIMEOUT=3", true, "BERTD_IDLE_TIMEOUT_SECONDS"},
        {"BERTD_ZZZZZZZZ=3", true, NULL},
        {"BERTD_=", true, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[64];
        const char *suggestion = NULL;
        cr_expect_eq(config_is_unknown_variable(cases[i].entry, name, sizeof name, &suggestion), cases[i].unknown, "%s",
                     cases[i].entry);
        cr_expect(cases[i].suggestion ? suggestion && strcmp(suggestion, cases[i].suggestion) == 0 : !suggestion,
                  "%s: %s", cases[i].entry, suggestion ? suggestion : "-");
        cr_expect_null(strchr(name, '='), "%s", name);
    }
}

/* Balancers use connections again that were idle for a minute. */
Test(config, idle_connections_outlive_those_of_a_balancer)
{
    cr_expect_geq(config_of("--model-id m").idle_timeout, 75u);
}

Test(config, hostname_of_a_container_is_not_an_address)
{
    static const char *const given[] = {"HOSTNAME", "3f2a9c", NULL};
    environment = given;
    cr_expect_str_eq(config_of("--model-id m").hostname, "127.0.0.1");
}

Test(config, mistakes_are_named)
{
    refused("--model-id m --max-batch-token 5", "unknown option --max-batch-token; did you mean --max-batch-tokens?");
    refused("--modle-id m", "did you mean --model-id?");
    refused("--model-id m --zzzzzz", "unknown option --zzzzzz; see --help");
    refused("--model-id m stray", "unexpected argument \"stray\"");
    refused("--model-id", "--model-id needs a value");
    refused("", "--model-id is missing");
    refused("--model-id m --port 65536", "--port: \"65536\" is not a whole number from 0 to 65535");
    refused("--model-id m --port -1", "--port: \"-1\"");
    refused("--model-id m --port 12x", "--port: \"12x\"");
    refused("--model-id m --port=", "--port: \"\"");
    refused("--model-id m --max-client-batch-size 0", "from 1 to 65536");
    refused("--model-id m --max-concurrent-requests 99999999999999999999", "--max-concurrent-requests");
    refused("--model-id m --dtype float16", "--dtype: \"float16\" is not one of auto|int8|float32");
    refused("--model-id m --pooling splade", "is not one of model|cls|mean|max");
    refused("--model-id m --auto-truncate=maybe", "--auto-truncate: \"maybe\" is not true or false");
    refused("--model-id=", "--model-id: the value is empty");
    refused("--model-id m --no-port", "unknown option --no-port");
    refused("--", "unexpected argument");
}

Test(config, what_does_not_go_together)
{
    refused("--model-id m --default-prompt a --default-prompt-name b", "exclude each other");
    refused("--model-id m --api-key a --api-key-file b", "exclude each other");
    refused("--model-id m --dtype float32 --board emu", "--board emu computes in int8, not in the float32 of --dtype");
    refused("--model-id m --dtype float32 --board ref", "--board ref computes in int8");
    refused("--model-id m --dtype int8 --board fp32", "--board fp32 computes in float32");
    refused("--model-id m --max-input-length 512 --max-batch-tokens 256", "does not fit");
}

Test(config, arithmetic_and_board_follow_each_other)
{
    struct config config = config_of("--model-id m --board fp32");
    cr_expect_eq(config.dtype, CONFIG_FLOAT32);
    config = config_of("--model-id m --dtype float32");
    cr_expect_str_eq(config.board.list[0].kind, "fp32");
    config = config_of("--model-id m --board ref --dtype int8");
    cr_expect_str_eq(config.board.list[0].kind, "ref");
}

Test(config, boards_of_several_kinds)
{
    struct config config =
        config_of("--model-id m --board xrt:0 --board=xrt:0000:65:00.1 --board emu,xrt:0 --xclbin x");
    cr_assert_eq(config.board.n, 3u, "each once");
    cr_expect_str_eq(config.board.list[0].kind, "xrt");
    cr_expect_str_eq(config.board.list[0].card, "0");
    cr_expect_str_eq(config.board.list[1].card, "0000:65:00.1");
    cr_expect_str_eq(config.board.list[2].kind, "emu");
    cr_expect_str_eq(config.board.list[2].card, "");
    cr_expect_eq(config.dtype, CONFIG_INT8);
    refused("--model-id m --board xrt --xclbin x", "\"xrt\" is not one of auto|emu|fp32|ref|xrt:CARD");
    refused("--model-id m --board xrt: --xclbin x", "\"xrt:\" is not one of");
    refused("--model-id m --board xrt:first --xclbin x", "\"xrt:first\" is not one of");
    refused("--model-id m --board xrt:0,xrt:00 --xclbin x", "\"xrt:0,xrt:00\" is not one of");
    refused("--model-id m --board emu:1", "\"emu:1\" is not one of");
    refused("--model-id m --board emu,", "\"emu,\" is not one of");
    refused("--model-id m --board xrt:0", "--board xrt:0 needs --xclbin");
    refused("--model-id m --board emu --board fp32",
            "--board fp32 computes in float32, not in the int8 of the boards before it");
}

Test(config, options_of_the_other_server)
{
    refused("--model-id m --revision main", "--revision (REVISION in the environment) is not supported");
    refused("--model-id m --otlp-endpoint=http://x", "is not supported");
    refused("--model-id m --dense-path d", "is not supported");
    struct config config = config_of("--model-id m --hf-token secret --uds-path /tmp/x --disable-spans --port 5");
    cr_assert_eq(config.n_notes, 3u);
    cr_expect(strstr(config.notes[0], "--hf-token has no effect"));
    cr_expect_not(strstr(config.notes[0], "secret"));
    cr_expect_eq(config.port, 5u);
    static const char *const given[] = {"HF_TOKEN", "x", NULL};
    environment = given;
    cr_expect_eq(config_of("--model-id m --hf-token y").n_notes, 1u, "told once");
    static const char *const revision[] = {"REVISION", "x", NULL};
    environment = revision;
    refused("--model-id m", "REVISION in the environment");
}

Test(config, actions_need_no_model)
{
    cr_expect_eq(config_of("--help").action, CONFIG_HELP);
    cr_expect_eq(config_of("-h --nonsense").action, CONFIG_HELP);
    cr_expect_eq(config_of("--version").action, CONFIG_SHOW_VERSION);
    struct config config = config_of("--port 99 --check");
    cr_expect_eq(config.action, CONFIG_CHECK);
    cr_expect_eq(config.port, 99u);
}

Test(config, help_is_complete)
{
    static const char *const names[] = {
#define NAME(field, flag, environment_name, ...) flag, environment_name,
#define GROUP(title)                             title, title,
        CONFIG_OPTIONS(GROUP, NAME, NAME, NAME, NAME, NAME)
#undef NAME
#undef GROUP
    };
    struct buf buf = {0};
    config_write_help(&buf);
    buf_append(&buf, "", 1);
    size_t len = 0;
    char *text = buf_take(&buf, &len);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_expect(strstr(text, names[i]), "--help does not name %s", names[i]);
    cr_expect(strstr(text, "default 2000000, from 1 to 1073741824; environment PAYLOAD_LIMIT"));
    cr_expect(strstr(text, "--revision"));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        cr_expect_leq(strlen(line), 110u, "%s", line);
    mem_free(text);
}

Test(config, version_is_the_project_s)
{
    FILE *file = fopen(SOURCE_DIR "/CMakeLists.txt", "r");
    cr_assert(file);
    char text[4096];
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    cr_expect(strstr(text, "project(bertd VERSION " CONFIG_VERSION " "));
}
