/* The room's parts by themselves: numbers for clients, workers, prompts, normalising. (The watcher: test_call.c.) */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/serve/infer.h"
#include "server/serve/server.h"

static uint64_t client_of(uint64_t seed, const char *credential, const void *address, size_t len)
{
    const struct serve_server server = {.seed = seed};
    return serve_server_client(&server, credential, address, len);
}

Test(client, number)
{
    const unsigned char here[4] = {127, 0, 0, 1}, there[4] = {127, 0, 0, 2};
    uint64_t by_key = client_of(1, "Bearer a", here, 4);
    uint64_t by_address = client_of(1, NULL, here, 4);
    cr_expect_eq(client_of(1, "Bearer a", there, 4), by_key, "wherever it comes from");
    cr_expect_neq(client_of(1, "Bearer b", here, 4), by_key);
    cr_expect_neq(client_of(1, NULL, there, 4), by_address);
    cr_expect_neq(by_key, by_address);
    cr_expect_neq(client_of(2, "Bearer a", here, 4), by_key, "another process, another number");
    cr_expect_neq(client_of(0xCBF29CE484222325u, NULL, NULL, 0), 0u);
}

struct job {
    struct serve_task task;
    atomic_int *done;
};

static void run_job(struct serve_task *task)
{
    atomic_fetch_add(((struct job *)task)->done, 1);
}

Test(pool, runs_everything_before_it_ends)
{
    enum { JOBS = 5000 };
    static struct job jobs[JOBS];
    atomic_int done = 0;
    struct serve_pool pool;
    struct error err;
    cr_assert_eq(serve_pool_init(&pool, 3, &err), STATUS_OK);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){{.run = run_job}, &done};
        serve_pool_push(&pool, &jobs[i].task);
    }
    serve_pool_finish(&pool);
    cr_expect_eq(atomic_load(&done), JOBS);
    mem_fail_after(0);
    cr_expect_eq(serve_pool_init(&pool, 3, &err), STATUS_NO_MEMORY);
    mem_fail_after(-1);
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

static struct serve_string string_of(const char *text)
{
    return (struct serve_string){text, text ? strlen(text) : 0};
}

static bool is(struct serve_string string, const char *text)
{
    return string.len == strlen(text) && memcmp(string.bytes, text, string.len) == 0;
}

Test(prompts, by_name)
{
    char folder[] = "/tmp/bertd-prompts-XXXXXX";
    cr_assert(mkdtemp(folder) != NULL);
    write_config(folder, "{\"__version__\":{},\"prompts\":{\"query\":\"query: \",\"passage\":\"\"},\"x\":1}");
    struct serve_prompts prompts;
    struct serve_string text;
    struct error err;
    cr_assert_eq(serve_prompts_load(&prompts, folder, NULL, NULL, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(serve_prompts_find(&prompts, string_of(NULL), &text, &err), STATUS_OK);
    cr_expect_null(text.bytes, "no standard prompt");
    cr_assert_eq(serve_prompts_find(&prompts, string_of("query"), &text, &err), STATUS_OK);
    cr_expect(is(text, "query: "));
    cr_assert_eq(serve_prompts_find(&prompts, string_of("passage"), &text, &err), STATUS_OK);
    cr_expect(text.bytes != NULL && text.len == 0);
    cr_assert_eq(serve_prompts_find(&prompts, string_of("other"), &text, &err), STATUS_VALIDATION);
    cr_expect_eq(serve_prompts_find(&prompts, string_of("quer"), &text, &err), STATUS_VALIDATION);
    cr_expect_eq(serve_prompts_find(&prompts, string_of("query2"), &text, &err), STATUS_VALIDATION);
    cr_assert_eq(serve_prompts_find(&prompts, string_of("other"), &text, &err), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "\"other\"") && strstr(err.message, "\"query\", \"passage\""), "%s", err.message);
    serve_prompts_finish(&prompts);
    cr_assert_eq(serve_prompts_load(&prompts, folder, NULL, "query", &err), STATUS_OK, "%s", err.message);
    cr_expect(is(prompts.standard, "query: "));
    serve_prompts_finish(&prompts);
    cr_assert_eq(serve_prompts_load(&prompts, folder, "text: ", NULL, &err), STATUS_OK, "%s", err.message);
    cr_expect(is(prompts.standard, "text: "));
    serve_prompts_finish(&prompts);
    cr_expect_eq(serve_prompts_load(&prompts, folder, NULL, "none", &err), STATUS_USAGE);
    cr_expect(strstr(err.message, "--default-prompt-name") != NULL, "%s", err.message);
    remove_folder(folder);
}

Test(prompts, bad_files_are_named)
{
    static const char *const bad[] = {"", "[]", "{\"prompts\":[]}", "{\"prompts\":{\"a\":1}}", "{\"prompts\":{}"};
    char folder[] = "/tmp/bertd-prompts-XXXXXX";
    cr_assert(mkdtemp(folder) != NULL);
    struct serve_prompts prompts;
    struct error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_config(folder, bad[i]);
        cr_expect_eq(serve_prompts_load(&prompts, folder, NULL, NULL, &err), STATUS_FORMAT, "%s", bad[i]);
        cr_expect(strstr(err.message, "config_sentence_transformers.json") != NULL, "%s", err.message);
    }
    write_config(folder, "{\"prompts\":{\"a\":\"\\u0041\"}}");
    for (long n = 0; n < 6; n++) {
        mem_fail_after(n);
        enum status status = serve_prompts_load(&prompts, folder, NULL, NULL, &err);
        mem_fail_after(-1);
        if (status == STATUS_OK)
            serve_prompts_finish(&prompts);
    }
    remove_folder(folder);
}

