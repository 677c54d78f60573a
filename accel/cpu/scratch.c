#include <string.h>
#include <unistd.h>

#include "accel/cpu/cpu_engine.h"
#include "accel/cpu/slab.h"
#include "base/mem.h"
#include "base/round_up.h"

enum {
    TILE_SCORES = CPU_TILE_ROWS * (IMAGE_MAX_SEQUENCE + IMAGE_PANEL),
    MIN_ROWS = 12,
    MANY_ROWS = 128,
    FEW_OUTPUTS = 512, /* of FFN1: fewer at a time leave the products too little to do at once */
    GROUP_BLOCKS = 4,  /* of rows that are projected before they are attended: they are to stay in a cache */
};

size_t cpu_stride_of(size_t bytes)
{
    return (round_up(bytes, CPU_ALIGN) / CPU_ALIGN | 1) * CPU_ALIGN;
}

/* Outputs for which a row of accumulators has room: whole Hadamard blocks. */
static size_t acc_width(const struct image *image)
{
    size_t hidden = round_up(image->shape.hidden, IMAGE_MAX_ROTATION);
    return hidden > FEW_OUTPUTS ? hidden : FEW_OUTPUTS;
}

size_t cpu_acc_stride(const struct image *image)
{
    return cpu_stride_of(acc_width(image) * sizeof(int32_t)) / sizeof(int32_t);
}

/* Weights are read for each block of rows anew. The second-level cache has those of a small layer still;
 * those of a large one come from further away, so there twice as many rows share them. So they do where products are by
 * tiles, which sequences that lie in two blocks cost more. A block has as many rows as keep what lies between FFN1 and
 * FFN2 within twice that cache: fewer would read the weights more often than that saves. */
static void choose_rows(struct cpu_scratch *s, const struct cpu_engine *engine)
{
    const struct image_shape *shape = &engine->base.image->shape;
    long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
    size_t size = cache > 0 ? (size_t)cache : 512 * 1024;
    size_t row = shape->intermediate * (sizeof(float) + engine->kernels.linear_operand.size);
    size_t weights = (size_t)shape->hidden * (4 * (size_t)shape->hidden + 2 * (size_t)shape->intermediate);
    bool twice = weights > size || engine->kernels.tile_inputs == CPU_TILE_INPUTS;
    size_t rows = 2 * size / row, most = twice ? 2 * MANY_ROWS : MANY_ROWS;
    s->block_rows = rows < MIN_ROWS ? MIN_ROWS : rows > most ? most : rows;
    s->group_rows = GROUP_BLOCKS * s->block_rows;
}

/* Beside scores the first-level cache is to hold some of P, keys and values. */
static size_t near_scores(void)
{
    const long cache = sysconf(_SC_LEVEL1_DCACHE_SIZE);
    return (cache > 0 ? (size_t)cache : 32 * 1024) / 4 * 3 / sizeof(float);
}

static void place_scratch(struct cpu_scratch *s, const struct cpu_engine *engine, struct cpu_slab *slab)
{
    const struct image *image = engine->base.image;
    size_t rows = round_up(s->block_rows, CPU_TILE_ROWS), operand = engine->kernels.operand.size,
           digits = engine->kernels.n_digits;
    size_t hidden = round_up(image->shape.hidden, IMAGE_PANEL);
    size_t inner = round_up(image->shape.intermediate, IMAGE_PANEL);
    s->hidden_stride = cpu_stride_of(hidden * engine->kernels.linear_operand.size);
    s->inner_stride = cpu_stride_of(inner * engine->kernels.linear_operand.size);
    s->acc_stride = cpu_acc_stride(image);
    s->chunk = (uint32_t)acc_width(image);
    s->near_scores = near_scores();
    const size_t scores = s->near_scores > TILE_SCORES ? s->near_scores : TILE_SCORES;
    s->operands = cpu_slab_take(slab, rows * s->hidden_stride);
    s->inner_operands = cpu_slab_take(slab, rows * s->inner_stride);
    s->quantised = cpu_slab_take(slab, rows * sizeof *s->quantised);
    s->sums = cpu_slab_take(slab, rows * sizeof(uint32_t));
    s->before = cpu_slab_take(slab, rows * sizeof(uint32_t));
    s->sum_acc = s->acc = cpu_slab_take(slab, rows * s->acc_stride * sizeof(int32_t));
    s->work =
        engine->kernels.work ? cpu_slab_take(slab, engine->kernels.work(rows, hidden > inner ? hidden : inner)) : NULL;
    s->row = cpu_slab_take(slab, hidden * sizeof(float));
    s->mixed = cpu_slab_take(slab, rows * hidden * sizeof(float));
    s->inner = cpu_slab_take(slab, rows * inner * sizeof(float));
    s->inner_amax = cpu_slab_take(slab, rows * sizeof(uint32_t));
    s->bytes = cpu_slab_take(slab, (size_t)IMAGE_GROUP * image->shape.heads * image->head_dim_padded);
    s->head_scales = cpu_slab_take(slab, image->shape.heads * sizeof(float));
    s->keys = cpu_slab_take(slab, IMAGE_MAX_SEQUENCE * image->head_dim_padded + CPU_TILE_ROWS * CPU_TILE_INPUTS);
    s->values = cpu_slab_take(slab, IMAGE_MAX_SEQUENCE * image->head_dim_padded + CPU_TILE_ROWS * CPU_TILE_INPUTS);
    s->scores = cpu_slab_take(slab, scores * sizeof(float));
    s->weights = cpu_slab_take(slab, scores * digits * operand * 2); /* a stride at most doubles a row */
    s->context = cpu_slab_take(slab, rows * digits * image->head_dim_padded * sizeof(int32_t));
    s->products = cpu_slab_take(slab, rows * sizeof(uint32_t));
    s->score_sums = cpu_slab_take(slab, rows * sizeof(uint32_t));
    s->expected = cpu_slab_take(slab, rows * sizeof(uint32_t));
    s->factors = cpu_slab_take(slab, rows * sizeof(float));
    s->token_scales = cpu_slab_take(slab, (size_t)2 * IMAGE_MAX_SEQUENCE * sizeof(float));
    s->key_sums = cpu_slab_take(slab, IMAGE_MAX_SEQUENCE * sizeof(int32_t));
    s->key_checks = cpu_slab_take(slab, image->head_dim_padded * sizeof(int32_t));
    s->value_checks = cpu_slab_take(slab, IMAGE_MAX_SEQUENCE * sizeof(int32_t));
    s->ones = cpu_slab_take(slab, image->head_dim_padded * operand);
}

