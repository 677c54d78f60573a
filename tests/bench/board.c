/* How fast an engine computes: BERT shapes with random weights, by batch shape, instruction set and threads.
 *
 *     bench-board [--model minilm|bert-base] [--shape SEQSxTOKENS | --lengths N,N,..] [--isa NAME] [--threads N]
 *                 [--seconds S] [--cpu-time] [--no-verify] [--tensor] [--json]
 *
 * Prints the median time of a forward pass, GMAC/s of the linear layers and attention, and that as a share of the
 * peak: what a loop of the best multiply instruction of the instruction set reaches in registers, on as many threads.
 * With several threads whole sequences go to each where there are enough, else the rows of every layer are split
 * (PROJECT, barrier, FINISH), or with --tensor the outputs (TENSOR). On a busy machine --cpu-time counts a single
 * thread's time on its core instead of elapsed time; the best run says more than the median there.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "accel/cpu/kernels.h"
#include "accel/engine.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tests/bench/machine/limits.h"

enum { MAX_THREADS = 64, MAX_RUNS = 1000, MAX_TEXTS = 1024, VOCAB = 1000, POSITIONS = 512 };

struct model {
    const char *name;
    uint32_t hidden, layers, heads, intermediate;
};

struct shape {
    uint32_t seqs, tokens;
    const uint32_t *lengths; /* [seqs]; NULL: all have `tokens` */
};

static const struct model models[] = {{"minilm", 384, 6, 12, 1536}, {"bert-base", 768, 12, 12, 3072}};
static const struct shape shapes[] = {{1, 8, NULL},   {1, 16, NULL},  {1, 32, NULL},  {1, 64, NULL},  {1, 128, NULL},
                                      {1, 256, NULL}, {1, 512, NULL}, {32, 16, NULL}, {8, 128, NULL}, {2, 512, NULL}};

static struct {
    const char *model, *isa;
    struct shape shape;
    uint32_t lengths[MAX_TEXTS];
    uint32_t threads;
    double seconds;
    bool cpu_time, no_verify, tensor, json;
} options = {.threads = 1, .seconds = 1};

/* Random weights ---------------------------------------------------------------------------------------------------*/

static uint64_t random_state = 1;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Near enough to normal: the sum of four uniforms. */
static void fill(float *values, size_t count, float deviation)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = random_next();
        int32_t sum = (int32_t)(bits & 0xffff) + (int32_t)(bits >> 16 & 0xffff) + (int32_t)(bits >> 32 & 0xffff) +
                      (int32_t)(bits >> 48) - 2 * 0xffff;
        values[i] = (float)sum / 0xffff * 1.73f * deviation;
    }
}

static float *random_values(size_t count, float deviation)
{
    float *values = mem_alloc(count * sizeof *values);
    if (!values)
        abort();
    fill(values, count, deviation);
    return values;
}

struct random_layer {
    float *weights, *bias, *gamma;
};

static enum status make_layer(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err)
{
    (void)index;
    (void)err;
    const struct random_layer *random = cookie;
    const struct image_source_linear linear = {random->weights, random->bias};
    const struct image_source_norm norm = {random->gamma, random->bias};
    *ret = (struct image_source_layer){linear, linear, linear, linear, linear, linear, norm, norm};
    return STATUS_OK;
}

static struct image *make_image(const struct model *model)
{
    size_t hidden = model->hidden, inner = model->intermediate;
    struct random_layer layer = {random_values(hidden * inner, 0.04f), random_values(inner, 0.02f),
                                 random_values(hidden, 0.1f)};
    for (size_t i = 0; i < hidden; i++)
        layer.gamma[i] += 1;
    float *table = random_values((size_t)VOCAB * hidden, 0.05f);
    const struct image_source source = {
        .shape = {.hidden = model->hidden,
                  .layers = model->layers,
                  .heads = model->heads,
                  .intermediate = model->intermediate,
                  .vocab = VOCAB,
                  .positions = POSITIONS,
                  .types = 2,
                  .layer_norm_eps = 1e-12f},
        .word_embeddings = table,
        .position_embeddings = table,
        .type_embeddings = table,
        .embedding_norm = {layer.gamma, layer.bias},
        .layer = make_layer,
        .cookie = &layer,
    };
    struct image *image = NULL;
    struct error err;
    if (image_build(&image, &source, IMAGE_INT8, cpu_engine_sections(), &err)) {
        fprintf(stderr, "bench-board: %s\n", err.message);
        exit(1);
    }
    mem_free(layer.weights);
    mem_free(layer.bias);
    mem_free(layer.gamma);
    mem_free(table);
    return image;
}