Test(prompts, as_many_as_are_taken)
{
    char folder[] = "/tmp/bertd-prompts-XXXXXX";
    cr_assert(mkdtemp(folder) != NULL);
    struct serve_prompts prompts;
    struct serve_string text;
    struct error err;
    for (int more = 0; more < 2; more++) {
        static char file[16384];
        char *to = file + sprintf(file, "{\"prompts\":{");
        for (int i = 0; i < MODEL_MAX_PROMPTS + more; i++)
            to += sprintf(to, "%s\"p%d\":\"%d\"", i ? "," : "", i, i);
        sprintf(to, "}}");
        write_config(folder, file);
        cr_assert_eq(serve_prompts_load(&prompts, folder, NULL, NULL, &err), more ? STATUS_FORMAT : STATUS_OK);
        if (more)
            break;
        cr_assert_eq(serve_prompts_find(&prompts, string_of("p255"), &text, &err), STATUS_OK);
        cr_expect(is(text, "255"));
        cr_assert_eq(serve_prompts_find(&prompts, string_of("p256"), &text, &err), STATUS_VALIDATION);
        cr_expect(strstr(err.message, "the model has \"p0\", \"p1\", "), "%s", err.message);
        serve_prompts_finish(&prompts);
    }
    cr_expect(strstr(err.message, "more than 256 prompts"), "%s", err.message);
    write_config(folder, "{\"prompts\":null}");
    cr_assert_eq(serve_prompts_load(&prompts, folder, NULL, NULL, &err), STATUS_OK, "%s", err.message);
    cr_expect_eq(prompts.known.n, 0u);
    cr_expect_eq(serve_prompts_find(&prompts, string_of("p"), &text, &err), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "has no prompts"), "%s", err.message);
    serve_prompts_finish(&prompts);
    remove_folder(folder);
}

Test(normalise, length_one_and_zero)
{
    float values[3] = {3, 4, 100};
    serve_normalize(values, 2);
    cr_expect_float_eq(values[0], 0.6, 1e-7);
    cr_expect_float_eq(values[1], 0.8, 1e-7);
    cr_expect_eq(values[2], 100.0f, "beyond what is kept");
    float zeros[4] = {0};
    serve_normalize(zeros, 4);
    cr_expect_eq(zeros[3], 0.0f);
    float tiny[2] = {1e-38f, 0};
    serve_normalize(tiny, 2);
    cr_expect_float_eq(tiny[0], 1.0, 1e-6);
}

/* Large and small values do not overflow on the way, and the result is never beyond 1. */
Test(results, cosine)
{
    static const float a[] = {3, 4, 0}, b[] = {4, 3, 100}, zero[] = {0, 0, 0};
    static const float large[] = {3e38f, 3e38f, 3e38f}, small[] = {-1e-38f, -1e-38f, -1e-38f};
    cr_expect_float_eq(serve_cosine(a, b, 2), 0.96f, 1e-7f);
    cr_expect_eq(serve_cosine(a, a, 3), 1.0f);
    cr_expect_eq(serve_cosine(large, small, 3), -1.0f);
    cr_expect_eq(serve_cosine(a, zero, 3), 0.0f);
    cr_expect_eq(serve_cosine(zero, zero, 3), 0.0f);
}
