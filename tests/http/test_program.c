/* The program's other ways to run, and to refuse to. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/cpu/cpu_flags.h"
#include "tests/http/client.h"
#include "tests/http/process.h"
#include "tests/net/papers.h"

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 1 --drain-seconds 0");
}

static void run(const char *options, int want, const char *words)
{
    char output[16384];
    int status = process_run(options, output, sizeof output);
    cr_expect_eq(status, want, "bertd %s ends with %d: %s", options, status, output);
    cr_expect(strstr(output, words) != NULL, "bertd %s: \"%s\" does not say \"%s\"", options, output, words);
}

Test(program, help_and_version)
{
    run("--help", 0, "--max-client-batch-size");
    run("--version", 0, "bertd 0.");
}

Test(program, mistakes)
{
    run("", 2, "--model-id is missing");
    run("", 2, "bertctl pull");
    run("--port x", 2, "--port: \"x\"");
    run("--model-id /nowhere --port 0 --json-output", 2, "there is no directory /nowhere");
    run("--model-id /tmp --port 0 --json-output", 1, "config.json");
    char options[700];
    snprintf(options, sizeof options, "--model-id %s --port 0 --json-output --hostname 256.1.1.1", process_model());
    run(options, 2, "--hostname 256.1.1.1");
    snprintf(options, sizeof options, "--model-id %s --port %d --json-output", process_model(), process_shared());
    run(options, 1, "Address already in use");
    snprintf(options, sizeof options, "--model-id %s --port 0 --json-output --max-input-length 513", process_model());
    run(options, 2, "--max-input-length 513 is more than the 512 tokens");
    snprintf(options, sizeof options, "--model-id %s --port 0 --json-output --max-batch-tokens 100", process_model());
    run(options, 2, "--max-batch-tokens 100 is less than an input may have: 256");
    snprintf(options, sizeof options, "--model-id %s --port 0 --json-output --default-prompt-name q", process_model());
    run(options, 2, "--default-prompt-name");
    snprintf(options, sizeof options, "--model-id %s --port 0 --json-output --api-key-file /nowhere", process_model());
    run(options, 1,
        "--api-key-file (a file whose first line is the key; --api-key takes the key itself): /nowhere: No such");
}

Test(program, variables_of_the_environment)
{
    static const char *const wrong[] = {"avx1024", "16", "-1", "c,avx2"};
    char *mask = getenv("BERTD_CPU_MASK") ? strdup(getenv("BERTD_CPU_MASK")) : NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("BERTD_CPU_MASK", wrong[i], 1);
        run("--model-id m", 2, "is not one of " CPU_SET_NAMES);
    }
    setenv("BERTD_CPU_MASK", "", 1);
    setenv("API_KEY", "", 1);
    run("--model-id m", 2, "API_KEY in the environment: the value is empty");
    unsetenv("API_KEY");
    if (mask)
        setenv("BERTD_CPU_MASK", mask, 1);
    else
        unsetenv("BERTD_CPU_MASK");
    free(mask);
    struct process process = process_start_with("--boards 1 --drain-seconds 0", "BERTD_API_KEY", "s3cret");
    cr_expect(process_logged(&process, "\"variable\":\"BERTD_API_KEY\",\"did_you_mean\":\"API_KEY\""));
    cr_expect_not(process_logged(&process, "s3cret"));
    process_stop(&process);
}

/* The port in the first line of its log with this message; 0: there is none. */
static int logged_port(const struct process *process, const char *message)
{
    char line[512], words[64];
    int port = 0;
    FILE *log = fopen(process->log, "r");
    snprintf(words, sizeof words, "\"message\":\"%s\"", message);
    while (log && !port && fgets(line, sizeof line, log)) {
        const char *field = strstr(line, words) ? strstr(line, "\"port\":") : NULL;
        port = field ? atoi(field + strlen("\"port\":")) : 0;
    }
    if (log)
        fclose(log);
    return port;
}