/* A pass -----------------------------------------------------------------------------------------------------------*/

struct work {
    struct board_job job;
    struct engine *engines[MAX_THREADS];
    struct board_team team;
    pthread_barrier_t barrier;
    uint32_t threads;
    bool split; /* rows, else sequences */
    uint64_t times[MAX_RUNS];
    int runs;
    bool stop;
};

struct worker {
    struct work *work;
    uint32_t index;
};

static void must(enum status status, const struct error *err)
{
    if (!status)
        return;
    fprintf(stderr, "bench-board: %s\n", err->message);
    exit(1);
}

static void run_share(struct work *work, uint32_t index)
{
    const struct board_task task = {.job = &work->job,
                                    .kind = BOARD_TENSOR,
                                    .layer_end = work->job.image->shape.layers,
                                    .row_end = work->job.n_rows,
                                    .team = &work->team,
                                    .member = index};
    struct error err;
    for (uint32_t layer = 0; layer < task.layer_end; layer++)
        must(cpu_engine.run_share(work->engines[index], &task, layer, &err), &err);
}

static void run_part(struct work *work, uint32_t index)
{
    const struct board_job *job = &work->job;
    struct engine *engine = work->engines[index];
    struct error err;
    uint32_t parts = work->split ? job->n_rows : job->n_seqs;
    uint32_t begin = parts * index / work->threads, end = parts * (index + 1) / work->threads;
    if (!work->split) {
        begin = job->cu_seqlens[begin];
        end = job->cu_seqlens[end];
    }
    for (uint32_t layer = 0; layer < job->image->shape.layers && begin < end; layer++) {
        if (!work->split) {
            must(engine->ops->run(engine, job, BOARD_RUN, layer, begin, end, &err), &err);
            continue;
        }
        must(engine->ops->run(engine, job, BOARD_PROJECT, layer, begin, end, &err), &err);
        pthread_barrier_wait(&work->barrier);
        must(engine->ops->run(engine, job, BOARD_FINISH, layer, begin, end, &err), &err);
    }
}

