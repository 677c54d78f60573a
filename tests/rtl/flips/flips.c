/* Flips a bit of every memory of the engine in turn, and sees who notices.
 *
 *     flips [--flips N] [--seed N] [WORD ...]
 *
 * N flips (default 40) a memory: each in a word that the layer uses, at a cycle of it, both chosen at random. WORD:
 * only memories that have it in their name. Prints a table: how the flips ended (silent: a wrong result of good
 * status), and which memories are open. Fails where any other let a flip through.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/float_mode.h"
#include "tests/rtl/engine/case.h"
#include "tests/rtl/flips/cells.h"

enum { MOST_CELLS = 8192, MOST_KINDS = 256, MARGIN = 20000, FLIPS = 40 };

/* Memories in which a flip may pass: they are made of LUTs and have no parity. The others may not let any through. */
static const char *const open_to_flips[] = {
    "u_rows.u_fifo",    "u_side.u_fifo", /* words on their way */
    "u_put.u_fifo",     "u_asks",        /* likewise */
    "u_panels",                          /* likewise */
    "u_slice.u_side",                    /* likewise */
    "u_slice.u_scales",                  /* likewise */
    "u_slice.inverses",                  /* of rows whose words are put out */
    "u_slice.stats",                     /* of rows whose words are read again */
    "u_segments",       "groups",        /* where sequences lie: 13 kilobits, for as long as a command */
};

enum ending { BY_CHECKSUM, BY_OPERANDS, BY_MEMORY, BY_NOT_FINITE, BY_OTHERS, BY_HANGING, HARMLESS, SILENT, ENDINGS };
static const char *const endings[ENDINGS] = {"checksum",     "operands", "memory",   "not finite",
                                             "other status", "hangs",    "harmless", "silent"};

struct kind {
    char name[128];
    uint64_t bits; /* in all */
    unsigned ended[ENDINGS];
};

struct work {
    struct rtl_case test;
    struct sim_model *model;
    unsigned char *pristine; /* the card's memory */
    uint32_t commands;
    uint64_t cycles;
    struct rtl_random random;
    struct cells cells[MOST_CELLS];
    size_t n_cells;
    unsigned char *used[MOST_CELLS]; /* [words] */
};

static void *take(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory)
        abort();
    return memory;
}

/* The engine and the card's memory as they are before a list, and the list started. */
static void start(struct work *work)
{
    sim_model_reset(work->model);
    cells_without_assertions(work->model);
    memcpy(sim_model_memory(work->model), work->pristine, work->test.card.size);
    sim_model_start(work->model, work->test.card.list, work->commands);
}

static enum ending end_of(struct work *work)
{
    if (!sim_model_run(work->model, work->cycles * 2 + MARGIN))
        return BY_HANGING;
    uint32_t status = sim_model_read(work->model, ACCEL_REGISTER_STATUS);
    struct card_record record = {0};
    card_get_record(&work->test.card, sim_model_memory(work->model), &record);
    if (status == ACCEL_ENGINE_OK)
        return rtl_case_difference(&work->test, work->model, work->test.expected) < 0 ? HARMLESS : SILENT;
    if (status == ACCEL_ENGINE_NOT_FINITE)
        return BY_NOT_FINITE;
    if (status != ACCEL_ENGINE_CHECKSUM)
        return BY_OTHERS;
    if (record.seen & ACCEL_SEEN_MEMORY)
        return BY_MEMORY;
    return record.seen & ACCEL_SEEN_OPERANDS ? BY_OPERANDS : BY_CHECKSUM;
}

static void init(struct work *work, uint64_t seed)
{
    work->random.state = seed;
    struct image_shape shape = {.layers = 1, .heads = 2, .hidden = 128, .intermediate = 192, .layer_norm_eps = 1e-12f};
    const uint32_t lengths[] = {21, 5};
    rtl_case_init_batch(&work->test, &work->random, shape, lengths, 2);
    work->model = rtl_case_model(&work->test, (struct sim_model_options){.read_latency = 20, .seed = seed});
    work->commands = rtl_case_commands(&work->test, work->model, 1);
    work->pristine = take(work->test.card.size);
    memcpy(work->pristine, sim_model_memory(work->model), work->test.card.size);
    work->n_cells = cells_find(work->model, work->cells, MOST_CELLS);
}

/* Which words are written when nothing is flipped: after it they are not what they were before. */
static bool learn(struct work *work)
{
    unsigned char **before = take(work->n_cells * sizeof *before);
    for (size_t i = 0; i < work->n_cells; i++) {
        const struct cells *cells = &work->cells[i];
        before[i] = take(cells->words * cells->stride);
        memcpy(before[i], cells->at, cells->words * cells->stride);
    }
    start(work);
    work->cycles = 1000 * 1000;
    enum ending ending = end_of(work);
    struct sim_model_counts counts;
    sim_model_counts(work->model, &counts);
    work->cycles = counts.cycles;
    for (size_t i = 0; i < work->n_cells; i++) {
        const struct cells *cells = &work->cells[i];
        work->used[i] = take(cells->words);
        for (size_t w = 0; w < cells->words; w++)
            work->used[i][w] = cells->words == 1 ||
                               memcmp(before[i] + w * cells->stride, cells->at + w * cells->stride, cells->stride) != 0;
        free(before[i]);
    }
    free(before);
    return ending == HARMLESS;
}

