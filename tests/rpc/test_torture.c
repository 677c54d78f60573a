/* Memory runs out: the allocations of a call fail one by one, in each protocol, over one board and over two. Every call
 * has the right answer, an error that says what happened, or none where not even that can be said; and afterwards all
 * is as before. */
#include <stdio.h>

#include "base/mem.h"
#include "server/rpc/status.h"
#include "tests/rpc/asking/asking.h"
#include "tests/rpc/listening.h"

enum { MAX_ALLOCATIONS = 400, PROTO = 0, JSON = 1, CONNECT_STREAM = 2, WEB_TEXT = 6, GRPC = 7 };

/* A call. Its answer is always the same, or has a part that is. */
struct call_case {
    int way;
    struct question question;
    bool has_row;     /* the vector of "a b c" is in the answer */
    const char *part; /* is in the answer; NULL: the answer is always the same */
};

#define ROW                                                                                                            \
    "\x0a\x05"                                                                                                         \
    "a b c"
#define ROW_LEN 7
#define TWO     "\0\0\0\0\x07" ROW "\0\0\0\0\x07" ROW
#define TWO_LEN 24

static const struct call_case cases[] = {
    {PROTO, {"/tei.v1.Embed/Embed", ROW, ROW_LEN, false, {0}}, true, NULL},
    {WEB_TEXT, {"/tei.v1.Embed/Embed", ROW, ROW_LEN, false, {0}}, true, NULL},
    {GRPC, {"/tei.v1.Embed/Embed", ROW, ROW_LEN, false, {0}}, true, NULL},
    {GRPC, {"/tei.v1.Embed/EmbedStream", TWO, TWO_LEN, true, {0}}, true, NULL},
    {CONNECT_STREAM, {"/tei.v1.Embed/EmbedStream", TWO, TWO_LEN, true, {0}}, true, NULL},
    {GRPC, {"/bertd.v1.Embeddings/EmbedBatch", ROW ROW ROW, 3 * ROW_LEN, false, {0}}, true, NULL},
    {PROTO, {"/bertd.v1.Embeddings/EmbedBatch", ROW ROW ROW, 3 * ROW_LEN, false, {0}}, true, NULL},
    {JSON,
     {"/tei.v1.Tokenize/Tokenize", "{\"inputs\":\"a b c\",\"addSpecialTokens\":true}", 42, false, {0}},
     false,
     NULL},
    {JSON, {"/tei.v1.Info/Info", "{}", 2, false, {0}}, false, "\"modelId\":\"a model\""},
    {JSON, {"/bertd.v1.Boards/List", "{}", 2, false, {0}}, false, "\"name\":"},
    {GRPC, {"/grpc.health.v1.Health/Check", "", 0, false, {0}}, false, NULL},
    {GRPC, {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "\x3a\x00", 2, false, {0}}, false, NULL},
};
static const struct call_case small = {PROTO, {"/tei.v1.Embed/Embed", ROW, ROW_LEN, false, {0}}, true, NULL};

static struct apart client;

static struct told ask_alone(const struct call_case *call)
{
    struct told told;
    apart_ask(&client, port, &ways[call->way], &call->question);
    cr_expect(apart_take(&client, &ways[call->way], &told), "%s: no answer", call->question.path);
    return told;
}

static bool contains(const struct buf *body, const void *bytes, size_t len)
{
    return memmem(body->data, body->len, bytes, len) != NULL;
}

static bool is_right(const struct call_case *call, const struct told *told, const struct told *right, const float *row)
{
    if (told->http != 200 || told->code != 0)
        return false;
    if (call->has_row)
        return contains(&told->body, row, EMU_HIDDEN * sizeof *row);
    if (call->part)
        return contains(&told->body, call->part, strlen(call->part));
    return told->body.len == right->body.len && memcmp(told->body.data, right->body.data, told->body.len) == 0;
}