/* Port 0 is for who reads the log: it names every place where the server listens. */
Test(program, log_names_all_listeners)
{
    char options[128], path[64], words[128];
    snprintf(path, sizeof path, "/tmp/bertd-program.%d", (int)getpid());
    snprintf(options, sizeof options, "--boards 1 --drain-seconds 0 --admin-port 0 --unix-socket %s", path);
    struct process process = process_start(options);
    int admin = logged_port(&process, "admin listener");
    cr_expect_gt(admin, 0);
    snprintf(words, sizeof words, "\"message\":\"unix socket\",\"path\":\"%s\"", path);
    cr_expect(process_logged(&process, words));
    cr_expect(process_logged(&process, "\"tls\":false"));
    snprintf(options, sizeof options, "--check --port 1 --admin-port %d", admin);
    run(options, 0, "");
    process_stop(&process);
}

Test(program, check_speaks_tls)
{
    struct papers papers;
    char options[512];
    papers_make(&papers);
    snprintf(options, sizeof options, "--boards 1 --drain-seconds 0 --tls-cert %s --tls-key %s", papers.cert,
             papers.key);
    struct process process = process_start(options);
    cr_expect(process_logged(&process, "\"tls\":true"));
    snprintf(options, sizeof options, "--check --port %d --tls-cert %s --tls-key %s", process.port, papers.cert,
             papers.key);
    run(options, 0, "");
    snprintf(options, sizeof options, "--check --port %d", process.port);
    run(options, 1, "no answer");
    snprintf(options, sizeof options, "--check --port %d --tls-cert %s --tls-key %s", process_shared(), papers.cert,
             papers.key);
    run(options, 1, "no TLS: ");
    process_stop(&process);
    papers_remove(&papers);
}

Test(program, check_asks_for_health)
{
    char options[64];
    snprintf(options, sizeof options, "--check --port %d", process_shared());
    run(options, 0, "");
    snprintf(options, sizeof options, "--check --hostname 0.0.0.0 --port %d", process_shared());
    run(options, 0, "");
    run("--check --port 1", 1, "no server at 127.0.0.1, port 1");
}

Test(program, prompts)
{
    struct process plain = process_start("--boards 1 --drain-seconds 0");
    struct process prompted = process_start_with("--boards 1 --drain-seconds 0", "DEFAULT_PROMPT", "query: ");
    struct answer a = client_post(plain.port, "/embed", "{\"inputs\":\"query: hello world\"}");
    struct answer b = client_post(prompted.port, "/embed", "{\"inputs\":\"hello world\"}");
    struct answer c = client_post(prompted.port, "/embed", "{\"inputs\":[101,7592,2088,102]}");
    cr_expect_str_eq(a.body, b.body);
    cr_expect_str_eq(a.body, c.body, "decoded without its special tokens, then encoded with the template");
    client_free(&a);
    client_free(&b);
    client_free(&c);
    b = client_post(prompted.port, "/tokenize", "{\"inputs\":\"hello\"}");
    cr_expect(strstr(b.body, "\"text\":\"query\",\"special\":false,\"start\":0,\"stop\":5") != NULL, "%s", b.body);
    client_free(&b);
    process_stop(&plain);
    process_stop(&prompted);
}

Test(program, pooling_is_overridden)
{
    struct process cls = process_start("--boards 1 --drain-seconds 0 --pooling cls");
    struct answer all = client_post(cls.port, "/embed_all", "{\"inputs\":\"hello world\"}");
    struct answer one = client_post(cls.port, "/embed", "{\"inputs\":\"hello world\",\"normalize\":false}");
    json_t *tokens = client_json(&all);
    json_t *pooled = client_json(&one);
    cr_expect(json_equal(json_array_get(json_array_get(tokens, 0), 0), json_array_get(pooled, 0)));
    json_decref(tokens);
    json_decref(pooled);
    client_free(&all);
    client_free(&one);
    process_stop(&cls);
}

Test(program, texts_are_not_logged)
{
    struct process process = process_start("--boards 1 --drain-seconds 0 --log-level debug");
    client_expect_ok(client_post(process.port, "/embed", "{\"inputs\":\"confidential\"}"));
    client_expect_error(client_post(process.port, "/embed", "{\"inputs\":\"confidential"), 400, "Validation", "");
    process_await_log(&process, "\"method\":\"POST\",\"code\":400");
    cr_expect_not(process_logged(&process, "confidential"));
    process_stop(&process);
}
