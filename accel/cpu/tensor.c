/* A layer by several boards: each makes its share of the outputs of every linear layer, of all rows. What is done row
 * by row (to quantise, to add, to normalise) each does for its share of the rows of a block. Between the two they meet:
 *
 *   own rows     hidden -> operands
 *   own heads    operands -> Q, K, V -> attention -> mixed
 *   own rows     mixed -> operands
 *   own outputs  operands -> accumulators of the output projection
 *   own rows     hidden += accumulators, LayerNorm -> operands
 *   own outputs  operands -> FFN1, activated and rotated
 *   own rows     -> operands of FFN2
 *   own outputs  operands -> accumulators of FFN2
 *   own rows     hidden += accumulators, LayerNorm, and on with the next layer
 *
 * Keys, values and queries of its heads each keeps to itself. Whoever has a row adds up the checked sums of its
 * outputs. Where they are wrong it finds out whose outputs are not what the operands give.
 */
#include <string.h>

#include "accel/cpu/cpu_engine.h"
#include "accel/cpu/slab.h"

enum { MOST_ROWS = 128, NO_ROW = UINT32_MAX };

/* What the boards exchange. Operands, mixed, inner and sum_acc lie in `rows`, the rest is each member's own to write.
 */
struct exchange {
    struct cpu_scratch rows;
    uint32_t *share_sums[BOARD_TEAM_MAX]; /* of Q, K and V: [rows][CPU_PROJECTIONS] */
    uint32_t *sums[BOARD_TEAM_MAX];       /* of FFN1: [rows] */
    uint32_t *amax[BOARD_TEAM_MAX];       /* likewise */
};

struct tensor {
    struct cpu_step step;
    struct cpu_scratch scratch; /* the engine's own, but for what is exchanged */
    struct exchange exchange;
    struct board_team *team;
    uint32_t member;
    uint32_t wrong_row;
    bool many_blocks; /* so that rows of one block may be another board's in the next */
};

/* Some rows of a sequence or more, and which of them are this board's. */
struct block {
    uint32_t begin, rows; /* of the job */
    uint32_t from, to;    /* of the block */
};