enum status cpu_scratch_init(struct cpu_engine *engine, struct error *err)
{
    struct cpu_scratch *s = &engine->scratch;
    choose_rows(s, engine);
    struct cpu_slab slab = {0};
    place_scratch(s, engine, &slab);
    s->memory = mem_alloc_pages(slab.used);
    if (!s->memory)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu bytes of an engine's scratch", slab.used);
    memset(s->memory, 0, slab.used); /* the padding of `bytes` stays 0 */
    slab = (struct cpu_slab){.base = s->memory};
    place_scratch(s, engine, &slab);
    memset(s->ones, 1, engine->base.image->head_dim_padded);
    return STATUS_OK;
}

void cpu_scratch_finish(struct cpu_engine *engine)
{
    mem_free(engine->scratch.memory);
    engine->scratch = (struct cpu_scratch){0};
}

static void place_sequences(struct cpu_sequences *s, const struct cpu_engine *engine, struct cpu_slab *slab)
{
    const struct image *image = engine->base.image;
    size_t heads = image->shape.heads, width = heads * image->head_dim_padded;
    size_t last = width - image->head_dim_padded + round_up(image->head_dim_padded, CPU_TILE_INPUTS);
    s->query_stride = cpu_stride_of(last * engine->kernels.operand.size);
    s->queries =
        cpu_slab_take(slab, (s->rows + CPU_TILE_ROWS - 1) * s->query_stride); /* a head's rows may begin at any */
    s->query_scales = cpu_slab_take(slab, s->rows * heads * sizeof(float));
    s->block_begin = cpu_slab_take(slab, (s->rows + 1) * sizeof(uint32_t));
    s->kv = (struct cpu_kv){
        .block_begin = s->block_begin,
        .keys = cpu_slab_take(slab, s->blocks * IMAGE_PANEL * width),
        .values = cpu_slab_take(slab, s->blocks * IMAGE_PANEL * width),
        .key_scales = cpu_slab_take(slab, s->blocks * IMAGE_PANEL * heads * sizeof(float)),
        .value_scales = cpu_slab_take(slab, s->blocks * IMAGE_PANEL * heads * sizeof(float)),
    };
}

enum status cpu_sequences_reserve(struct cpu_engine *engine, size_t rows, size_t blocks, struct error *err)
{
    if (rows <= engine->sequences.rows && blocks <= engine->sequences.blocks)
        return STATUS_OK;
    struct cpu_sequences grown = {
        .rows = rows > engine->sequences.rows ? rows : engine->sequences.rows,
        .blocks = blocks > engine->sequences.blocks ? blocks : engine->sequences.blocks,
    };
    struct cpu_slab slab = {0};
    place_sequences(&grown, engine, &slab);
    grown.memory = mem_alloc_pages(slab.used);
    if (!grown.memory)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu bytes of keys and values of %zu rows", slab.used,
                         rows);
    memset(grown.memory, 0, slab.used);
    slab = (struct cpu_slab){.base = grown.memory};
    place_sequences(&grown, engine, &slab);
    cpu_sequences_finish(engine);
    engine->sequences = grown;
    return STATUS_OK;
}

void cpu_sequences_finish(struct cpu_engine *engine)
{
    mem_free(engine->sequences.memory);
    engine->sequences = (struct cpu_sequences){0};
}
