/* bench-lone: one short text at a time without HTTP, and what a pause before it costs.
 *
 *     bench-lone --model DIR [--boards N] [--tokens N] [--passes N] [--rounds N] [--pauses US,..]
 *                [--placement auto|split|replicate]
 *
 * A text is computed again and again, by an engine on this thread (`engine`) and by boards behind their scheduler
 * (`loop`): back to back, and after pauses in which this thread spins (`awake`), reads other memory (`cold`) or sleeps
 * (`asleep`). Before each eighth pass of the engine a chain of products tells the clock of the core. All take turns,
 * `rounds` times, `passes` each. Prints JSON: medians, in microseconds. `busy`
 * is the boards' own time, of all boards by their number.
 */
#include <getopt.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "accel/engine.h"
#include "base/clock.h"
#include "base/mem.h"
#include "server/batch/batch.h"
#include "server/model/model.h"
#include "tests/bench/closed_loop.h"

enum { MAX_BOARDS = 64, MAX_PASSES = 1 << 16, MAX_CASES = 64, CHAIN = 4096, CLOCK_EVERY = 8, OTHER_BYTES = 64 << 20 };

enum pause { NONE, AWAKE, COLD, ASLEEP, PAUSES };
enum part { WALL, QUEUE, INFERENCE, BUSY, PARTS };

static const char *const pause_names[PAUSES] = {"none", "awake", "cold", "asleep"};
static const char *const part_names[PARTS] = {"wall", "queue", "inference", "busy"};

struct pool {
    struct model_info info;
    struct image *image;
    struct engine *engine;
    struct batch *batch;
    uint32_t n_boards;
    struct board_job job;
    struct batch_item item;
    sem_t done;
};

struct scene {
    bool boards; /* the loop; else the engine */
    enum pause pause;
    uint32_t pause_us;
    uint32_t n, n_clocks;
    float *us[PARTS];
    float *ghz;
};

static struct {
    const char *model;
    int boards, tokens, placement, passes, rounds, pauses[MAX_LIST], n_pauses;
} options = {.boards = 1, .tokens = 16, .passes = 100, .rounds = 10, .pauses = {100, 1000}, .n_pauses = 2};

static void must(enum status status, const struct error *err)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "bench-lone: %s\n", err->message);
    exit(1);
}

static void *must_have(void *memory)
{
    if (memory)
        return memory;
    fprintf(stderr, "bench-lone: no memory\n");
    exit(1);
}

static void open_pool(struct pool *pool)
{
    struct board *boards[MAX_BOARDS];
    struct error err;
    pool->n_boards = (uint32_t)options.boards;
    must(model_read_info(&pool->info, options.model, false, &err), &err);
    must(model_load_image(&pool->image, options.model, &pool->info, IMAGE_INT8, board_sections("emu"), &err), &err);
    must(cpu_engine.create(&pool->engine, pool->image, true, &err), &err);
    for (uint32_t b = 0; b < pool->n_boards; b++)
        must(board_open(&boards[b], &(struct board_options){.kind = "emu", .index = b}, &err), &err);
    const struct batch_options how = {.image = pool->image,
                                      .boards = boards,
                                      .n_boards = pool->n_boards,
                                      .placement = (enum batch_placement)options.placement,
                                      .max_tokens = 16384,
                                      .max_queued_items = 16};
    must(batch_create(&pool->batch, &how, &err), &err);
    sem_init(&pool->done, 0, 0);
}

static void make_text(struct pool *pool)
{
    uint32_t n = (uint32_t)options.tokens, width = pool->info.shape.hidden;
    uint32_t *ids = must_have(mem_calloc(n, sizeof *ids)), *ends = must_have(mem_calloc(2, sizeof *ends));
    for (uint32_t i = 0; i < n; i++)
        ids[i] = (i * 2654435761u >> 8) % pool->info.shape.vocab;
    ends[1] = n;
    pool->job = (struct board_job){.image = pool->image, .n_seqs = 1, .n_rows = n, .cu_seqlens = ends, .ids = ids};
    pool->job.hidden = must_have(mem_alloc_aligned(64, (size_t)n * width * sizeof(float)));
    pool->job.hidden_sums = must_have(mem_calloc(n, sizeof(uint32_t)));
    pool->item = (struct batch_item){.ids = ids, .n_tokens = n, .pooling = BATCH_POOL_MEAN};
    pool->item.out = must_have(mem_calloc(width, sizeof(float)));
}

