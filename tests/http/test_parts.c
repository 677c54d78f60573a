/* The room's parts by themselves: keys, origins, routes, workers, connections, prompts, normalising. (The watcher:
 * test_load.c.) */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/http/access.h"
#include "server/http/connections.h"
#include "server/http/endpoints.h"
#include "server/http/infer.h"
#include "server/http/prompts.h"

Test(access, key)
{
    cr_expect(http_access_key(NULL, NULL), "none is asked for");
    cr_expect(http_access_key("abc", "Bearer abc"));
    cr_expect(http_access_key("abc", "bEARER abc"));
    static const char *const wrong[] = {
        NULL,          "",          "abc",         "Bearer",      "Bearer ",   "Bearer ab",
        "Bearer abcd", "bearerabc", "Bearer  abc", "Bearer abc ", "Basic abc", "Bearer aaa"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_not(http_access_key("abc", wrong[i]), "%s", wrong[i] ? wrong[i] : "(none)");
}

Test(access, client)
{
    const unsigned char here[4] = {127, 0, 0, 1}, there[4] = {127, 0, 0, 2};
    uint64_t by_key = http_access_client(1, "Bearer a", false, here, 4);
    uint64_t by_address = http_access_client(1, NULL, false, here, 4);
    cr_expect_eq(http_access_client(1, "Bearer a", false, there, 4), by_key, "wherever it comes from");
    cr_expect_neq(http_access_client(1, "Bearer b", false, here, 4), by_key);
    cr_expect_neq(http_access_client(1, NULL, false, there, 4), by_address);
    cr_expect_neq(by_key, by_address);
    cr_expect_neq(http_access_client(1, "Bearer a", true, here, 4), http_access_client(1, "Bearer a", true, there, 4),
                  "the key says nothing where all have the same");
    cr_expect_neq(http_access_client(2, "Bearer a", false, here, 4), by_key, "another process, another number");
    cr_expect_neq(http_access_client(0xCBF29CE484222325u, NULL, false, NULL, 0), 0u);
}

Test(access, origin)
{
    static const char list[] = "http://a.example, http://b.example:8080";
    cr_expect_null(http_access_origin(NULL, "http://a.example"));
    cr_expect_null(http_access_origin(list, NULL));
    cr_expect_null(http_access_origin(list, "http://b.example"));
    cr_expect_null(http_access_origin(list, "http://a.exampl"));
    cr_expect_null(http_access_origin(list, ""));
    cr_expect_str_eq(http_access_origin(list, "http://a.example"), "http://a.example");
    cr_expect_str_eq(http_access_origin(list, "http://b.example:8080"), "http://b.example:8080");
    cr_expect_str_eq(http_access_origin("*", "http://c.example"), "*");
}

Test(routes, found_or_named)
{
    const struct http_endpoint *endpoint = NULL;
    const char *allow = NULL;
    struct error err;
    cr_expect_eq(http_route_find(&endpoint, &allow, "POST", "/embed", &err), STATUS_OK);
    cr_expect_eq(endpoint, &http_embed);
    cr_expect_eq(http_route_find(&endpoint, &allow, "POST", "/", &err), STATUS_OK);
    cr_expect_eq(endpoint, &http_embed);
    cr_expect_eq(http_route_find(&endpoint, &allow, "HEAD", "/", &err), STATUS_OK);
    cr_expect_eq(endpoint, &http_health);
    cr_expect_eq(http_route_find(&endpoint, &allow, "GET", "/decode", &err), STATUS_METHOD);
    cr_expect_str_eq(allow, "POST, OPTIONS");
    cr_expect_eq(http_route_find(&endpoint, &allow, "GET", "/Embed", &err), STATUS_NOT_FOUND);
    cr_expect_eq(endpoint, &http_health, "untouched");
}

struct job {
    struct http_task task;
    atomic_int *done;
};

static void run_job(struct http_task *task)
{
    atomic_fetch_add(((struct job *)task)->done, 1);
}

Test(pool, runs_everything_before_it_ends)
{
    enum { JOBS = 5000 };
    static struct job jobs[JOBS];
    atomic_int done = 0;
    struct http_pool pool;
    struct error err;
    cr_assert_eq(http_pool_init(&pool, 3, &err), STATUS_OK);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){{.run = run_job}, &done};
        http_pool_push(&pool, &jobs[i].task);
    }
    http_pool_finish(&pool);
    cr_expect_eq(atomic_load(&done), JOBS);
    mem_fail_after(0);
    cr_expect_eq(http_pool_init(&pool, 3, &err), STATUS_NO_MEMORY);
    mem_fail_after(-1);
}

Test(connections, late_ones_are_shut_down)
{
    struct http_connections connections;
    int late[2];
    int resting[2];
    char byte;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, late), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, resting), 0);
    struct error err;
    cr_assert_eq(http_connections_init(&connections, 0, &err), STATUS_OK);
    http_connection_open(&connections, late[0]);
    http_connection_rest(http_connection_open(&connections, resting[0]));
    usleep(1000);
    http_connections_sweep(&connections);
    cr_expect_eq(recv(late[1], &byte, 1, 0), 0, "shut down");
    cr_expect_eq(recv(resting[1], &byte, 1, 0), -1, "open");
    mem_fail_after(0);
    cr_expect_null(http_connection_open(&connections, late[0]));
    mem_fail_after(-1);
    http_connection_rest(NULL);
    http_connection_expect(&connections, NULL, 1);
    http_connection_close(&connections, NULL);
    http_connections_finish(&connections);
}

