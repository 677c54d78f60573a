/* Memory runs out: a server in this process whose allocations fail one by one. Every request ends with an answer or a
 * closed connection, and afterwards all is as before. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/http/http.h"
#include "server/model/model.h"
#include "server/serve/serve.h"
#include "tests/http/client.h"
#include "tests/http/process.h"

/* What a server stands on. */
struct ground {
    struct model_info info;
    struct token_vocab *vocab;
    struct image *image;
    struct board *board;
    struct batch *batch;
};

static void prepare(struct ground *ground)
{
    struct error err;
    const char *model = process_model();
    if (!model)
        cr_skip_test("no model");
    cr_assert_eq(model_read_info(&ground->info, model, false, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(token_vocab_load(&ground->vocab, model, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(model_load_image(&ground->image, model, &ground->info, IMAGE_INT8, board_sections("emu"), &err),
                 STATUS_OK, "%s", err.message);
    struct board_options board = {.kind = "emu"};
    cr_assert_eq(board_open(&ground->board, &board, &err), STATUS_OK, "%s", err.message);
    struct batch_options batch = {.image = ground->image,
                                  .boards = &ground->board,
                                  .n_boards = 1,
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
                                  .n_boards = 1,
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

static const struct http_options http_options = {
    .payload_limit = 100000, .max_connections = 64, .idle_timeout_s = 10, .cores = 2};

/* What a connection of its own hears: a code, or -1. */
static int ask(int port, const char *method, const char *path, const char *body)
{
    static char request[65536];
    static char answer[1 << 20];
    int len = snprintf(request, sizeof request,
                       "%s %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                       method, path, strlen(body), body);
    int fd = client_connect(port);
    client_send(fd, request, (size_t)len);
    int code = client_read(fd, answer, sizeof answer);
    close(fd);
    return code;
}

static bool may_be(int code, int good)
{
    static const int ways[] = {-1, 500, 424, 503};
    bool failed = false;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        failed = failed || code == ways[i];
    return code == good || failed;
}

static void torture(int port, const char *method, const char *path, const char *body)
{
    cr_assert_eq(ask(port, method, path, body), 200, "%s", path);
    int failures = 0;
    for (long n = 0; n < 40; n++) {
        mem_fail_after(n);
        int code = ask(port, method, path, body);
        mem_fail_after(-1);
        cr_expect(may_be(code, 200), "%s with allocation %ld failing: %d", path, n, code);
        failures += code != 200;
        int tries = 0; /* a board that was out of memory is tested before it serves again */
        while ((code = ask(port, method, path, body)) == 503 && tries++ < 30000)
            usleep(20000);
        cr_expect_eq(code, 200, "%s after allocation %ld failed: %d", path, n, code);
    }
    cr_expect_gt(failures, 0, "%s", path);
}

Test(torture, requests)
{
    struct ground ground = {0};
    struct error err;
    prepare(&ground);
    struct metrics_registry *metrics = metrics_registry_create();
    struct serve_options options = options_of(&ground, metrics);
    struct serve_server *serve = NULL;
    struct http_server *http = NULL;
    int fd = -1;
    uint16_t port = 0;
    cr_assert_eq(http_listen(&fd, &port, "127.0.0.1", 0, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(serve_server_create(&serve, &options, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(http_server_create(&http, serve, &http_options, fd, &err), STATUS_OK, "%s", err.message);
    char long_body[4096];
    char *to = long_body + sprintf(long_body, "{\"inputs\":[");
    for (int i = 0; i < 12; i++)
        to += sprintf(to, "%s\"%0*d\"", i ? "," : "", 80, i);
    sprintf(to, "]}");
    torture(port, "POST", "/embed", "{\"inputs\":[\"a\\u00e9\",[101,102]],\"dimensions\":4}");
    torture(port, "POST", "/embed", long_body);
    to = long_body + sprintf(long_body, "{\"chunk\":true,\"inputs\":[\"x\",\"");
    for (int i = 0; i < 40; i++)
        to += sprintf(to, "word ");
    sprintf(to, "\"]}");
    torture(port, "POST", "/embed", long_body);
    torture(port, "POST", "/embed_all", "{\"inputs\":\"hello world\"}");
    torture(port, "POST", "/tokenize", "{\"inputs\":\"hello\"}");
    torture(port, "POST", "/decode", "{\"ids\":[101,7592,102]}");
    torture(port, "GET", "/metrics", "");
    torture(port, "GET", "/info", "");
    torture(port, "GET", "/boards", "");
    torture(port, "POST", "/admin/faults", "{\"board\":0,\"kind\":\"slow\",\"factor\":1,\"for_ms\":1}");
    http_server_destroy(&http);
    cr_expect_null(http);
    serve_server_destroy(&serve);
    cr_expect_null(serve);
    metrics_registry_destroy(&metrics);
    clear(&ground);
}

/* Sockets and threads are left as they were; libmicrohttpd's own memory is not ours to fail. */
Test(torture, creation)
{
    struct ground ground = {0};
    struct error err;
    prepare(&ground);
    bool created = false;
    for (long n = 0; n < 200 && !created; n++) {
        struct metrics_registry *metrics = metrics_registry_create();
        struct serve_options options = options_of(&ground, metrics);
        struct serve_server *serve = NULL;
        struct http_server *http = NULL;
        int fd = -1;
        uint16_t port = 0;
        cr_assert_eq(http_listen(&fd, &port, "127.0.0.1", 0, &err), STATUS_OK, "%s", err.message);
        mem_fail_after(n);
        enum status status = serve_server_create(&serve, &options, &err);
        if (status == STATUS_OK)
            status = http_server_create(&http, serve, &http_options, fd, &err);
        mem_fail_after(-1);
        created = status == STATUS_OK;
        cr_assert(created || status == STATUS_NO_MEMORY || status == STATUS_FORMAT, "%s", err.message);
        http_server_destroy(&http);
        serve_server_destroy(&serve);
        if (!created)
            close(fd);
        metrics_registry_destroy(&metrics);
    }
    cr_expect(created);
    clear(&ground);
}
