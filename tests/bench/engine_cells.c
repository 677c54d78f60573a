/* bertd's side of tests/bench/peers: a process that stays alive and answers one command a line.
 *
 *     open NAME DIR BOARDS [PLACEMENT] load the model, open a pool of emulated boards and its scheduler: "ok SECONDS"
 *     time NAME SEQS TOKENS COUNT      COUNT passes over SEQS texts of TOKENS tokens in one work: "ms T T T ..."
 *     ragged NAME COUNT LENGTH ...     COUNT passes over texts of these lengths, as works of 32 texts that wait
 *                                      together, as requests do: "ms T T T ..."
 *     loop NAME MS CLIENTS LENGTH ...  so many works of one text always in flight, of these lengths in turn, for so
 *                                      long, whose first third does not count: "tokens/s T"
 *     slow NAME BOARD PERCENT MS       that board takes PERCENT of the time that it would take, for so long: "ok"
 *     embed NAME ID ID ...             the mean of the last hidden states: "values V V V ..."
 *     quit
 *
 * PLACEMENT is replicate, split or tensor; without one whatever the scheduler chooses counts. What goes wrong ends the
 * process with a line on stderr.
 */
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/batch/batch.h"
#include "server/model/model.h"

enum { MAX_POOLS = 8, MAX_BOARDS = 64, MAX_BATCH_TOKENS = 16384, MAX_QUEUED = 16384, REQUEST = 32, MAX_WORDS = 8192 };

struct pool {
    char name[32];
    struct model_info info;
    struct batch *batch;
    struct pool *next;
};

static struct pool *pools;

static void must(enum status status, const struct error *err)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "bench-engine_cells: %s\n", err->message);
    exit(1);
}

static void *must_have(void *memory)
{
    if (memory)
        return memory;
    fprintf(stderr, "bench-engine_cells: no memory\n");
    exit(1);
}

static struct pool *pool_find(const char *name)
{
    for (struct pool *pool = pools; pool; pool = pool->next)
        if (strcmp(pool->name, name) == 0)
            return pool;
    fprintf(stderr, "bench-engine_cells: no pool is named %s: open it first\n", name);
    exit(1);
}

/* As the server starts: one board after another, unpinned, each self-tested, then the room. */
static enum batch_placement read_placement(const char *word)
{
    static const char *const names[BATCH_PLACEMENTS] = {
        [BATCH_REPLICATE] = "replicate", [BATCH_SPLIT] = "split", [BATCH_TENSOR] = "tensor"};
    for (int p = 0; p < BATCH_PLACEMENTS; p++)
        if (names[p] && strcmp(names[p], word) == 0)
            return (enum batch_placement)p;
    fprintf(stderr, "bench-engine_cells: there is no placement %s\n", word);
    exit(1);
}

static void open_pool(const char *name, const char *dir, uint32_t n_boards, enum batch_placement placement)
{
    struct pool *pool = must_have(mem_calloc(1, sizeof *pool));
    struct board *boards[MAX_BOARDS];
    struct image *image = NULL;
    struct error err;
    uint64_t begin = clock_now_ns();
    snprintf(pool->name, sizeof pool->name, "%s", name);
    must(model_read_info(&pool->info, dir, false, &err), &err);
    must(model_load_image(&image, dir, &pool->info, IMAGE_INT8, board_sections("emu"), &err), &err);
    if (n_boards < 1 || n_boards > MAX_BOARDS)
        must(error_set(&err, STATUS_USAGE, "between 1 and %d boards, not %u", MAX_BOARDS, n_boards), &err);
    for (uint32_t b = 0; b < n_boards; b++) {
        must(board_open(&boards[b], &(struct board_options){.kind = "emu", .index = b}, &err), &err);
        must(board_selftest(boards[b], &err), &err);
    }
    const struct batch_options options = {.image = image,
                                          .boards = boards,
                                          .n_boards = n_boards,
                                          .max_tokens = MAX_BATCH_TOKENS,
                                          .max_queued_items = MAX_QUEUED,
                                          .placement = placement};
    must(batch_create(&pool->batch, &options, &err), &err);
    image_release(&image);
    pool->next = pools;
    pools = pool;
    printf("ok %.3f\n", (double)(clock_now_ns() - begin) * 1e-9);
}

/* Passes -----------------------------------------------------------------------------------------------------------*/

struct texts {
    struct batch_item *items;
    struct batch_work *works;
    uint32_t n_items, n_works;
    uint32_t *ids;
    float *out;
    sem_t done;
};

static void on_done(struct batch_work *work, enum status status, const struct error *err)
{
    must(status, err);
    sem_post(work->cookie);
}

