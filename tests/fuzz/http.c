/* Bytes to the listening socket of a server in this process, over a small random model.
 *
 * What must hold, whatever the bytes: once the client has sent its last byte, the server answers in whole responses,
 * one head each, and closes the connection; every refusal is JSON with an error. Silence is found by -timeout. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accel/backend.h"
#include "server/model/model.h"
#include "tests/http/serving.h"

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { HIDDEN = 32, WIDE = 64, VOCAB = 6, POSITIONS = 40, WEIGHTS = 4096, ANSWER = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

/* Lives as long as the process. Returns its port. */
static uint16_t start_server(void)
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
    const struct http_options http = {.payload_limit = 10000, .max_connections = 64, .idle_timeout_s = 600};
    static struct serve_server *serve;
    static struct token_vocab *vocab;
    static struct batch *batch;
    static struct serving serving;
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
    REQUIRE(serve_server_create(&serve, &options, NULL) == STATUS_OK);
    REQUIRE(serving_start(&serving, serve, &http, NULL) == STATUS_OK);
    return serving.port;
}

/* From another loopback address each time: ports of ended connections are taken for a minute. */
static int connect_to(uint16_t port)
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

/* Send all, end, and read to the end. Returns how much was read. */
static size_t talk(int fd, const uint8_t *data, size_t size, char *answer)
{
    size_t n = 0;
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        data += sent;
        size -= (size_t)sent;
    }
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    poll(&poll_fd, 1, 1); /* mostly the end comes after the bytes have been read, sometimes together with them */
    shutdown(fd, SHUT_WR);
    ssize_t got;
    while (n < ANSWER - 1 && (got = recv(fd, answer + n, ANSWER - 1 - n, 0)) > 0)
        n += (size_t)got;
    REQUIRE(n < ANSWER - 1);
    answer[n] = '\0';
    return n;
}

/* Whole responses and nothing else. `heads`: some may have no body though they tell its length. */
static void check(const char *answer, size_t n, bool heads)
{
    const char *end = answer + n;
    while (answer < end) {
        const char *body = memmem(answer, (size_t)(end - answer), "\r\n\r\n", 4);
        REQUIRE(body && strncmp(answer, "HTTP/1.", 7) == 0);
        int code = atoi(answer + 9);
        const char *length = strcasestr(answer, "\r\ncontent-length: ");
        size_t len = length && length < body ? strtoul(length + 18, NULL, 10) : 0;
        body += 4;
        REQUIRE(code >= 100 && code < 600);
        if (code < 200 || code == 204)
            len = 0;
        if (heads && (body == end || strncmp(body, "HTTP/1.", 7) == 0))
            len = 0;
        REQUIRE(len <= (size_t)(end - body));
        REQUIRE(code < 400 || len == 0 || strncmp(body, "{\"error\":", 9) == 0);
        REQUIRE(code < 500 || code == 501 || code == 503 || code == 504 || code == 505);
        answer = body + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint16_t port;
    static char answer[ANSWER];
    if (!port)
        port = start_server();
    int fd = connect_to(port);
    size_t n = talk(fd, data, size, answer);
    close(fd);
    check(answer, n, memmem(data, size, "HEAD", 4) != NULL);
    return 0;
}
