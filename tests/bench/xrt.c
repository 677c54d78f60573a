/* What a list costs on its way to a card and back, beside what it computes: bench-xrt XCLBIN [SECONDS [tasks]]
 *
 * A card as XRT sees it (card 0; deploy/xrt-emu DIR --build BUILD -- bench-xrt DIR/bertd.xclbin), with bertd-xrt-host
 * at BERTD_XRT_HOST. In microseconds, median and first decile, of lists with all layers of a model of MiniLM's shape:
 *
 * - put, get: this process: embedding, rows into shared memory; the record, rows out of it
 * - to, run, from: the host process in XRT: transfers with their verification, from start to done
 * - joint: what the host process adds to that: from request to answer, as this process sees it, less those three
 * - all: from before put to after get; of tasks with several lists, a list's part of that
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/backend_selftest.h"
#include "accel/float_mode.h"
#include "accel/xrt/xrt_card.h"
#include "base/clock.h"
#include "base/mem.h"

enum { MAX_RUNS = 20000, ALL = 6, TIMES };
static const char *const names[TIMES] = {"put", "to", "run", "from", "joint", "get", "all"};

struct bench {
    struct xrt_unit *unit;
    struct xrt_resident *resident;
    struct image *image;
    double seconds;
    uint64_t times[TIMES][MAX_RUNS];
    uint32_t runs;
};

static void must(enum status status, const struct error *err)
{
    if (status) {
        fprintf(stderr, "bench-xrt: %s\n", err->message);
        exit(1);
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static struct xrt_range range(const struct card *card, uint64_t begin, uint64_t end)
{
    return (struct xrt_range){begin - card->work, end - begin};
}

/* One list, as accel/xrt has it carried out. */
static void once(struct bench *bench, const struct board_task *task, bool verify)
{
    struct card card = bench->resident->card;
    struct card_span span = {0};
    struct xrt_answer answer;
    struct error err;
    char *memory = xrt_resident_slot(bench->resident, 0, 0);
    card.work_shift = bench->resident->shifts[0];
    uint64_t begin = clock_now_ns();
    must(card_next_span(&span, task, &err), &err);
    must(card_put_span(&card, memory, task->job, &span, verify, &err), &err);
    uint64_t rows_end = card.rows + (uint64_t)span.end * card.image->shape.hidden * sizeof(float);
    struct xrt_request request = {.kind = XRT_RUN, .place = bench->resident->place};
    request.run = (struct xrt_run){.verify = verify, .n_to = 1, .n_from = 1};
    request.run.to[0] = range(&card, card.list, rows_end);
    request.run.from[0] = range(&card, card.record, rows_end);
    uint64_t told = clock_now_ns();
    must(xrt_host_tell(bench->resident->host, 0, &request, &err), &err);
    must(xrt_host_await(bench->resident->host, 0, NULL, &answer, &err), &err);
    uint64_t answered = clock_now_ns();
    must(card_get_span(&card, memory, task->job, &span, &err), &err);
    uint64_t end = clock_now_ns(), xrt_ns = answer.to_ns + answer.compute_ns + answer.from_ns;
    const uint64_t times[TIMES] = {
        told - begin,   answer.to_ns, answer.compute_ns, answer.from_ns, answered - told - xrt_ns,
        end - answered, end - begin};
    for (int t = 0; t < TIMES; t++)
        bench->times[t][bench->runs] = times[t];
    bench->runs++;
}

/* So many sequences of so many tokens, all layers. */
struct batch {
    struct board_job job;
    struct board_task task;
};

static void make_batch(struct batch *batch, const struct bench *bench, uint32_t seqs, uint32_t tokens)
{
    uint32_t rows = seqs * tokens;
    uint32_t *cu_seqlens = mem_calloc(seqs + 1, sizeof *cu_seqlens), *ids = mem_calloc(rows, sizeof *ids);
    float *hidden = mem_calloc((size_t)rows * bench->image->shape.hidden, sizeof *hidden);
    uint32_t *sums = mem_calloc(rows, sizeof *sums);
    if (!cu_seqlens || !ids || !hidden || !sums)
        abort();
    for (uint32_t s = 0; s <= seqs; s++)
        cu_seqlens[s] = s * tokens;
    for (uint32_t r = 0; r < rows; r++)
        ids[r] = r * 29 % bench->image->shape.vocab;
    batch->job = (struct board_job){.image = bench->image,
                                    .n_seqs = seqs,
                                    .n_rows = rows,
                                    .cu_seqlens = cu_seqlens,
                                    .ids = ids,
                                    .hidden = hidden,
                                    .hidden_sums = sums};
    batch->task = (struct board_task){.job = &batch->job, .layer_end = bench->image->shape.layers, .row_end = rows};
}

