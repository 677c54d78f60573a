/* A server of all surfaces in this process, over a small random model on an emulated board, and connections to it. */
#ifndef TESTS_FUZZ_SMALL_SERVER_H
#define TESTS_FUZZ_SMALL_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accel/backend.h"
#include "server/http/http.h"
#include "server/model/model.h"
#include "server/net/net.h"
#include "server/rpc/rpc.h"
#include "server/serve/serve.h"
#include "tests/fuzz/require.h"

enum { HIDDEN = 32, WIDE = 64, VOCAB = 6, POSITIONS = 40, WEIGHTS = 4096, PAYLOAD_LIMIT = 10000 };

static const char tokenizer[] =
    "{\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"[CLS]\",1],\"sep\":[\"[SEP]\",2]},"
    "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
    "\"max_input_chars_per_word\":20,\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\"a\":3,\"##a\":4,\"b\":5}}}";

static enum status layer(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err)
{
    (void)index;
    (void)err;
    const float *w = cookie;
    const struct image_source_linear square = {w, w}, first = {w + 7, w}, second = {w + 13, w};
    const struct image_source_norm norm = {w + 3, w + 5};
    *ret = (struct image_source_layer){square, {w + 1, w}, {w + 2, w}, square, first, second, norm, norm};
    return STATUS_OK;
}

static struct image *make_image(void)
{
    static float w[WEIGHTS];
    uint32_t state = 1;
    for (int i = 0; i < WEIGHTS; i++) {
        state = state * 1664525u + 1013904223u;
        w[i] = (float)(int32_t)state * 0x1p-34f;
    }
    const struct image_source source = {.shape = {.hidden = HIDDEN,
                                                  .layers = 1,
                                                  .heads = 2,
                                                  .intermediate = WIDE,
                                                  .vocab = VOCAB,
                                                  .positions = POSITIONS,
                                                  .types = 1,
                                                  .layer_norm_eps = 1e-12f},
                                        .word_embeddings = w,
                                        .position_embeddings = w + 100,
                                        .type_embeddings = w + 200,
                                        .embedding_norm = {w + 300, w + 400},
                                        .layer = layer,
                                        .cookie = w};
    struct image *image = NULL;
    REQUIRE(image_build(&image, &source, IMAGE_INT8, board_sections("emu"), NULL) == STATUS_OK);
    return image;
}

static struct serve_server *start_core(void)
{
    static struct serve_options options = {.model_dir = "/nonexistent",
                                           .model_id = "m",
                                           .served_model_name = "m",
                                           .model_dtype = "int8",
                                           .compute_type = "cpu",
                                           .instruction_set = "c",
                                           .version = "0",
                                           .n_boards = 1,
                                           .width = HIDDEN,
                                           .pooling = BATCH_POOL_MEAN,
                                           .max_input_length = POSITIONS,
                                           .auto_truncate = true,
                                           .max_chunks = 8,
                                           .max_concurrent_requests = 8,
                                           .max_client_batch_size = 8,
                                           .max_memory = 1 << 26,
                                           .workers = 1};
    struct serve_server *core = NULL;
    struct token_vocab *vocab = NULL;
    struct batch *batch = NULL;
    struct board *board = NULL;
    struct image *image = make_image();
    REQUIRE(token_vocab_parse(&vocab, tokenizer, sizeof tokenizer - 1, NULL) == STATUS_OK);
    REQUIRE(board_open(&board, &(struct board_options){.kind = "emu"}, NULL) == STATUS_OK);
    struct batch_options rooms = {
        .image = image, .boards = &board, .n_boards = 1, .max_tokens = 512, .max_queued_items = 64};
    REQUIRE(batch_create(&batch, &rooms, NULL) == STATUS_OK);
    image_release(&image);
    options.vocab = vocab;
    options.batch = batch;
    options.metrics = metrics_registry_create();
    REQUIRE(options.metrics);
    REQUIRE(serve_server_create(&core, &options, NULL) == STATUS_OK);
    return core;
}

/* Lives as long as the process. Returns its port; `ret` is for net_server_get_stats. */
static inline uint16_t start_server(struct net_server **ret)
{
    static struct net_handler handlers[2];
    static const struct http_options rest = {
        .payload_limit = PAYLOAD_LIMIT, .max_connections = 64, .idle_timeout_s = 600};
    static struct rpc_options calls = {.payload_limit = PAYLOAD_LIMIT};
    static struct http_server *http;
    static struct rpc_server *rpc;
    struct serve_server *core = start_core();
    struct net_listener listener = {.side = NET_PUBLIC};
    const struct net_options options = {.handlers = handlers,
                                        .n_handlers = 2,
                                        .max_connections = 64,
                                        .idle_timeout_s = 600,
                                        .cores = 2,
                                        .write_refusal = http_write_refusal,
                                        .spare_body = http_spare_body,
                                        .discard_limit = PAYLOAD_LIMIT + (16 << 20),
                                        .max_streams = 100};
    uint16_t port = 0;
    calls.services = rpc_services(&calls.n_services);
    REQUIRE(rpc_server_create(&rpc, core, &calls, NULL) == STATUS_OK);
    REQUIRE(http_server_create(&http, core, &rest, NULL) == STATUS_OK);
    rpc_server_handler(rpc, &handlers[0]);
    http_server_handler(http, &handlers[1]);
    REQUIRE(net_listen(&listener.fd, &port, "127.0.0.1", 0, NULL) == STATUS_OK);
    REQUIRE(net_server_create(ret, &options, &listener, 1, NULL) == STATUS_OK);
    return port;
}

/* From another loopback address each time: ports of ended connections are taken for a minute. */
static inline int connect_to(uint16_t port)
{
    static uint32_t number;
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + number++ % 60000);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&source, sizeof source) == 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return fd;
        if (errno != EINTR) /* the fuzzer's own clock */
            perror("connect");
        REQUIRE(errno == EINTR);
        close(fd);
    }
}

/* False: the other side has ended. */
static inline bool send_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

#endif
