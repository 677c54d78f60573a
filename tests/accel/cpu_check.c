#include "tests/accel/cpu_check.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpu/cpu_flags.h"
#include "accel/engine.h"
#include "accel/float_mode.h"

enum { USUAL_SEED = 1 };

static uint64_t state;

void check_begin(const char *what)
{
    const char *seed = getenv("BERTD_TEST_SEED");
    state = seed ? strtoull(seed, NULL, 0) : USUAL_SEED;
    printf("%s: BERTD_TEST_SEED=%llu\n", what, (unsigned long long)state);
    fflush(stdout); /* a kernel that crashes takes with it what is not written */
    state |= 1;
    float_mode_set();
}

int check_rounds(int usual)
{
    const char *percent = getenv("BERTD_TEST_PERCENT");
    int rounds = percent ? usual * atoi(percent) / 100 : usual;
    return rounds < 1 ? 1 : rounds;
}

uint64_t check_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1d;
}

uint32_t check_below(uint32_t limit)
{
    return (uint32_t)((check_random() >> 32) * limit >> 32);
}

uint32_t check_width(void)
{
    static const uint32_t widths[] = {8,   16,  24,  26,  32,  48,  64,   78,   96,   120,  128,
                                      144, 312, 384, 416, 512, 768, 1024, 1248, 1536, 3072, 4096};
    uint32_t pick = check_below(3);
    if (pick == 0)
        return widths[check_below(sizeof widths / sizeof *widths)];
    return 1 + check_below(pick == 1 ? 80 : 600);
}

static float ordinary(void)
{
    float sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (float)check_below(1 << 16) / (1 << 16);
    return (sum - 2) * 2;
}

static float value_of_kind(uint32_t kind)
{
    switch (kind) {
    case 0:
        return 0;
    case 1: /* subnormals, and the smallest normals */
        return (float)check_below(1 << 16) * 0x1p-140f;
    case 2: /* so large that squares overflow now and then */
        return ordinary() * 0x1p62f;
    case 3: /* ties of rounding when the largest is 127 */
        return (float)check_below(255) * 0.5f - (check_below(2) ? 127 : 0);
    case 4:
        return check_below(2) ? 1 : -1;
    case 5:
        return ordinary() * 0x1p-90f;
    default:
        return ordinary() * (float)(1 << check_below(6));
    }
}

void check_floats(float *x, size_t n)
{
    uint32_t kind = check_below(10), strays = check_below(4);
    for (size_t i = 0; i < n; i++)
        x[i] = value_of_kind(strays == 0 && check_below(8) == 0 ? check_below(10) : kind);
}

void check_bytes(int8_t *x, size_t n)
{
    uint32_t kind = check_below(5);
    int8_t end = check_below(2) ? 127 : -127;
    for (size_t i = 0; i < n; i++)
        x[i] = kind == 0   ? end
               : kind == 1 ? (int8_t)(check_below(2) ? 127 : -127)
               : kind == 2 ? 0
                           : (int8_t)((int32_t)check_below(255) - 127);
}

void *check_input(size_t size)
{
    void *memory = malloc(size ? size : 1);
    cr_assert_not_null(memory);
    return memory;
}

enum { GUARD = 128, CANARY = 0xa5 };

struct guarded {
    size_t size;
    unsigned char before[GUARD];
    unsigned char bytes[];
};

void *check_output(size_t size)
{
    struct guarded *guarded = malloc(sizeof *guarded + size + GUARD);
    cr_assert_not_null(guarded);
    guarded->size = size;
    memset(guarded->before, CANARY, GUARD + size + GUARD);
    return guarded->bytes;
}

static struct guarded *guarded_of(const void *output)
{
    return (struct guarded *)((char *)(uintptr_t)output - sizeof(struct guarded));
}

bool check_intact(const void *output)
{
    const struct guarded *guarded = guarded_of(output);
    for (size_t i = 0; i < GUARD; i++)
        if (guarded->before[i] != CANARY || guarded->bytes[guarded->size + i] != CANARY)
            return false;
    return true;
}

void check_free_output(void *output)
{
    free(guarded_of(output));
}