static uint32_t part(uint32_t whole, uint32_t member, uint32_t n)
{
    return (uint32_t)((uint64_t)whole * member / n);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Shares end with whole units: panels and, where outputs are rotated, blocks of the rotation; heads with those panels
 * that end where a head does. */
static struct cpu_share share_of(const struct image *image, uint32_t member, uint32_t n)
{
    const struct image_shape *shape = &image->shape;
    uint32_t heads = IMAGE_PANEL, rotation = image->layers[0].ffn2.rotation;
    while (heads > 1 && image->head_dim % (2 * IMAGE_PANEL / heads) == 0)
        heads /= 2;
    uint32_t inner = rotation > IMAGE_PANEL ? rotation : IMAGE_PANEL;
    uint32_t n_heads = (shape->heads + heads - 1) / heads, n_panels = (shape->hidden + IMAGE_PANEL - 1) / IMAGE_PANEL,
             n_inner = (shape->intermediate + inner - 1) / inner;
    return (struct cpu_share){
        .heads = {least(part(n_heads, member, n) * heads, shape->heads),
                  least(part(n_heads, member + 1, n) * heads, shape->heads)},
        .hidden_begin = least(part(n_panels, member, n) * IMAGE_PANEL, shape->hidden),
        .hidden_end = least(part(n_panels, member + 1, n) * IMAGE_PANEL, shape->hidden),
        .inner_begin = least(part(n_inner, member, n) * inner, shape->intermediate),
        .inner_end = least(part(n_inner, member + 1, n) * inner, shape->intermediate),
    };
}

static void place(struct exchange *x, const struct image *image, size_t operand, uint32_t n_rows, uint32_t n,
                  struct cpu_slab *slab)
{
    const size_t rows = round_up(least(n_rows, MOST_ROWS), CPU_TILE_ROWS);
    const size_t hidden = round_up(image->shape.hidden, IMAGE_PANEL),
                 inner = round_up(image->shape.intermediate, IMAGE_PANEL);
    struct cpu_scratch *s = &x->rows;
    s->hidden_stride = cpu_stride_of(hidden * operand);
    s->inner_stride = cpu_stride_of(inner * operand);
    s->acc_stride = cpu_acc_stride(image);
    s->operands = cpu_slab_take(slab, rows * s->hidden_stride);
    s->inner_operands = cpu_slab_take(slab, rows * s->inner_stride);
    s->quantised = cpu_slab_take(slab, rows * sizeof *s->quantised);
    s->sum_acc = cpu_slab_take(slab, rows * s->acc_stride * sizeof *s->sum_acc);
    s->mixed = cpu_slab_take(slab, rows * hidden * sizeof *s->mixed);
    s->inner = cpu_slab_take(slab, rows * inner * sizeof *s->inner);
    for (uint32_t m = 0; m < n; m++) {
        x->share_sums[m] = cpu_slab_take(slab, rows * CPU_PROJECTIONS * sizeof *x->share_sums[m]);
        x->sums[m] = cpu_slab_take(slab, rows * sizeof *x->sums[m]);
        x->amax[m] = cpu_slab_take(slab, rows * sizeof *x->amax[m]);
    }
}

size_t cpu_tensor_exchange_size(const struct image *image, uint32_t rows, uint32_t n_boards)
{
    struct exchange exchange;
    struct cpu_slab slab = {0};
    place(&exchange, image, sizeof(int16_t), rows, n_boards, &slab); /* the widest operand that kernels have */
    return slab.used;
}

static void begin(struct tensor *t, struct cpu_engine *engine, const struct board_task *task, uint32_t layer,
                  struct error *err)
{
    const struct image *image = engine->base.image;
    struct exchange *x = &t->exchange;
    struct cpu_slab slab = {.base = task->team->exchange};
    place(x, image, engine->kernels.linear_operand.size, task->job->n_rows, task->team->n, &slab);
    t->team = task->team;
    t->member = task->member;
    t->wrong_row = NO_ROW;
    t->scratch = engine->scratch;
    t->scratch.block_rows = least((uint32_t)t->scratch.block_rows, MOST_ROWS);
    t->scratch.operands = x->rows.operands;
    t->scratch.inner_operands = x->rows.inner_operands;
    t->scratch.quantised = x->rows.quantised;
    t->scratch.sum_acc = x->rows.sum_acc;
    t->scratch.mixed = x->rows.mixed;
    t->scratch.inner = x->rows.inner;
    t->scratch.share_sums = x->share_sums[t->member];
    t->scratch.sums = x->sums[t->member];
    t->scratch.inner_amax = x->amax[t->member];
    t->step = (struct cpu_step){
        .engine = engine,
        .scratch = &t->scratch,
        .job = task->job,
        .layer = &image->layers[layer],
        .index = layer,
        .verify = engine->base.verify,
        .share = share_of(image, t->member, t->team->n),
        .wrong_row = &t->wrong_row,
        .err = err,
    };
}

static struct block block_at(const struct tensor *t, uint32_t begin, uint32_t end)
{
    struct block block = {.begin = begin, .rows = cpu_block_rows(&t->step, end - begin)};
    block.from = part(block.rows, t->member, t->team->n);
    block.to = part(block.rows, t->member + 1, t->team->n);
    return block;
}

static enum status meet(const struct tensor *t)
{
    if (board_team_meet(t->team, t->member))
        return STATUS_OK;
    return error_set(t->step.err, STATUS_CANCELLED, "another board of the team did not go on");
}

/* Before rows of another block are made where the last ones were. */
static enum status meet_for_another(const struct tensor *t)
{
    return t->many_blocks ? meet(t) : STATUS_OK;
}

/* The checked sum of outputs [begin, end) of a row, once more from its operands. */
static uint32_t sum_again(const struct tensor *t, const struct image_linear *linear, uint32_t row, uint32_t begin,
                          uint32_t end)
{
    uint32_t sum = 0;
    for (uint32_t o = begin; o < end; o += IMAGE_PANEL)
        sum += cpu_step_sum(&t->step, linear, NULL, row, o, least(end - o, IMAGE_PANEL));
    return sum;
}

/* What a member made of a row is right: the sum of its outputs of a linear layer is what the operands give, and what is
 * to be quantised next (NULL: attention's output) is finite. */
static bool made_right(const struct tensor *t, const struct image_linear *linear, int projection, uint32_t row,
                       uint32_t member)
{
    const struct image *image = t->step.engine->base.image;
    const struct cpu_share share = share_of(image, member, t->team->n);
    if (!linear) {
        const float *mixed = t->scratch.mixed + (size_t)row * image->shape.hidden;
        return cpu_is_finite(t->step.engine->kernels.amax(mixed + share.heads.begin * image->head_dim,
                                                          (share.heads.end - share.heads.begin) * image->head_dim));
    }
    if (linear == &t->step.layer->qkv) {
        uint32_t first = image_qkv_offset(image, projection);
        return t->exchange.share_sums[member][row * CPU_PROJECTIONS + (uint32_t)projection] ==
               sum_again(t, linear, row, first + share.heads.begin * image->head_dim,
                         first + share.heads.end * image->head_dim);
    }
    if (linear == &t->step.layer->ffn1)
        return cpu_is_finite(t->exchange.amax[member][row]) &&
               t->exchange.sums[member][row] == sum_again(t, linear, row, share.inner_begin, share.inner_end);
    const int32_t *acc = t->scratch.sum_acc + row * t->scratch.acc_stride;
    uint32_t sum = 0;
    for (uint32_t o = share.hidden_begin; o < share.hidden_end; o += IMAGE_PANEL)
        sum += cpu_step_sum(&t->step, linear, acc + o, row, o, least(share.hidden_end - o, IMAGE_PANEL));
    return sum == sum_again(t, linear, row, share.hidden_begin, share.hidden_end);
}

/* A row is wrong: by the fault of whoever did not make his part of it right. If nobody did, the operands are not what
 * they were made as, and they are this board's. */
static enum status blame(const struct tensor *t, enum status status, const struct image_linear *linear, int projection,
                         const struct block *block)
{
    if (status != STATUS_BACKEND || t->wrong_row == NO_ROW)
        return status;
    uint32_t culprit = t->member;
    for (uint32_t m = 0; m < t->team->n; m++)
        if (!made_right(t, linear, projection, t->wrong_row - block->begin, m))
            culprit = m;
    board_team_break(t->team, (int)culprit, t->step.err);
    return culprit == t->member ? status : STATUS_CANCELLED;
}

/* The sums of Q, K and V of own rows, by all members. */
static enum status check_projections(const struct tensor *t, const struct block *block)
{
    static const char *const names[CPU_PROJECTIONS] = {"queries", "keys", "values"};
    for (uint32_t r = block->from; r < block->to; r++)
        for (uint32_t p = 0; p < CPU_PROJECTIONS; p++) {
            uint32_t sum = 0;
            for (uint32_t m = 0; m < t->team->n; m++)
                sum += t->exchange.share_sums[m][r * CPU_PROJECTIONS + p];
            enum status status =
                cpu_check_product(&t->step, names[p], block->begin + r, sum, t->scratch.quantised[r].expected[p]);
            if (status)
                return blame(t, status, &t->step.layer->qkv, (int)p, block);
        }
    return STATUS_OK;
}

/* All rows of a block, operands -> queries, from row `query` on, keys and values of own heads. */
static enum status project_heads(const struct tensor *t, uint32_t query, const struct block *block)
{
    const struct cpu_step *step = &t->step;
    if (step->share.heads.begin < step->share.heads.end)
        return cpu_step_project(step, &step->engine->sequences.kv, query, block->begin, block->rows);
    memset(t->scratch.share_sums, 0, (size_t)block->rows * CPU_PROJECTIONS * sizeof *t->scratch.share_sums);
    return STATUS_OK;
}

/* The rows of a group, hidden -> queries, keys and values of own heads. Leaves `ret_last`, its last block, unchecked.
 */
static enum status project(const struct tensor *t, uint32_t begin, uint32_t end, struct block *ret_last)
{
    const struct cpu_step *step = &t->step;
    for (uint32_t row = begin; row < end; row += ret_last->rows) {
        enum status status = meet_for_another(t);
        if (!status && row > begin)
            status = check_projections(t, ret_last);
        if (!status && row > begin)
            status = meet_for_another(t);
        *ret_last = block_at(t, row, end);
        const uint32_t from = row + ret_last->from, to = row + ret_last->to;
        if (!status && step->index == 0 && from < to)
            status = cpu_layer_embed(step, from, to);
        if (!status)
            status = cpu_step_quantise_hidden(step, &step->layer->qkv, row, ret_last->from, ret_last->to);
        if (!status)
            status = meet(t);
        if (!status)
            status = project_heads(t, row - begin, ret_last);
        if (status)
            return status;
    }
    return STATUS_OK;
}

/* Own outputs of a linear layer -> own rows of hidden states. */
static enum status multiply_and_add(const struct tensor *t, const struct image_linear *linear,
                                    const struct block *block)
{
    enum status status = meet(t);
    if (status)
        return status;
    cpu_step_multiply(&t->step, linear, block->rows);
    status = meet(t);
    if (!status && block->from < block->to)
        status = blame(t, cpu_step_add(&t->step, linear, block->begin, block->from, block->to), linear, 0, block);
    return status;
}

/* FFN1 of own outputs -> operands of own rows. */
static enum status activate(const struct tensor *t, const struct block *block)
{
    const struct exchange *x = &t->exchange;
    uint32_t sums[MOST_ROWS], amax[MOST_ROWS];
    enum status status = meet(t);
    if (status)
        return status;
    cpu_step_activate(&t->step, block->rows);
    status = meet(t);
    for (uint32_t r = block->from; r < block->to && !status; r++) {
        sums[r] = amax[r] = 0;
        for (uint32_t m = 0; m < t->team->n; m++) {
            sums[r] += x->sums[m][r];
            amax[r] = amax[r] > x->amax[m][r] ? amax[r] : x->amax[m][r];
        }
    }
    if (!status)
        status = blame(t, cpu_step_quantise_inner(&t->step, sums, amax, block->begin, block->from, block->to),
                       &t->step.layer->ffn1, 0, block);
    return status;
}

/* The same rows, with queries, keys and values -> hidden. `projected` is the block that is still to be checked. */
static enum status finish(const struct tensor *t, uint32_t begin, uint32_t end, const struct block *projected)
{
    const struct cpu_step *step = &t->step;
    struct block block;
    for (uint32_t row = begin; row < end; row += block.rows) {
        block = block_at(t, row, end);
        enum status status = cpu_attention(step, &step->engine->sequences.kv, row - begin, row, row + block.rows);
        if (!status)
            status = meet(t);
        if (!status && row == begin)
            status = check_projections(t, projected);
        if (!status && row == begin)
            status = meet_for_another(t);
        if (!status)
            status = blame(t, cpu_step_quantise_mixed(step, row, block.from, block.to), NULL, 0, &block);
        if (!status)
            status = multiply_and_add(t, &step->layer->output, &block);
        if (!status)
            status = cpu_step_quantise_hidden(step, &step->layer->ffn1, row, block.from, block.to);
        if (!status)
            status = activate(t, &block);
        if (!status)
            status = multiply_and_add(t, &step->layer->ffn2, &block);
        if (status)
            return status;
    }
    return STATUS_OK;
}

enum status cpu_tensor_layer(struct cpu_engine *engine, const struct board_task *task, uint32_t layer,
                             struct error *err)
{
    struct tensor t;
    if (!board_team_agrees(task->team, engine->kernels.isa))
        return error_set(err, STATUS_BACKEND, "other boards of its team have no kernels of %s", engine->kernels.isa);
    begin(&t, engine, task, layer, err);
    enum status status = STATUS_OK;
    for (uint32_t row = 0, next; row < task->row_end && !status; row = next) {
        struct block last;
        status = cpu_sequences_begin(&t.step, row, task->row_end, &next);
        if (!status && row == 0)
            t.many_blocks = next < task->row_end || block_at(&t, 0, next).rows < next;
        if (!status)
            status = project(&t, row, next, &last);
        if (!status)
            status = finish(&t, row, next, &last);
    }
    /* What is wrong with the last rows of one may be another's fault, who must not be gone. */
    return !status && layer + 1 == task->layer_end ? meet(&t) : status;
}