/* In the protocol's words, or in HTTP's where there was no memory for those. */
static void expect_failure(const struct call_case *call, const struct told *told, long n)
{
    const struct way *way = &ways[call->way];
    if (told->code == 99) {
        cr_expect(told->http == 500 && strstr(told->body.data, "no memory"), "%s, %s, allocation %ld: %ld %s%s",
                  call->question.path, way->type, n, told->http, told->head.data, told->body.data);
        return;
    }
    cr_expect_eq(told->code, (unsigned)RPC_RESOURCE_EXHAUSTED, "%s, %s, allocation %ld: %u %s", call->question.path,
                 way->type, n, told->code, told->message);
    cr_expect(strstr(told->message, "no memory") || !told->message[0], "%s, %s, allocation %ld: %s",
              call->question.path, way->type, n, told->message);
    cr_expect_eq(told->http, way->form == FORM_UNARY ? 429 : 200);
}

/* A board that was out of memory is tested before it serves again. */
static void serves_again(const float *row, const struct call_case *after, long n)
{
    struct told told = ask_alone(&small);
    for (int tries = 0; told.code == RPC_UNAVAILABLE && tries < 30000; tries++) {
        told_free(&told);
        usleep(2000);
        told = ask_alone(&small);
    }
    cr_expect(is_right(&small, &told, NULL, row), "after %s, allocation %ld: %u %s", after->question.path, n, told.code,
              told.message);
    told_free(&told);
}

struct tally {
    int failures; /* told to the client */
    int silences; /* not told */
};

/* False: the call takes fewer allocations. */
static bool one_fails(const struct call_case *call, const struct told *right, const float *row, long n,
                      struct tally *tally)
{
    struct told told;
    long from = mem_alloc_count();
    mem_fail_after(n);
    apart_ask(&client, port, &ways[call->way], &call->question);
    bool failed = mem_alloc_count() - from > n;
    mem_fail_after(-1);
    if (!apart_take(&client, &ways[call->way], &told)) {
        cr_expect(failed, "%s, %s: no answer", call->question.path, ways[call->way].type);
        tally->silences++;
    } else if (!is_right(call, &told, right, row)) {
        cr_expect(failed, "%s, %s failed by itself", call->question.path, ways[call->way].type);
        expect_failure(call, &told, n);
        tally->failures++;
    }
    told_free(&told);
    return failed;
}

static bool memory_becomes(long blocks)
{
    for (int tries = 0; mem_in_use() > blocks; tries++) {
        if (tries == 60000)
            return false;
        usleep(1000);
    }
    return true;
}

static void torture(const struct call_case *call, const float *row)
{
    struct tally tally = {0};
    long n = 0, blocks = mem_in_use();
    struct told right = ask_alone(call);
    cr_assert(is_right(call, &right, &right, row), "%s, %s: %u %s", call->question.path, ways[call->way].type,
              right.code, right.message);
    while (one_fails(call, &right, row, n, &tally)) {
        serves_again(row, call, n);
        cr_assert_lt(++n, MAX_ALLOCATIONS, "%s", call->question.path);
    }
    printf("%s, %s: of %ld allocations %d failures were told, %d not\n", call->question.path, ways[call->way].type, n,
           tally.failures, tally.silences);
    cr_expect_gt(tally.failures, 0, "%s, %s", call->question.path, ways[call->way].type);
    told_free(&right);
    cr_expect(memory_becomes(blocks), "%s, %s: %ld blocks, before there were %ld", call->question.path,
              ways[call->way].type, mem_in_use(), blocks);
}

static void torture_boards(uint32_t n_boards)
{
    long blocks = mem_in_use();
    client = apart_begin();
    emu_n_boards = n_boards;
    begin();
    listen_to_all(false);
    float *row = direct_rows("a b c", false, true);
    struct told told = ask_alone(&small); /* what is made once and kept */
    told_free(&told);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        torture(&cases[c], row);
    free(row);
    close_listening();
    end();
    apart_end(&client);
    cr_expect_eq(mem_in_use(), blocks);
}

Test(torture, calls_to_one_board)
{
    torture_boards(1);
}

Test(torture, calls_to_two_boards)
{
    torture_boards(2);
}