/* Texts of these lengths in works of `request` texts; ids are filled in by the caller, one text behind the other. */
static void texts_init(struct texts *texts, const struct pool *pool, const uint32_t *lengths, uint32_t n,
                       uint32_t request)
{
    size_t tokens = 0, width = pool->info.shape.hidden;
    struct error err;
    for (uint32_t i = 0; i < n; i++) {
        if (lengths[i] < 1 || lengths[i] > pool->info.shape.positions)
            must(error_set(&err, STATUS_USAGE, "a text of %u tokens: the model takes 1 to %u", lengths[i],
                           pool->info.shape.positions),
                 &err);
        tokens += lengths[i];
    }
    texts->n_items = n;
    texts->n_works = (n + request - 1) / request;
    texts->items = must_have(mem_calloc(n, sizeof *texts->items));
    texts->works = must_have(mem_calloc(texts->n_works, sizeof *texts->works));
    texts->ids = must_have(mem_calloc(tokens, sizeof *texts->ids));
    texts->out = must_have(mem_calloc(n * width, sizeof *texts->out));
    sem_init(&texts->done, 0, 0);
    const uint32_t *ids = texts->ids;
    for (uint32_t i = 0; i < n; ids += lengths[i++])
        texts->items[i] = (struct batch_item){
            .ids = ids, .n_tokens = lengths[i], .pooling = BATCH_POOL_MEAN, .out = texts->out + i * width};
}

static void texts_finish(struct texts *texts)
{
    sem_destroy(&texts->done);
    mem_free(texts->items);
    mem_free(texts->works);
    mem_free(texts->ids);
    mem_free(texts->out);
}

static void pass(struct texts *texts, const struct pool *pool, uint32_t request)
{
    struct error err;
    for (uint32_t w = 0; w < texts->n_works; w++) {
        uint32_t first = w * request, left = texts->n_items - first;
        struct batch_work *work = &texts->works[w];
        uint64_t tokens = 0;
        *work = (struct batch_work){.items = texts->items + first,
                                    .n_items = left < request ? left : request,
                                    .on_done = on_done,
                                    .cookie = &texts->done};
        for (uint32_t i = 0; i < work->n_items; i++)
            tokens += work->items[i].n_tokens;
        work->class = batch_class_of(work->n_items, tokens);
        must(batch_submit(pool->batch, work, &err), &err);
    }
    for (uint32_t w = 0; w < texts->n_works; w++)
        while (sem_wait(&texts->done) != 0)
            ;
}

static void fill_ids(struct texts *texts, const struct pool *pool, const uint32_t *lengths, uint32_t n)
{
    uint32_t *id = texts->ids, state = 1;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t t = 0; t < lengths[i]; t++) {
            state = state * 1664525 + 1013904223;
            *id++ = (state >> 8) % pool->info.shape.vocab;
        }
}

static void time_passes(const struct pool *pool, const uint32_t *lengths, uint32_t n, uint32_t request, uint32_t count)
{
    struct texts texts;
    texts_init(&texts, pool, lengths, n, request);
    fill_ids(&texts, pool, lengths, n);
    printf("ms");
    for (uint32_t i = 0; i < count; i++) {
        uint64_t begin = clock_now_ns();
        pass(&texts, pool, request);
        printf(" %.4f", (double)(clock_now_ns() - begin) * 1e-6);
    }
    printf("\n");
    texts_finish(&texts);
}

struct client {
    struct batch_work work;
    struct batch_item item;
    float *out;
    sem_t *any_done;
    atomic_bool done;
};

static void on_client_done(struct batch_work *work, enum status status, const struct error *err)
{
    struct client *client = work->cookie;
    must(status, err);
    sem_t *any_done = client->any_done;
    atomic_store(&client->done, true);
    sem_post(any_done);
}

static void submit(struct client *client, const struct pool *pool, const struct batch_item *item)
{
    struct error err;
    client->item = *item;
    client->item.out = client->out;
    atomic_store(&client->done, false);
    client->work = (struct batch_work){.items = &client->item,
                                       .n_items = 1,
                                       .class = batch_class_of(1, item->n_tokens),
                                       .on_done = on_client_done,
                                       .cookie = client};
    must(batch_submit(pool->batch, &client->work, &err), &err);
}

