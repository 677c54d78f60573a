/* Memory runs out: a server in this process whose allocations fail one by one, over pools of 1, 2 and 5 boards. Every
 * request is answered, with the right bits or an error that says what happened, and afterwards all is as before. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/model/model.h"
#include "server/serve/serve.h"
#include "tests/http/client.h"
#include "tests/http/process.h"
#include "tests/http/raw.h"
#include "tests/http/serving.h"

enum { MAX_BOARDS = 5, MAX_ALLOCATIONS = 400 };

/* What a server stands on. */
struct ground {
    struct model_info info;
    struct token_vocab *vocab;
    struct image *image;
    struct board *boards[MAX_BOARDS];
    uint32_t n_boards;
    struct batch *batch;
};

static void prepare(struct ground *ground, uint32_t n_boards)
{
    struct error err;
    const char *model = process_model();
    if (!model)
        cr_skip_test("no model");
    cr_assert_eq(model_read_info(&ground->info, model, false, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(token_vocab_load(&ground->vocab, model, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(model_load_image(&ground->image, model, &ground->info, IMAGE_INT8, board_sections("emu"), &err),
                 STATUS_OK, "%s", err.message);
    ground->n_boards = n_boards;
    for (uint32_t b = 0; b < n_boards; b++) {
        struct board_options board = {.kind = "emu", .index = b};
        cr_assert_eq(board_open(&ground->boards[b], &board, &err), STATUS_OK, "%s", err.message);
    }
    struct batch_options batch = {.image = ground->image,
                                  .boards = ground->boards,
                                  .n_boards = n_boards,
                                  .max_tokens = 4096,
                                  .max_queued_items = 100,
                                  .timeout_scale = 10 /* sanitizers are slow */};
    cr_assert_eq(batch_create(&ground->batch, &batch, &err), STATUS_OK, "%s", err.message);
}

static void clear(struct ground *ground)
{
    batch_destroy(&ground->batch, true);
    image_release(&ground->image);
    token_vocab_destroy(&ground->vocab);
}

static struct serve_options options_of(const struct ground *ground, struct metrics_registry *metrics)
{
    return (struct serve_options){.model_dir = process_model(),
                                  .model_id = "m",
                                  .served_model_name = "m",
                                  .model_dtype = "int8",
                                  .compute_type = "cpu",
                                  .instruction_set = "c",
                                  .version = "0",
                                  .vocab = ground->vocab,
                                  .batch = ground->batch,
                                  .n_boards = ground->n_boards,
                                  .inject_faults = true,
                                  .width = ground->info.shape.hidden,
                                  .pooling = BATCH_POOL_MEAN,
                                  .max_input_length = 12,
                                  .auto_truncate = true,
                                  .max_chunks = 8,
                                  .max_concurrent_requests = 8,
                                  .max_client_batch_size = 32,
                                  .max_memory = 1 << 28,
                                  .request_timeout_ms = 0,
                                  .workers = 2,
                                  .metrics = metrics};
}

static const struct http_options http_options = {.payload_limit = 100000, .max_connections = 64, .idle_timeout_s = 10};

/* Requests ----------------------------------------------------------------------------------------------------------*/

struct request {
    const char *method, *path, *body;
    const char *part; /* of an answer whose bytes change; NULL: they never do */
};

static struct answer ask(int port, const struct request *request)
{
    return client_ask(port, request->method, request->path,
                      &(struct sending){.body = *request->body ? request->body : NULL});
}

static bool is_right(const struct request *request, const struct answer *answer, const struct answer *right)
{
    if (answer->code != 200)
        return false;
    if (request->part)
        return strstr(answer->body, request->part) != NULL;
    return answer->len == right->len && memcmp(answer->body, right->body, right->len) == 0;
}

static void expect_failure(struct answer answer, const struct request *request, long n)
{
    cr_expect_eq(answer.code, 500, "%s, allocation %ld: %ld %.200s", request->path, n, answer.code, answer.body);
    client_expect_error(answer, 500, "Internal", "no memory");
}

static const struct request small = {"POST", "/embed", "{\"inputs\":\"hello world\"}", NULL};

/* Something small, after each failure: slow kernels take their time over more. A board that was out of memory is tested
 * before it serves again. */
static void serves_again(int port, const struct answer *right, const char *path, long n)
{
    struct answer answer = ask(port, &small);
    for (int tries = 0; answer.code == 503 && tries < 30000; tries++) {
        client_free(&answer);
        usleep(2000);
        answer = ask(port, &small);
    }
    cr_expect(is_right(&small, &answer, right), "after %s, allocation %ld: %ld %.200s", path, n, answer.code,
              answer.body);
    client_free(&answer);
}

static bool memory_becomes(long blocks)
{
    for (int tries = 0; mem_in_use() != blocks; tries++) {
        if (tries == 60000)
            return false;
        usleep(1000);
    }
    return true;
}

/* False: the request takes fewer allocations. */
static bool one_fails(int port, const struct request *request, const struct answer *right, long n, int *failures)
{
    long from = mem_alloc_count();
    mem_fail_after(n);
    struct answer answer = ask(port, request);
    bool failed = mem_alloc_count() - from > n;
    mem_fail_after(-1);
    if (is_right(request, &answer, right)) {
        client_free(&answer);
    } else {
        cr_expect(failed, "%s failed by itself", request->path);
        expect_failure(answer, request, n);
        ++*failures;
    }
    return failed;
}

/* `blocks`: the memory in use when there is no request. */
static void torture(int port, const struct request *request, const struct answer *small_right, long blocks)
{
    struct answer right = ask(port, request);
    cr_assert_eq(right.code, 200, "%s: %ld %s", request->path, right.code, right.body);
    int failures = 0;
    long n = 0;
    while (one_fails(port, request, &right, n, &failures)) {
        serves_again(port, small_right, request->path, n);
        cr_assert_lt(++n, MAX_ALLOCATIONS, "%s", request->path);
    }
    cr_expect_gt(failures, 0, "%s", request->path);
    cr_expect(memory_becomes(blocks), "%s: %ld blocks, before there were %ld", request->path, mem_in_use(), blocks);
    client_free(&right);
}

/* {"inputs":[..]} of so many texts of so many words. */
static const char *texts(char *to, const char *options, int n, int words)
{
    char *begin = to;
    to += sprintf(to, "{%s\"inputs\":[", options);
    for (int t = 0; t < n; t++) {
        to += sprintf(to, "%s\"text %d", t ? "," : "", t);
        for (int w = 0; w < words; w++)
            to += sprintf(to, " word");
        to += sprintf(to, "\"");
    }
    sprintf(to, "]}");
    return begin;
}

/* What the library refuses, and what the server does: the answer says so, or that there was no memory. */
static void torture_refusals(int port, long blocks)
{
    static const char *const requests[] = {"GET /health\r\n\r\n",
                                           "POST /embed HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                                           "Content-Length: 3\r\n\r\n{}"};
    static struct raw_answer answer;
    for (size_t r = 0; r < sizeof requests / sizeof *requests; r++) {
        bool failed = true;
        for (long n = 0; failed; n++) {
            long from = mem_alloc_count();
            mem_fail_after(n);
            int fd = client_connect(port);
            raw_send(fd, requests[r], strlen(requests[r]));
            raw_read(fd, &answer, false, 600000);
            failed = mem_alloc_count() - from > n;
            mem_fail_after(-1);
            cr_expect(answer.code == 400 || (failed && answer.code == 500), "%d", answer.code);
            cr_expect(raw_is_error(&answer), "%s%s", answer.head, answer.body);
            close(fd);
            cr_assert_lt(n, MAX_ALLOCATIONS);
        }
        cr_expect(memory_becomes(blocks), "%s", requests[r]);
    }
}

static void torture_all(int port, long blocks)
{
    static char many[4096], chunked[4096];
    const struct request requests[] = {
        {"POST", "/embed", "{\"inputs\":[\"a\\u00e9\",[101,102]],\"dimensions\":4}", NULL},
        small,
        {"POST", "/embed", texts(many, "\"dimensions\":8,", 20, 4), NULL},
        {"POST", "/embed", texts(chunked, "\"chunk\":true,", 2, 40), NULL},
        {"POST", "/embed_all", "{\"inputs\":\"hello world\"}", NULL},
        {"POST", "/tokenize", "{\"inputs\":\"hello\"}", NULL},
        {"POST", "/decode", "{\"ids\":[101,7592,102]}", NULL},
        {"GET", "/metrics", "", "\nbertd_board_readmissions_total{board=\"emu0\"}"},
        {"GET", "/info", "", "\"model_id\":\"m\""},
        {"GET", "/boards", "", "\"name\":\"emu0\""},
        {"POST", "/admin/faults", "{\"board\":0,\"kind\":\"slow\",\"factor\":1,\"for_ms\":1}", NULL},
    };
    struct answer small_right = ask(port, &small);
    for (size_t r = 0; r < sizeof requests / sizeof *requests; r++)
        torture(port, &requests[r], &small_right, blocks);
    client_free(&small_right);
    torture_refusals(port, blocks);
}

static void torture_boards(uint32_t n_boards)
{
    struct ground ground = {0};
    struct error err;
    prepare(&ground, n_boards);
    struct metrics_registry *metrics = metrics_registry_create();
    struct serve_options options = options_of(&ground, metrics);
    struct serve_server *serve = NULL;
    struct serving serving = {0};
    cr_assert_eq(serve_server_create(&serve, &options, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(serving_start(&serving, serve, &http_options, &err), STATUS_OK, "%s", err.message);
    torture_all(serving.port, mem_in_use());
    serving_stop(&serving);
    cr_expect_null(serving.net);
    serve_server_destroy(&serve);
    cr_expect_null(serve);
    metrics_registry_destroy(&metrics);
    clear(&ground);
    cr_expect_eq(mem_in_use(), 0);
}

Test(torture, requests_to_one_board)
{
    torture_boards(1);
}

Test(torture, requests_to_two_boards)
{
    torture_boards(2);
}

Test(torture, requests_to_five_boards)
{
    torture_boards(5);
}

/* Sockets and threads are left as they were; libmicrohttpd's own memory is not ours to fail. */
Test(torture, creation)
{
    struct ground ground = {0};
    struct error err;
    prepare(&ground, 2);
    bool created = false;
    for (long n = 0; n < 200 && !created; n++) {
        struct metrics_registry *metrics = metrics_registry_create();
        struct serve_options options = options_of(&ground, metrics);
        struct serve_server *serve = NULL;
        struct serving serving = {0};
        mem_fail_after(n);
        enum status status = serve_server_create(&serve, &options, &err);
        if (status == STATUS_OK)
            status = serving_start(&serving, serve, &http_options, &err);
        mem_fail_after(-1);
        created = status == STATUS_OK;
        cr_assert(created || status == STATUS_NO_MEMORY || status == STATUS_FORMAT, "%s", err.message);
        serving_stop(&serving);
        serve_server_destroy(&serve);
        metrics_registry_destroy(&metrics);
    }
    cr_expect(created);
    clear(&ground);
}
