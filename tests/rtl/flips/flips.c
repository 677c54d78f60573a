/* Flips a bit of every memory of the engine in turn, and sees who notices.
 *
 *     flips [--flips N] [--seed N] [WORD ...]
 *
 * N flips (default 40) a memory: each in a word that the layer uses, at a cycle of it, both chosen at random. WORD:
 * only memories that have it in their name. Prints a table: how the flips ended (silent: a wrong result of good
 * status), and which memories are open. Fails where any other let a flip through.
 *
 * Memories with a code of their own (xpm_memory_sdpram.sv) get as many flips of two bits of a word besides. It fails
 * where one bit does more than to be mended, and where two end in anything but the status.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/float_mode.h"
#include "tests/rtl/engine/case.h"
#include "tests/rtl/flips/cells.h"

enum { MOST_CELLS = 8192, MOST_KINDS = 256, MARGIN = 20000, FLIPS = 40, ENOUGH_FLIPS = 40 };

/* Memories in which a flip may pass: they are made of LUTs and have no parity. The others may not let any through. */
static const char *const open_to_flips[] = {
    "u_rows.u_fifo",    "u_put.u_fifo",     "u_asks", "u_panels", /* words on their way */
    "u_slice.u_side",   "u_slice.u_scales",                       /* likewise */
    "u_slice.inverses",                                           /* of rows whose words are put out */
    "u_slice.stats",                                              /* of rows whose words are read again */
};

enum ending {
    BY_CHECKSUM,
    BY_OPERANDS,
    BY_MEMORY,
    BY_NOT_FINITE,
    BY_OTHERS,
    BY_HANGING,
    MENDED,
    HARMLESS,
    SILENT,
    ENDINGS
};
static const char *const endings[ENDINGS] = {"checksum", "operands", "memory",   "not finite", "other status",
                                             "hangs",    "mended",   "harmless", "silent"};

struct kind {
    char name[128];
    uint64_t bits;    /* in all */
    unsigned at_once; /* bits that flip in a word */
    unsigned ended[ENDINGS];
};

struct work {
    struct rtl_case test;
    struct sim_model *model;
    unsigned char *pristine; /* the card's memory */
    uint32_t commands;
    uint64_t cycles;
    struct rtl_random random;
    struct cells cells[MOST_CELLS], mended[MOST_CELLS]; /* counters of what codes mended */
    size_t n_cells, n_mended;
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
    for (size_t i = 0; i < work->n_mended; i++)
        memset(work->mended[i].at, 0, work->mended[i].stride);
    cells_without_assertions(work->model);
    memcpy(sim_model_memory(work->model), work->pristine, work->test.card.size);
    sim_model_start(work->model, work->test.card.list, work->commands);
}

static bool any_mended(const struct work *work)
{
    for (size_t i = 0; i < work->n_mended; i++)
        for (size_t b = 0; b < work->mended[i].stride; b++)
            if (work->mended[i].at[b])
                return true;
    return false;
}