static uint64_t now_ns(void)
{
    if (!options.cpu_time)
        return clock_now_ns();
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void *worker_main(void *cookie)
{
    const struct worker *worker = cookie;
    struct work *work = worker->work;
    uint64_t total = 0;
    while (!work->stop) {
        uint64_t begin = now_ns();
        (options.tensor ? run_share : run_part)(work, worker->index);
        pthread_barrier_wait(&work->barrier);
        if (worker->index == 0) {
            uint64_t time = now_ns() - begin;
            work->times[work->runs++] = time;
            total += time;
            work->stop = work->runs == MAX_RUNS || (work->runs >= 5 && (double)total > options.seconds * 1e9);
        }
        pthread_barrier_wait(&work->barrier);
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint32_t length_of(struct shape shape, uint32_t seq)
{
    return shape.lengths ? shape.lengths[seq] : shape.tokens;
}

static uint32_t rows_of(struct shape shape)
{
    uint32_t rows = 0;
    for (uint32_t s = 0; s < shape.seqs; s++)
        rows += length_of(shape, s);
    return rows;
}

static void make_job(struct board_job *job, const struct image *image, struct shape shape)
{
    uint32_t rows = rows_of(shape), hidden = image->shape.hidden;
    uint32_t *cu_seqlens = mem_alloc((shape.seqs + 1) * sizeof *cu_seqlens), *ids = mem_alloc(rows * sizeof *ids);
    uint32_t *block_begin = mem_alloc((shape.seqs + 1) * sizeof *block_begin);
    float *values = mem_alloc_aligned(64, (size_t)rows * hidden * sizeof *values);
    uint32_t *sums = mem_alloc(rows * sizeof *sums);
    struct board_kv *kv = mem_alloc(sizeof *kv);
    if (!cu_seqlens || !ids || !block_begin || !values || !sums || !kv)
        abort();
    cu_seqlens[0] = 0;
    for (uint32_t s = 0; s < shape.seqs; s++)
        cu_seqlens[s + 1] = cu_seqlens[s] + length_of(shape, s);
    for (uint32_t r = 0; r < rows; r++)
        ids[r] = (uint32_t)(random_next() % VOCAB);
    size_t size = board_kv_size(image, cu_seqlens, shape.seqs);
    void *memory = mem_alloc_aligned(64, size);
    if (!memory)
        abort();
    memset(memory, 0, size);
    board_kv_init(kv, image, cu_seqlens, shape.seqs, memory, block_begin);
    *job = (struct board_job){
        .image = image, .n_seqs = shape.seqs, .n_rows = rows, .cu_seqlens = cu_seqlens, .ids = ids, .hidden = values};
    job->hidden_sums = sums;
    job->kv = kv; /* its memory is kept in keys[0] for free_job */
}

static void free_job(struct board_job *job)
{
    mem_free(job->kv->keys[0]);
    mem_free((void *)job->kv->block_begin);
    mem_free(job->kv);
    mem_free((void *)job->cu_seqlens);
    mem_free((void *)job->ids);
    mem_free(job->hidden);
    mem_free(job->hidden_sums);
}

/* Products of a pass: linear layers, scores and context once each. */
static double products(const struct image_shape *m, struct shape shape)
{
    double hidden = m->hidden, linear = hidden * (4 * hidden + 2 * (double)m->intermediate), sum = 0;
    for (uint32_t s = 0; s < shape.seqs; s++)
        sum += length_of(shape, s) * (linear + 2.0 * length_of(shape, s) * hidden);
    return m->layers * sum;
}

static void measure(const struct model *model, const struct image *image, struct shape shape, double peak)
{
    struct work *work = mem_alloc_aligned(BOARD_TEAM_ALIGN, sizeof *work);
    struct worker workers[MAX_THREADS];
    pthread_t threads[MAX_THREADS];
    struct error err;
    if (!work)
        abort();
    memset(work, 0, sizeof *work);
    work->threads = options.threads;
    work->split = shape.seqs < options.threads;
    make_job(&work->job, image, shape);
    void *exchange =
        mem_alloc_aligned(BOARD_TEAM_ALIGN, cpu_engine.exchange_size(image, work->job.n_rows, options.threads));
    if (!exchange)
        abort();
    board_team_init(&work->team, options.threads, exchange);
    pthread_barrier_init(&work->barrier, NULL, options.threads);
    for (uint32_t t = 0; t < options.threads; t++)
        must(cpu_engine.create(&work->engines[t], image, !options.no_verify, &err), &err);
    for (uint32_t t = 0; t < options.threads; t++) {
        workers[t] = (struct worker){work, t};
        if (pthread_create(&threads[t], NULL, worker_main, &workers[t]))
            abort();
    }
    for (uint32_t t = 0; t < options.threads; t++)
        pthread_join(threads[t], NULL);
    qsort(work->times, (size_t)work->runs, sizeof *work->times, compare);
    double median = (double)work->times[work->runs / 2], best = (double)work->times[0];
    double rate = products(&image->shape, shape) / median, share = peak > 0 ? rate / (peak * options.threads) : 0;
    double row_us = best / 1e3 / rows_of(shape);
    char name[32];
    snprintf(name, sizeof name, shape.lengths ? "%u texts" : "%ux%u", shape.seqs, shape.tokens);
    if (options.json)
        printf("{\"model\": \"%s\", \"shape\": \"%s\", \"ms\": %.3f, \"best_ms\": %.3f, \"gmacs\": %.1f, "
               "\"share\": %.3f}\n",
               model->name, name, median / 1e6, best / 1e6, rate, share);
    else
        printf("%-10s %-10s %9.3f ms (best %9.3f, %7.2f us a token) %7.1f GMAC/s  %4.2f of peak\n", model->name, name,
               median / 1e6, best / 1e6, row_us, rate, share);
    fflush(stdout);
    for (uint32_t t = 0; t < options.threads; t++)
        cpu_engine.destroy(work->engines[t]);
    pthread_barrier_destroy(&work->barrier);
    free_job(&work->job);
    mem_free(exchange);
    mem_free(work);
}

/* ------------------------------------------------------------------------------------------------------------------*/

static void usage(FILE *file, int status)
{
    fprintf(file, "usage: bench-board [--model minilm|bert-base] [--shape SEQSxTOKENS | --lengths N,N,..] [--isa NAME] "
                  "[--threads N] [--seconds S] [--cpu-time] [--no-verify] [--tensor] [--json]\n");
    exit(status);
}

static bool read_lengths(char *list)
{
    uint32_t n = 0;
    for (char *word = strtok(list, ","); word && n < MAX_TEXTS; word = strtok(NULL, ","), n++) {
        options.lengths[n] = (uint32_t)strtoul(word, NULL, 10);
        if (options.lengths[n] < 1 || options.lengths[n] > POSITIONS)
            return false;
    }
    options.shape = (struct shape){.seqs = n, .lengths = options.lengths};
    return n > 0;
}

static void parse(int argc, char **argv)
{
    static const struct option names[] = {
        {"model", required_argument, NULL, 'm'},   {"shape", required_argument, NULL, 's'},
        {"lengths", required_argument, NULL, 'l'}, {"isa", required_argument, NULL, 'i'},
        {"threads", required_argument, NULL, 't'}, {"seconds", required_argument, NULL, 'd'},
        {"json", no_argument, NULL, 'j'},          {"cpu-time", no_argument, NULL, 'c'},
        {"no-verify", no_argument, NULL, 'v'},     {"tensor", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'm')
            options.model = optarg;
        else if (c == 's' && sscanf(optarg, "%ux%u", &options.shape.seqs, &options.shape.tokens) == 2)
            continue;
        else if (c == 'l' && read_lengths(optarg))
            continue;
        else if (c == 'i')
            options.isa = optarg;
        else if (c == 't')
            options.threads = (uint32_t)atoi(optarg);
        else if (c == 'd')
            options.seconds = atof(optarg);
        else if (c == 'c')
            options.cpu_time = true;
        else if (c == 'v')
            options.no_verify = true;
        else if (c == 'p')
            options.tensor = true;
        else if (c == 'j')
            options.json = true;
        else if (c == 'h')
            usage(stdout, 0);
        else
            usage(stderr, 2);
    }
    if (optind != argc || options.threads < 1 || options.threads > MAX_THREADS ||
        (options.cpu_time && options.threads > 1) || options.shape.tokens > POSITIONS)
        usage(stderr, 2);
}

int main(int argc, char **argv)
{
    unsigned mask;
    parse(argc, argv);
    if (options.isa && !cpu_flags_parse(options.isa, &mask))
        usage(stderr, 2);
    if (options.isa)
        cpu_flags_set_mask(mask);
    double peak = limits_products(cpu_flags());
    printf(options.json ? "{\"isa\": \"%s\", \"threads\": %u, \"peak_gmacs_a_thread\": %.1f}\n"
                        : "%s, %u thread(s), peak %.1f GMAC/s a thread\n",
           cpu_engine_instruction_set(), options.threads, peak);
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        if (options.model && strcmp(options.model, models[m].name) != 0)
            continue;
        struct image *image = make_image(&models[m]);
        if (options.shape.seqs)
            measure(&models[m], image, options.shape, peak);
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes && !options.shape.seqs; s++)
            measure(&models[m], image, shapes[s], peak);
        image_release(&image);
    }
    return 0;
}