void check_each_set(void (*test)(const struct cpu_kernels *kernels, const struct cpu_kernels *before))
{
    struct cpu_kernels kernels[CPU_N_SETS];
    const struct cpu_kernels *before = NULL;
    unsigned flags = 0;
    const uint64_t begin = state;
    for (size_t i = 0; i < CPU_N_SETS; i++) {
        const struct cpu_set *set = &cpu_sets[i];
        if (set->flag & ~cpu_flags()) {
            bool absent = set->flag & ~cpu_flags_detected();
            printf("skipped: no %s %s\n", set->name, absent ? "on this machine" : "by BERTD_CPU_MASK");
            continue;
        }
        flags |= set->flag;
        state = begin;
        cpu_kernels_init(&kernels[i], flags);
        if (kernels[i].begin)
            kernels[i].begin();
        test(&kernels[i], before);
        if (kernels[i].end)
            kernels[i].end();
        printf("%s: as specified\n", set->name);
        before = &kernels[i];
    }
    state = begin;
    state = check_random() | 1;
}

struct source {
    float *weights, *bias, *gamma;
};

static enum status give_layer(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err)
{
    (void)err;
    const struct source *s = cookie;
    const struct image_source_linear a = {s->weights + index % 3, s->bias}, b = {s->weights + 7, s->bias + 1};
    const struct image_source_linear c = {s->weights + 11 + index % 5, s->bias + 2};
    const struct image_source_norm norm = {s->gamma, s->bias};
    *ret = (struct image_source_layer){a, b, c, b, c, a, norm, norm};
    return STATUS_OK;
}

struct cpu_clipped check_clipped(const struct image_linear *linear)
{
    const size_t panels = linear->out_padded / IMAGE_PANEL, room = cpu_residual_room(linear->in_padded);
    struct cpu_clipped clipped = {
        .weights = check_input((size_t)linear->in_padded * linear->out_padded),
        .orders = check_input(panels * (linear->in_padded / IMAGE_GROUP) * sizeof *clipped.orders),
        .counts = check_input(panels * sizeof *clipped.counts),
        .residuals = check_input(panels * room * sizeof *clipped.residuals),
    };
    cr_assert_eq(cpu_clip(&clipped, linear, NULL), STATUS_OK);
    return clipped;
}

void check_free_clipped(const struct cpu_clipped *clipped)
{
    free((void *)clipped->weights);
    free((void *)clipped->orders);
    free((void *)clipped->counts);
    free((void *)clipped->residuals);
}

struct image *check_image(const struct image_shape *shape, float gain)
{
    size_t hidden = shape->hidden, wide = hidden > shape->intermediate ? hidden : shape->intermediate;
    size_t rows = shape->vocab > shape->positions ? shape->vocab : shape->positions;
    rows = rows > shape->types ? rows : shape->types;
    struct source s = {check_input((hidden * wide + 16) * sizeof(float)), check_input((wide + 2) * sizeof(float)),
                       check_input(hidden * sizeof(float))};
    float *table = check_input(rows * hidden * sizeof(float));
    for (size_t i = 0; i < hidden * wide + 16; i++)
        s.weights[i] = ordinary() * gain;
    for (size_t i = 0; i < wide + 2; i++)
        s.bias[i] = ordinary() * gain;
    for (size_t i = 0; i < hidden; i++)
        s.gamma[i] = 1 + ordinary() * 0.2f;
    for (size_t i = 0; i < rows * hidden; i++)
        table[i] = ordinary();
    const struct image_source source = {
        *shape, table, table, table, {s.gamma, s.bias}, give_layer, &s,
    };
    const struct image_sections sections = {
        2, {&cpu_clipped_section, &cpu_planes_section}}; /* for whichever set computes */
    struct image *image = NULL;
    struct error err = {0};
    cr_assert_eq(image_build(&image, &source, IMAGE_INT8, &sections, &err), STATUS_OK, "%s", err.message);
    free(s.weights);
    free(s.bias);
    free(s.gamma);
    free(table);
    return image;
}

struct image_shape check_shape(void)
{
    static const struct {
        uint32_t heads, head_dim, intermediate;
    } sizes[] = {{2, 32, 128}, {3, 26, 100}, {1, 7, 9}, {4, 16, 256}, {2, 80, 192}, {12, 26, 1248}, {6, 64, 768}};
    uint32_t pick = check_below(8), size = pick < 7 ? pick : 0;
    return (struct image_shape){
        .hidden = sizes[size].heads * sizes[size].head_dim,
        .layers = 1 + check_below(2),
        .heads = sizes[size].heads,
        .intermediate = sizes[size].intermediate,
        .vocab = 50,
        .positions = IMAGE_MAX_SEQUENCE,
        .types = 2,
        .activation = (enum image_activation)check_below(3),
        .layer_norm_eps = 1e-12f,
    };
}