/* Closed loops; what ends in the last two thirds of the time counts. */
static void loop(const struct pool *pool, uint32_t ms, uint32_t n_clients, const uint32_t *lengths, uint32_t n)
{
    struct texts texts;
    texts_init(&texts, pool, lengths, n, 1);
    fill_ids(&texts, pool, lengths, n);
    struct client *clients = must_have(mem_calloc(n_clients, sizeof *clients));
    uint64_t tokens = 0, end = clock_now_ns() + ms * 1000000ull, begin = end - ms * 666666ull;
    uint32_t next = 0, running = n_clients;
    for (uint32_t c = 0; c < n_clients; c++) {
        clients[c].out = must_have(mem_calloc(pool->info.shape.hidden, sizeof(float)));
        clients[c].any_done = &texts.done;
        submit(&clients[c], pool, &texts.items[next++ % n]);
    }
    while (running > 0) {
        while (sem_wait(&texts.done) != 0)
            ;
        struct client *client = clients;
        while (!atomic_load(&client->done))
            client++;
        uint64_t now = clock_now_ns();
        bool over = now >= end;
        tokens += over || now < begin ? 0 : client->item.n_tokens;
        atomic_store(&client->done, false);
        if (over)
            running--;
        else
            submit(client, pool, &texts.items[next++ % n]);
    }
    printf("tokens/s %.1f\n", (double)tokens * 1e9 / (double)(end - begin));
    for (uint32_t c = 0; c < n_clients; c++)
        mem_free(clients[c].out);
    mem_free(clients);
    texts_finish(&texts);
}

static void embed(const struct pool *pool, const uint32_t *ids, uint32_t n)
{
    struct texts texts;
    texts_init(&texts, pool, &n, 1, 1);
    memcpy(texts.ids, ids, n * sizeof *ids);
    pass(&texts, pool, 1);
    printf("values");
    for (uint32_t i = 0; i < pool->info.shape.hidden; i++)
        printf(" %.8g", (double)texts.out[i]);
    printf("\n");
    texts_finish(&texts);
}

static void slow(const struct pool *pool, uint32_t board, uint32_t percent, uint32_t ms)
{
    const struct board_fault fault = {.kind = BOARD_FAULT_SLOW, .factor = percent / 100.0, .for_ns = ms * 1000000ull};
    struct error err;
    must(batch_inject(pool->batch, board, &fault, &err), &err);
    printf("ok\n");
}

/* Commands ---------------------------------------------------------------------------------------------------------*/

static void bad_command(const char *word)
{
    fprintf(stderr, "bench-engine_cells: not a command, or not all of one: %s\n", word);
    exit(2);
}

static void answer(char **words, uint32_t n)
{
    static uint32_t numbers[MAX_WORDS];
    if (n < 3)
        bad_command(words[0]);
    if (strcmp(words[0], "open") == 0) {
        if (n != 4 && n != 5)
            bad_command(words[0]);
        open_pool(words[1], words[2], (uint32_t)atoi(words[3]), n == 5 ? read_placement(words[4]) : BATCH_AUTO);
        return;
    }
    const struct pool *pool = pool_find(words[1]);
    uint32_t n_numbers = n - 2;
    for (uint32_t i = 0; i < n_numbers; i++)
        numbers[i] = (uint32_t)strtoul(words[i + 2], NULL, 10);
    if (strcmp(words[0], "time") == 0 && n_numbers == 3 && numbers[0] > 0 && numbers[0] <= MAX_WORDS) {
        uint32_t seqs = numbers[0], tokens = numbers[1], count = numbers[2];
        for (uint32_t i = 0; i < seqs; i++)
            numbers[i] = tokens;
        time_passes(pool, numbers, seqs, seqs, count);
    } else if (strcmp(words[0], "ragged") == 0 && n_numbers >= 2) {
        time_passes(pool, numbers + 1, n_numbers - 1, REQUEST, numbers[0]);
    } else if (strcmp(words[0], "loop") == 0 && n_numbers >= 3 && numbers[0] > 0 && numbers[1] > 0 &&
               numbers[1] <= MAX_WORDS) {
        loop(pool, numbers[0], numbers[1], numbers + 2, n_numbers - 2);
    } else if (strcmp(words[0], "slow") == 0 && n_numbers == 3) {
        slow(pool, numbers[0], numbers[1], numbers[2]);
    } else if (strcmp(words[0], "embed") == 0) {
        embed(pool, numbers, n_numbers);
    } else {
        bad_command(words[0]);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        bool help = strcmp(argv[1], "--help") == 0;
        fprintf(help ? stdout : stderr,
                "usage: bench-engine_cells < COMMANDS, which the head of its source explains\n");
        return help ? 0 : 2;
    }
    char *line = NULL, *words[MAX_WORDS];
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        uint32_t n = 0;
        for (char *word = strtok(line, " \n"); word && n < MAX_WORDS; word = strtok(NULL, " \n"))
            words[n++] = word;
        if (n > 0 && strcmp(words[0], "quit") == 0)
            break;
        if (n == 0)
            continue;
        answer(words, n);
        fflush(stdout);
    }
    free(line);
    while (pools) {
        struct pool *pool = pools;
        pools = pool->next;
        batch_destroy(&pool->batch, true);
        mem_free(pool);
    }
    return 0;
}
