/* libbertd's readers of answers on any bytes. The first byte says which answer it is; what is accepted keeps the
 * promises of bertd.h, and memory is bounded by the answer. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "clients/c/json.h"
#include "clients/c/learn.h"
#include "clients/c/number.h"
#include "clients/c/request.h"
#include "clients/c/results.h"
#include "clients/c/transfer.h"
#include "tests/fuzz/require.h"

enum { TEXTS = 3, MEMORY_PER_BYTE = 256, MEMORY_AT_ONCE = 1 << 16 };

static volatile uint64_t sink;
static size_t asked_for;

static void *allocate(void *cookie, size_t size)
{
    (void)cookie;
    asked_for += size;
    return malloc(size);
}

static void *reallocate(void *cookie, void *memory, size_t size)
{
    (void)cookie;
    asked_for += size;
    return realloc(memory, size);
}

static void release(void *cookie, void *memory)
{
    (void)cookie;
    free(memory);
}

/* A call of three texts whose only request has been answered, without a network. */
struct answered {
    struct bertd_endpoint endpoint;
    struct bertd_client client;
    struct bertd_queue queue;
    struct bertd_call call;
    struct bertd_transfer transfer;
    struct bertd_part part;
};

static void begin(struct answered *it, enum bertd_operation operation, enum bertd_server server, const uint8_t *data,
                  size_t size)
{
    static CURL *easy; /* of no request: no header, and no status */
    easy = easy ? easy : curl_easy_init();
    REQUIRE(easy);
    *it = (struct answered){.endpoint = {.shown = "http://fuzz"}};
    it->client.memory = (struct bertd_memory){allocate, reallocate, release, NULL};
    it->client.endpoints = &it->endpoint;
    it->client.n_endpoints = 1;
    it->queue.client = &it->client;
    it->call.queue = &it->queue;
    it->call.inputs = (struct bertd_inputs){.operation = operation, .n = TEXTS};
    it->transfer.easy = easy;
    it->transfer.part = &it->part;
    it->transfer.answer = (struct bertd_bytes){&it->client.memory, (char *)data, size, size, false};
    it->part = (struct bertd_part){.call = &it->call,
                                   .end = TEXTS,
                                   .endpoint = &it->endpoint,
                                   .known = {.server = server},
                                   .transfer = &it->transfer};
}

/* Errors are one line of UTF-8 that rules no terminal. */
static void check_error(enum bertd_status status, const struct bertd_error *err)
{
    size_t len = strnlen(err->message, sizeof err->message);
    REQUIRE(status == err->status && len > 0 && len < sizeof err->message);
    REQUIRE(utf8_valid(err->message, len) == len);
    for (size_t i = 0; i < len; i++)
        REQUIRE((unsigned char)err->message[i] >= ' ' && err->message[i] != 0x7f);
}

static void touch(const void *data, size_t size)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += ((const unsigned char *)data)[i];
    sink = sum;
}

static void check_begins(const size_t *begins)
{
    REQUIRE(begins[0] == 0);
    for (size_t i = 0; i < TEXTS; i++)
        REQUIRE(begins[i] <= begins[i + 1]);
}

static void check_result(const struct answered *it)
{
    if (it->call.inputs.operation == BERTD_EMBED) {
        const struct bertd_embeddings *made = it->call.result;
        REQUIRE(made->rows == TEXTS && made->width > 0);
        touch(made->vectors, made->rows * made->width * sizeof(float));
    } else if (it->call.inputs.operation == BERTD_EMBED_ALL) {
        const struct bertd_token_embeddings *made = it->call.result;
        REQUIRE(made->texts == TEXTS);
        check_begins(made->begin);
        touch(made->vectors, made->begin[TEXTS] * made->width * sizeof(float));
    } else {
        const struct bertd_tokens *made = it->call.result;
        REQUIRE(made->texts == TEXTS);
        check_begins(made->begin);
        for (size_t i = 0; i < made->begin[TEXTS]; i++) {
            REQUIRE(made->tokens[i].text[made->tokens[i].length] == '\0');
            touch(made->tokens[i].text, made->tokens[i].length);
        }
    }
}

static void read_results(enum bertd_operation operation, enum bertd_server server,
                         enum bertd_status (*read)(struct bertd_part *part, struct bertd_error *err),
                         const uint8_t *data, size_t size)
{
    struct answered it;
    struct bertd_error err = {0};
    begin(&it, operation, server, data, size);
    enum bertd_status status = read(&it.part, &err);
    if (status == BERTD_OK)
        status = bertd_answer_finish(&it.call, &err);
    if (status == BERTD_OK)
        check_result(&it);
    else
        check_error(status, &err);
    bertd_answer_drop(&it.call);
}