/* Pauses -----------------------------------------------------------------------------------------------------------*/

static void read_other_memory(void)
{
    static unsigned char *other;
    static volatile unsigned char sum;
    static size_t at;
    if (!other)
        memset(other = must_have(mem_alloc(OTHER_BYTES)), 1, OTHER_BYTES);
    for (size_t line = 0; line < 1024; line++)
        sum += other[(at = (at + 64) % OTHER_BYTES)];
}

static void rest(enum pause pause, uint32_t us)
{
    uint64_t end = clock_now_ns() + us * 1000ull;
    if (pause == ASLEEP)
        nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000l}, NULL);
    while (pause != NONE && pause != ASLEEP && clock_now_ns() < end)
        if (pause == COLD)
            read_other_memory();
}

/* A product that needs the one before takes three cycles. */
static float read_clock(void)
{
    uint64_t value = 1, begin = clock_now_ns();
    for (int i = 0; i < CHAIN; i++) {
#if defined(__x86_64__)
        __asm__ volatile("imul %0, %0" : "+r"(value));
#else
        value *= value;
        __asm__ volatile("" : "+r"(value));
#endif
    }
    return 3 * CHAIN / (float)(clock_now_ns() - begin);
}

/* Passes -----------------------------------------------------------------------------------------------------------*/

static void run_engine(struct pool *pool, struct scene *scene)
{
    struct error err;
    if (scene->n % CLOCK_EVERY == CLOCK_EVERY - 1)
        scene->ghz[scene->n_clocks++] = read_clock();
    uint64_t begin = clock_now_ns();
    for (uint32_t layer = 0; layer < pool->info.shape.layers; layer++)
        must(cpu_engine.run(pool->engine, &pool->job, BOARD_RUN, layer, 0, pool->job.n_rows, &err), &err);
    scene->us[WALL][scene->n] = (float)(clock_now_ns() - begin) * 1e-3f;
}

static void on_done(struct batch_work *work, enum status status, const struct error *err)
{
    must(status, err);
    sem_post(work->cookie);
}

static uint64_t busy_ns(const struct pool *pool)
{
    struct batch_board_info boards[MAX_BOARDS];
    uint64_t sum = 0;
    batch_get_boards(pool->batch, boards);
    for (uint32_t b = 0; b < pool->n_boards; b++)
        sum += boards[b].stats.busy_ns;
    return sum;
}

static void run_boards(struct pool *pool, struct scene *scene)
{
    struct batch_work work = {.items = &pool->item, .n_items = 1, .on_done = on_done, .cookie = &pool->done};
    struct error err;
    uint64_t begin = clock_now_ns();
    must(batch_submit(pool->batch, &work, &err), &err);
    while (sem_wait(&pool->done) != 0)
        ;
    scene->us[WALL][scene->n] = (float)(clock_now_ns() - begin) * 1e-3f;
    scene->us[QUEUE][scene->n] = (float)pool->item.queue_ns * 1e-3f;
    scene->us[INFERENCE][scene->n] = (float)pool->item.inference_ns * 1e-3f;
}

static void take_turn(struct pool *pool, struct scene *scene)
{
    for (int p = 0; p < options.passes; p++, scene->n++) {
        uint64_t busy = busy_ns(pool);
        rest(scene->pause, scene->pause_us);
        if (scene->boards)
            run_boards(pool, scene);
        else
            run_engine(pool, scene);
        scene->us[BUSY][scene->n] = (float)(busy_ns(pool) - busy) * 1e-3f / (float)pool->n_boards;
    }
}

/* ------------------------------------------------------------------------------------------------------------------*/

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double median(float *values, uint32_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return n ? (double)values[n / 2] : 0;
}