static void write_config(const char *folder, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/config_sentence_transformers.json", folder);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

static void remove_folder(const char *folder)
{
    char path[128];
    snprintf(path, sizeof path, "%s/config_sentence_transformers.json", folder);
    unlink(path);
    rmdir(folder);
}

static struct wire_string string_of(const char *text)
{
    return (struct wire_string){text, text ? strlen(text) : 0};
}

Test(prompts, by_name)
{
    char folder[] = "/tmp/bertd-prompts-XXXXXX";
    cr_assert(mkdtemp(folder) != NULL);
    write_config(folder, "{\"__version__\":{},\"prompts\":{\"query\":\"query: \",\"passage\":\"\"},\"x\":1}");
    struct http_prompts prompts;
    struct wire_string text;
    struct error err;
    cr_assert_eq(http_prompts_load(&prompts, folder, NULL, NULL, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(http_prompts_find(&prompts, string_of(NULL), &text, &err), STATUS_OK);
    cr_expect_null(text.bytes, "no standard prompt");
    cr_assert_eq(http_prompts_find(&prompts, string_of("query"), &text, &err), STATUS_OK);
    cr_expect(wire_string_is(text, "query: "));
    cr_assert_eq(http_prompts_find(&prompts, string_of("passage"), &text, &err), STATUS_OK);
    cr_expect(text.bytes != NULL && text.len == 0);
    cr_assert_eq(http_prompts_find(&prompts, string_of("other"), &text, &err), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "\"other\"") && strstr(err.message, "\"query\", \"passage\""), "%s", err.message);
    http_prompts_finish(&prompts);
    cr_assert_eq(http_prompts_load(&prompts, folder, NULL, "query", &err), STATUS_OK, "%s", err.message);
    cr_expect(wire_string_is(prompts.standard, "query: "));
    http_prompts_finish(&prompts);
    cr_assert_eq(http_prompts_load(&prompts, folder, "text: ", NULL, &err), STATUS_OK, "%s", err.message);
    cr_expect(wire_string_is(prompts.standard, "text: "));
    http_prompts_finish(&prompts);
    cr_expect_eq(http_prompts_load(&prompts, folder, NULL, "none", &err), STATUS_USAGE);
    cr_expect(strstr(err.message, "--default-prompt-name") != NULL, "%s", err.message);
    remove_folder(folder);
}

Test(prompts, bad_files_are_named)
{
    static const char *const bad[] = {"", "[]", "{\"prompts\":[]}", "{\"prompts\":{\"a\":1}}", "{\"prompts\":{}"};
    char folder[] = "/tmp/bertd-prompts-XXXXXX";
    cr_assert(mkdtemp(folder) != NULL);
    struct http_prompts prompts;
    struct error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_config(folder, bad[i]);
        cr_expect_eq(http_prompts_load(&prompts, folder, NULL, NULL, &err), STATUS_FORMAT, "%s", bad[i]);
        cr_expect(strstr(err.message, "config_sentence_transformers.json") != NULL, "%s", err.message);
    }
    write_config(folder, "{\"prompts\":{\"a\":\"\\u0041\"}}");
    for (long n = 0; n < 6; n++) {
        mem_fail_after(n);
        enum status status = http_prompts_load(&prompts, folder, NULL, NULL, &err);
        mem_fail_after(-1);
        if (status == STATUS_OK)
            http_prompts_finish(&prompts);
    }
    remove_folder(folder);
}

Test(normalise, length_one_and_zero)
{
    float values[3] = {3, 4, 100};
    http_normalize(values, 2);
    cr_expect_float_eq(values[0], 0.6, 1e-7);
    cr_expect_float_eq(values[1], 0.8, 1e-7);
    cr_expect_eq(values[2], 100.0f, "beyond what is kept");
    float zeros[4] = {0};
    http_normalize(zeros, 4);
    cr_expect_eq(zeros[3], 0.0f);
    float tiny[2] = {1e-38f, 0};
    http_normalize(tiny, 2);
    cr_expect_float_eq(tiny[0], 1.0, 1e-6);
}

Test(check, names_what_came)
{
    struct error err;
    cr_expect_eq(http_check("127.0.0.1", 1, &err), STATUS_UNHEALTHY);
    cr_expect(strstr(err.message, "port 1") != NULL, "%s", err.message);
    cr_expect_eq(http_check("no such host.invalid", 1, &err), STATUS_USAGE);
}

Test(listen, port_is_told_and_taken)
{
    int fd = -1;
    int other = -1;
    uint16_t port = 0;
    struct error err;
    cr_assert_eq(http_listen(&fd, &port, "127.0.0.1", 0, &err), STATUS_OK, "%s", err.message);
    cr_expect_gt(port, 0);
    cr_assert_eq(listen(fd, 1), 0);
    cr_expect_eq(http_listen(&other, &port, "127.0.0.1", port, &err), STATUS_IO);
    cr_expect(strstr(err.message, "in use") != NULL, "%s", err.message);
    cr_expect_eq(other, -1);
    close(fd);
}