static void check_info(const struct answered *it, struct bertd_info *info)
{
    const char *const texts[] = {info->endpoint,          info->version,     info->model_id,
                                 info->served_model_name, info->model_dtype, info->pooling};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        touch(texts[i], strlen(texts[i]));
    REQUIRE(info->json_length == it->transfer.answer.len && info->json[info->json_length] == '\0');
    bertd_free(info);
}

static void learn(const uint8_t *data, size_t size, bool models)
{
    struct answered it;
    struct bertd_info *info = NULL;
    struct bertd_error err = {0};
    begin(&it, BERTD_INFO, BERTD_SERVER_UNKNOWN, data, size);
    const struct bertd_bytes *answer = &it.transfer.answer;
    enum bertd_status status = models ? bertd_learn_models(&it.client, &it.endpoint, answer, true, &info, &err)
                                      : bertd_learn_info(&it.client, &it.endpoint, answer, &info, &err);
    if (status != BERTD_OK)
        check_error(status, &err);
    if (info)
        check_info(&it, info);
    REQUIRE(info || status != BERTD_OK || !models);
}

/* The words of an answer that is an error. */
static void judge(const uint8_t *data, size_t size)
{
    struct answered it;
    struct bertd_error err = {0};
    begin(&it, BERTD_EMBED, BERTD_SERVER_BERTD, data, size);
    REQUIRE(bertd_transfer_judge(&it.transfer, CURLE_OK, &err) != BERTD_ANSWERED);
    check_error(err.status, &err);
}

/* A number is what the C library reads. */
static void check_number(const uint8_t *data, size_t size)
{
    float read = 0;
    const char *begin = (const char *)data, *behind = bertd_number_float(begin, begin + size, &read);
    char copy[128];
    size_t len = behind ? (size_t)(behind - begin) : 0;
    if (!behind || len >= sizeof copy)
        return;
    memcpy(copy, begin, len);
    copy[len] = '\0';
    float right = strtof(copy, NULL);
    REQUIRE(memcmp(&read, &right, sizeof read) == 0);
}

/* A text that was read and is written again reads the same. */
static void check_text(const uint8_t *data, size_t size)
{
    static const struct bertd_memory memory = {allocate, reallocate, release, NULL};
    struct bertd_bytes meant = {.memory = &memory}, written = {.memory = &memory}, again = {.memory = &memory};
    struct bertd_json json = bertd_json_of(data, size);
    struct bertd_slice text;
    if (bertd_json_text(&json, &text) && bertd_json_unescape(&meant, text)) {
        bertd_json_write(&written, meant.data ? meant.data : "", meant.len);
        json = bertd_json_of(written.data, written.len);
        REQUIRE(bertd_json_text(&json, &text) && bertd_json_unescape(&again, text) && bertd_json_ends(&json));
        REQUIRE(again.len == meant.len && (meant.len == 0 || memcmp(again.data, meant.data, meant.len) == 0));
    }
    bertd_bytes_finish(&meant);
    bertd_bytes_finish(&written);
    bertd_bytes_finish(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t kind = *data++;
    size--;
    asked_for = 0;
    switch (kind) {
    case 'b':
        read_results(BERTD_EMBED, BERTD_SERVER_BERTD, bertd_vectors_read, data, size);
        break;
    case 'e':
        read_results(BERTD_EMBED, BERTD_SERVER_TEI, bertd_vectors_read, data, size);
        break;
    case 'o':
        read_results(BERTD_EMBED, BERTD_SERVER_OPENAI, bertd_openai_read, data, size);
        break;
    case 'a':
        read_results(BERTD_EMBED_ALL, BERTD_SERVER_BERTD, bertd_pieces_read_vectors, data, size);
        break;
    case 't':
        read_results(BERTD_TOKENIZE, BERTD_SERVER_BERTD, bertd_pieces_read_tokens, data, size);
        break;
    case 'i':
    case 'm':
        learn(data, size, kind == 'm');
        break;
    case 'j':
        judge(data, size);
        break;
    default:
        check_number(data, size);
        check_text(data, size);
        break;
    }
    REQUIRE(asked_for <= MEMORY_PER_BYTE * size + MEMORY_AT_ONCE);
    return 0;
}
