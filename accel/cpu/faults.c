/* Products in which a bit flips on purpose. */
#include <string.h>

#include "accel/cpu/cpu_engine.h"
#include "base/mem.h"

enum {
    LINEAR_FAULTS = ENGINE_FLIP_ACCUMULATOR | ENGINE_FLIP_WEIGHT,
    OPERANDS = 4, /* times that a layer makes operands of linear layers, at least */
};

bool cpu_faults_arm(struct cpu_engine *engine, unsigned mask, uint64_t seed)
{
    const struct image_layer *layer = &engine->base.image->layers[0];
    size_t widest = layer->ffn1.in_padded > layer->ffn2.in_padded ? layer->ffn1.in_padded : layer->ffn2.in_padded;
    if (!engine->fault_panel)
        engine->fault_panel = mem_alloc_aligned(CPU_ALIGN, widest * IMAGE_PANEL);
    if (!engine->fault_panel)
        return false;
    engine_faults_arm(&engine->faults, mask, seed);
    engine->fault_in_attention = engine_faults_below(&engine->faults, 4) == 0;
    return true;
}

void cpu_gemm_prepare(const struct cpu_engine *engine, const struct cpu_gemm *gemm)
{
    if (engine->kernels.prepare)
        engine->kernels.prepare(gemm);
}

/* A bit of a quantised number, in whatever form operands have: not its sign, which an int16 has more than once. */
void cpu_faults_operands(struct cpu_engine *engine, void *operands, size_t stride, size_t rows, size_t inputs)
{
    struct engine_faults *faults = &engine->faults;
    if (rows == 0)
        return;
    if (faults->armed & ENGINE_FLIP_ACTIVATION)
        faults->wait %= OPERANDS;
    if (!engine_faults_due(faults, ENGINE_FLIP_ACTIVATION))
        return;
    char *row = (char *)operands + engine_faults_below(faults, rows) * stride;
    char *operand = row + engine_faults_below(faults, inputs) * engine->kernels.linear_operand.size;
    *operand ^= (char)(1 << engine_faults_below(faults, 7));
}

static void flip_accumulator(struct engine_faults *faults, const struct cpu_gemm *g, size_t outputs, unsigned bits)
{
    int32_t *row = g->acc + engine_faults_below(faults, g->n_rows) * g->acc_stride;
    size_t o = engine_faults_below(faults, outputs);
    row[o] = (int32_t)((uint32_t)row[o] ^ 1u << engine_faults_below(faults, bits));
}

/* A panel once more, from a copy with a flipped bit. */
static void flip_weight(struct cpu_engine *engine, const struct cpu_gemm *g, size_t inputs, size_t outputs)
{
    struct engine_faults *faults = &engine->faults;
    size_t o = engine_faults_below(faults, outputs), i = engine_faults_below(faults, inputs), panel = o / IMAGE_PANEL;
    size_t at = (i / IMAGE_GROUP * IMAGE_PANEL + o % IMAGE_PANEL) * IMAGE_GROUP + i % IMAGE_GROUP;
    memcpy(engine->fault_panel, g->weights + panel * g->panel_stride, g->groups * IMAGE_GROUP * IMAGE_PANEL);
    engine->fault_panel[at] ^= (int8_t)(1 << engine_faults_below(faults, 8));
    struct cpu_gemm again = *g;
    again.weights = engine->fault_panel;
    again.row_sums += panel * IMAGE_PANEL;
    again.acc += panel * IMAGE_PANEL;
    again.n_panels = 1;
    again.clipped = (struct cpu_clipped){0};
    cpu_gemm_prepare(engine, &again);
    engine->kernels.linear(&again);
    cpu_gemm_prepare(engine, g);
}

void cpu_gemm_linear(struct cpu_engine *engine, const struct cpu_gemm *gemm, size_t inputs, size_t outputs)
{
    unsigned possible = LINEAR_FAULTS;
    if (engine->fault_in_attention)
        possible &= ~(unsigned)ENGINE_FLIP_ACCUMULATOR;
    const unsigned due = engine_faults_due(&engine->faults, possible);
    engine->kernels.linear(gemm);
    if (due & ENGINE_FLIP_WEIGHT)
        flip_weight(engine, gemm, inputs, outputs);
    if (due & ENGINE_FLIP_ACCUMULATOR)
        flip_accumulator(&engine->faults, gemm, outputs, 32);
}

bool cpu_gemm_add(const struct cpu_engine *engine, const struct cpu_gemm *gemm, const struct cpu_addition *to)
{
    const bool may = engine->kernels.linear_add && !(engine->faults.armed & LINEAR_FAULTS);
    return may && engine->kernels.linear_add(gemm, to);
}

void cpu_gemm_attention(struct cpu_engine *engine, const struct cpu_gemm *gemm, size_t outputs, unsigned bits)
{
    engine->kernels.gemm(gemm);
    if (engine->fault_in_attention && engine_faults_due(&engine->faults, ENGINE_FLIP_ACCUMULATOR))
        flip_accumulator(&engine->faults, gemm, outputs, bits);
}