/* A random used word of these cells; false: there is none. */
static bool pick(struct work *work, size_t i, size_t *ret)
{
    size_t used = 0;
    for (size_t w = 0; w < work->cells[i].words; w++)
        used += work->used[i][w];
    if (used == 0)
        return false;
    size_t left = rtl_random(&work->random, (uint32_t)used);
    for (size_t w = 0; w < work->cells[i].words; w++)
        if (work->used[i][w] && left-- == 0)
            *ret = w;
    return true;
}

static void flip(struct work *work, size_t i, struct kind *kind)
{
    size_t word = 0;
    if (!pick(work, i, &word))
        return;
    const struct cells *cells = &work->cells[i];
    uint32_t bit = rtl_random(&work->random, cells->bits);
    start(work);
    sim_model_run(work->model, rtl_random(&work->random, (uint32_t)work->cycles));
    cells->at[word * cells->stride + bit / 8] ^= (unsigned char)(1u << bit % 8);
    kind->ended[end_of(work)]++;
}

/* A name without its indices: banks, lanes and rows are of one kind. */
static void kind_name(char *to, const char *name)
{
    for (; *name; name++) {
        if (*name == '[' || *name == '(')
            while (name[1] && *name != ']' && *name != ')')
                name++;
        else
            *to++ = *name;
    }
    *to = 0;
}

static struct kind *kind_of(struct kind *kinds, size_t *n, const char *cells)
{
    char name[128];
    kind_name(name, cells);
    for (size_t k = 0; k < *n; k++)
        if (strcmp(kinds[k].name, name) == 0)
            return &kinds[k];
    struct kind *kind = &kinds[(*n)++];
    strcpy(kind->name, name);
    return kind;
}

static bool wanted(int argc, char **argv, const char *name)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            i++;
        else if (strstr(name, argv[i]))
            return true;
        else
            any = true;
    }
    return !any;
}

static bool is_open(const char *kind)
{
    for (size_t i = 0; i < sizeof open_to_flips / sizeof open_to_flips[0]; i++)
        if (strstr(kind, open_to_flips[i]))
            return true;
    return false;
}

static void print(const struct kind *kind)
{
    printf("%s%s | %llu |", kind->name, is_open(kind->name) ? " (open)" : "", (unsigned long long)kind->bits);
    for (int e = 0; e < ENDINGS; e++)
        kind->ended[e] ? printf(" %u |", kind->ended[e]) : printf(" |");
    printf("\n");
}

int main(int argc, char **argv)
{
    static struct work work;
    static struct kind kinds[MOST_KINDS];
    uint64_t seed = 1, flips = FLIPS;
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--flips") == 0)
            flips = strtoull(argv[i + 1], NULL, 0);
    }
    float_mode_set(); /* for the models of floating-point units */
    init(&work, seed);
    size_t n = 0;
    if (!learn(&work)) {
        printf("FAILED: without a flip the result is not the reference's\n");
        return 1;
    }
    size_t *members = take(work.n_cells * sizeof *members);
    for (size_t i = 0; i < work.n_cells; i++) {
        struct kind *kind = kind_of(kinds, &n, work.cells[i].name);
        kind->bits += (uint64_t)work.cells[i].words * work.cells[i].bits;
        members[i] = (size_t)(kind - kinds);
    }
    printf("engine of %u rows, %u slices; a layer of %llu cycles, seed %llu\n", sim_model_rows(), sim_model_slices(),
           (unsigned long long)work.cycles, (unsigned long long)seed);
    printf("memory | bits |");
    for (int e = 0; e < ENDINGS; e++)
        printf(" %s |", endings[e]);
    printf("\n");
    bool good = true;
    for (size_t k = 0; k < n; k++) {
        if (!wanted(argc, argv, kinds[k].name))
            continue;
        size_t here[MOST_CELLS], n_here = 0;
        for (size_t i = 0; i < work.n_cells; i++)
            if (members[i] == k)
                here[n_here++] = i;
        for (uint64_t f = 0; f < flips; f++)
            flip(&work, here[rtl_random(&work.random, (uint32_t)n_here)], &kinds[k]);
        print(&kinds[k]);
        fflush(stdout);
        if (kinds[k].ended[SILENT] && !is_open(kinds[k].name)) {
            printf("FAILED: flips of %s pass\n", kinds[k].name);
            good = false;
        }
    }
    sim_model_destroy(&work.model);
    rtl_case_finish(&work.test);
    printf("%s\n", good ? "passed" : "FAILED");
    return good ? 0 : 1;
}