static enum ending end_of(struct work *work)
{
    if (!sim_model_run(work->model, work->cycles * 2 + MARGIN))
        return BY_HANGING;
    uint32_t status = sim_model_read(work->model, ACCEL_REGISTER_STATUS);
    struct card_record record = {0};
    card_get_record(&work->test.card, sim_model_memory(work->model), &record);
    if (status == ACCEL_ENGINE_OK && rtl_case_difference(&work->test, work->model, work->test.expected) >= 0)
        return SILENT;
    if (status == ACCEL_ENGINE_OK)
        return any_mended(work) ? MENDED : HARMLESS;
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
    size_t found = cells_find(work->model, work->cells, MOST_CELLS);
    for (size_t i = 0; i < found; i++) {
        if (strstr(work->cells[i].name, ".mended"))
            work->mended[work->n_mended++] = work->cells[i];
        else
            work->cells[work->n_cells++] = work->cells[i];
    }
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
    for (unsigned n = 0; n < kind->at_once; n++) {
        cells->at[word * cells->stride + bit / 8] ^= (unsigned char)(1u << bit % 8);
        bit = (bit + 1 + rtl_random(&work->random, cells->bits - 1)) % cells->bits; /* another one */
    }
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

/* Memories with a code of their own. */
static bool is_coded(const char *kind)
{
    return strstr(kind, "u_memory.gen_part") != NULL;
}

static void print(const struct kind *kind)
{
    printf("%s%s%s | %llu |", kind->name, kind->at_once > 1 ? ", two bits" : "", is_open(kind->name) ? " (open)" : "",
           (unsigned long long)kind->bits);
    for (int e = 0; e < ENDINGS; e++)
        kind->ended[e] ? printf(" %u |", kind->ended[e]) : printf(" |");
    printf("\n");
    fflush(stdout);
}

/* What its flips may end in. */
static bool passes(const struct kind *kind)
{
    if (!is_coded(kind->name))
        return kind->ended[SILENT] == 0 || is_open(kind->name);
    for (int e = 0; e < ENDINGS; e++)
        if (kind->ended[e] && e != HARMLESS && e != (kind->at_once == 1 ? MENDED : BY_MEMORY))
            return false;
    return true;
}

/* Of many flips in words with codes some are read, and end so. */
static bool any_ended(const struct kind *kinds, size_t n, enum ending ending)
{
    unsigned tried = 0, ended = 0;
    for (size_t k = 0; k < n; k++) {
        ended += is_coded(kinds[k].name) ? kinds[k].ended[ending] : 0;
        for (int e = 0; e < ENDINGS; e++)
            tried += is_coded(kinds[k].name) ? kinds[k].ended[e] : 0;
    }
    if (ended || tried < ENOUGH_FLIPS)
        return true;
    printf("FAILED: of %u flips none ended in: %s\n", tried, endings[ending]);
    return false;
}

/* Every memory once, those with a code twice; how many. `members` says of which kind each of the cells is. */
static size_t sort_kinds(const struct work *work, struct kind *kinds, size_t *members)
{
    size_t n = 0;
    for (size_t i = 0; i < work->n_cells; i++) {
        struct kind *kind = kind_of(kinds, &n, work->cells[i].name);
        kind->at_once = 1;
        kind->bits += (uint64_t)work->cells[i].words * work->cells[i].bits;
        members[i] = (size_t)(kind - kinds);
    }
    return n;
}

static bool flip_kind(struct work *work, struct kind *kind, const size_t *members, size_t number, uint64_t flips)
{
    size_t here[MOST_CELLS], n_here = 0;
    for (size_t i = 0; i < work->n_cells; i++)
        if (members[i] == number)
            here[n_here++] = i;
    for (uint64_t f = 0; f < flips; f++)
        flip(work, here[rtl_random(&work->random, (uint32_t)n_here)], kind);
    print(kind);
    if (passes(kind))
        return true;
    printf("FAILED: flips of %s %s\n", kind->name, is_coded(kind->name) ? "are not mended or told" : "pass");
    return false;
}

static bool flip_all(struct work *work, int argc, char **argv, uint64_t flips)
{
    static struct kind kinds[MOST_KINDS], twice[MOST_KINDS];
    size_t *members = take(work->n_cells * sizeof *members), n = sort_kinds(work, kinds, members);
    bool good = true;
    for (size_t k = 0; k < n; k++) {
        if (!wanted(argc, argv, kinds[k].name))
            continue;
        good &= flip_kind(work, &kinds[k], members, k, flips);
        if (!is_coded(kinds[k].name))
            continue;
        twice[k] = (struct kind){.bits = kinds[k].bits, .at_once = 2};
        strcpy(twice[k].name, kinds[k].name);
        good &= flip_kind(work, &twice[k], members, k, flips);
    }
    free(members);
    return good & any_ended(kinds, n, MENDED) & any_ended(twice, n, BY_MEMORY);
}

int main(int argc, char **argv)
{
    static struct work work;
    uint64_t seed = 1, flips = FLIPS;
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--flips") == 0)
            flips = strtoull(argv[i + 1], NULL, 0);
    }
    float_mode_set(); /* for the models of floating-point units */
    init(&work, seed);
    if (!learn(&work)) {
        printf("FAILED: without a flip the result is not the reference's\n");
        return 1;
    }
    printf("engine of %u rows, %u slices; a layer of %llu cycles, seed %llu\n", sim_model_rows(), sim_model_slices(),
           (unsigned long long)work.cycles, (unsigned long long)seed);
    printf("memory | bits |");
    for (int e = 0; e < ENDINGS; e++)
        printf(" %s |", endings[e]);
    printf("\n");
    bool good = flip_all(&work, argc, argv, flips);
    sim_model_destroy(&work.model);
    rtl_case_finish(&work.test);
    printf("%s\n", good ? "passed" : "FAILED");
    return good ? 0 : 1;
}