static void report(struct scene *scene, bool last)
{
    printf("{\"what\": \"%s\", \"pause\": \"%s\", \"pause_us\": %u", scene->boards ? "loop" : "engine",
           pause_names[scene->pause], scene->pause_us);
    for (int p = 0; p < (scene->boards ? PARTS : 1); p++)
        printf(", \"%s_us\": %.2f", part_names[p], median(scene->us[p], scene->n));
    if (!scene->boards)
        printf(", \"ghz\": %.3f", median(scene->ghz, scene->n_clocks));
    printf("}%s\n", last ? "]}" : ",");
}

static uint32_t make_scenes(struct scene *scenes)
{
    uint32_t n = 0, most = (uint32_t)(options.passes * options.rounds);
    for (int boards = 0; boards < 2; boards++) {
        scenes[n++] = (struct scene){.boards = boards};
        for (int p = 0; p < options.n_pauses; p++)
            for (int pause = AWAKE; pause < PAUSES; pause++)
                scenes[n++] = (struct scene){
                    .boards = boards, .pause = (enum pause)pause, .pause_us = (uint32_t)options.pauses[p]};
    }
    for (uint32_t s = 0; s < n; s++) {
        for (int p = 0; p < PARTS; p++)
            scenes[s].us[p] = must_have(mem_calloc(most, sizeof(float)));
        scenes[s].ghz = must_have(mem_calloc(most, sizeof(float)));
    }
    return n;
}

static int usage(FILE *file, int status)
{
    fprintf(file, "usage: bench-lone --model DIR [--boards N] [--tokens N] [--passes N] [--rounds N] [--pauses US,..] "
                  "[--placement auto|split|replicate]\n");
    return status;
}

static bool parse(int argc, char **argv)
{
    static const struct option names[] = {{"model", 1, 0, 'm'},     {"boards", 1, 0, 'b'}, {"tokens", 1, 0, 't'},
                                          {"passes", 1, 0, 'n'},    {"rounds", 1, 0, 'r'}, {"pauses", 1, 0, 'p'},
                                          {"placement", 1, 0, 'l'}, {"help", 0, 0, 'h'},   {0, 0, 0, 0}};
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) >= 0;) {
        if (option == 'h')
            exit(usage(stdout, 0));
        else if (option == 'm')
            options.model = optarg;
        else if (option == 'b')
            options.boards = atoi(optarg);
        else if (option == 't')
            options.tokens = atoi(optarg);
        else if (option == 'n')
            options.passes = atoi(optarg);
        else if (option == 'r')
            options.rounds = atoi(optarg);
        else if (option == 'p')
            options.n_pauses = parse_list(optarg, options.pauses);
        else if (option == 'l')
            options.placement = strcmp(optarg, "split") == 0       ? BATCH_SPLIT
                                : strcmp(optarg, "replicate") == 0 ? BATCH_REPLICATE
                                                                   : BATCH_AUTO;
        else
            return false;
    }
    return options.model && options.boards >= 1 && options.boards <= MAX_BOARDS && options.tokens >= 1 &&
           options.tokens <= 512 && options.passes >= 1 && options.rounds >= 1 &&
           (int64_t)options.passes * options.rounds <= MAX_PASSES && options.n_pauses <= (MAX_CASES / 2 - 1) / PAUSES;
}

int main(int argc, char **argv)
{
    static struct scene scenes[MAX_CASES];
    static struct pool pool;
    if (!parse(argc, argv))
        return usage(stderr, 2);
    open_pool(&pool);
    make_text(&pool);
    uint32_t n = make_scenes(scenes);
    for (int r = 0; r < options.rounds; r++)
        for (uint32_t s = 0; s < n; s++)
            take_turn(&pool, &scenes[(s + (uint32_t)r) % n]);
    printf("{\"isa\": \"%s\", \"scenes\": [", cpu_engine_instruction_set());
    for (uint32_t s = 0; s < n; s++)
        report(&scenes[s], s + 1 == n);
    batch_destroy(&pool.batch, true);
    cpu_engine.destroy(pool.engine);
    image_release(&pool.image);
    return 0;
}