static void free_batch(struct batch *batch)
{
    mem_free(batch->job.hidden_sums);
    mem_free(batch->job.hidden);
    mem_free((void *)batch->job.ids);
    mem_free((void *)batch->job.cu_seqlens);
}

/* Median and first decile. */
static void print_time(struct bench *bench, int t)
{
    qsort(bench->times[t], bench->runs, sizeof **bench->times, compare);
    printf("  %s %.0f (%.0f)", names[t], (double)bench->times[t][bench->runs / 2] / 1e3,
           (double)bench->times[t][bench->runs / 10] / 1e3);
}

static void measure(struct bench *bench, uint32_t seqs, uint32_t tokens, bool verify)
{
    struct batch batch;
    make_batch(&batch, bench, seqs, tokens);
    uint64_t until = clock_now_ns() + (uint64_t)(bench->seconds * 1e9);
    bench->runs = 0;
    while (bench->runs < MAX_RUNS && (bench->runs < 5 || clock_now_ns() < until))
        once(bench, &batch.task, verify);
    printf("%ux%-4u verify %-3s", seqs, tokens, verify ? "on" : "off");
    for (int t = 0; t < TIMES; t++)
        print_time(bench, t);
    printf("  (%u lists)\n", bench->runs);
    free_batch(&batch);
}

/* Tasks of several full lists, one after the other: what of a list's time is not the card's, where only lists of one
 * task overlap. */
static void measure_tasks(struct bench *bench, uint32_t lists, bool verify)
{
    struct batch batch;
    struct engine *engine = NULL;
    struct error err;
    make_batch(&batch, bench, 4 * lists, CARD_MAX_TOKENS / 4);
    must(xrt_engine.create_on(&engine, bench->unit, bench->image, verify, &err), &err);
    uint64_t until = clock_now_ns() + (uint64_t)(bench->seconds * 1e9);
    bench->runs = 0;
    while (bench->runs < MAX_RUNS && (bench->runs < 5 || clock_now_ns() < until)) {
        uint64_t begin = clock_now_ns();
        must(xrt_engine.run_layers(engine, &batch.task, NULL, &err), &err);
        bench->times[ALL][bench->runs++] = (clock_now_ns() - begin) / lists;
    }
    printf("tasks of %u lists of 4x%d, verify %-3s a list:", lists, CARD_MAX_TOKENS / 4, verify ? "on" : "off");
    print_time(bench, ALL);
    printf("  (%u tasks)\n", bench->runs);
    xrt_engine.destroy(engine);
    free_batch(&batch);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    static const struct image_shape shape = {.hidden = 384,
                                             .layers = 6,
                                             .heads = 12,
                                             .intermediate = 1536,
                                             .vocab = 1000,
                                             .positions = 512,
                                             .types = 2,
                                             .activation = IMAGE_GELU,
                                             .layer_norm_eps = 1e-12f};
    struct error err;
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        puts("usage: bench-xrt XCLBIN [SECONDS [tasks]]\n\nWhat a list costs on its way to card 0 and back: medians in "
             "microseconds. tasks: in tasks of several lists, which overlap.");
        return argc < 2 ? 2 : 0;
    }
    bench.seconds = argc > 2 ? atof(argv[2]) : 3;
    float_mode_set();
    must(backend_selftest_image(&bench.image, &shape, IMAGE_INT8, NULL, &err), &err);
    struct board_options options = {
        .kind = "xrt", .card = "0", .xclbin = argv[1], .xrt_host = getenv("BERTD_XRT_HOST")};
    must(xrt_unit_open(&bench.unit, &options, &err), &err);
    must(xrt_card_attach(&bench.resident, bench.unit, bench.image, &err), &err);
    for (int verify = 1; verify >= 0; verify--) {
        for (uint32_t lists = 1; argc > 3 && lists <= 8; lists *= 2)
            measure_tasks(&bench, lists, verify);
        if (argc > 3)
            continue;
        measure(&bench, 1, 16, verify);
        measure(&bench, 1, 128, verify);
        measure(&bench, 4, 128, verify);
        measure(&bench, 32, 16, verify);
    }
    xrt_card_detach(bench.unit, bench.resident);
    xrt_unit_close(&bench.unit);
    image_release(&bench.image);
    return 0;
}
