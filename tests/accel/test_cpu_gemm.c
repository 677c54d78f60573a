/* The integer products of every instruction set against sums in 64 bits. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/round_up.h"
#include "tests/accel/cpu_check.h"

struct gemm_case {
    size_t rows, panels, groups; /* of 4 inputs */
    bool offset;                 /* activations, else digits of P */
    bool linear;                 /* the kernel of linear layers */
};

static struct cpu_operand operand(const struct cpu_kernels *k, const struct gemm_case *c)
{
    return c->linear ? k->linear_operand : k->operand;
}

static size_t inputs_of(const struct gemm_case *c)
{
    return c->groups * IMAGE_GROUP;
}

/* What P may hold: whole, or digits. */
static int32_t random_digit(const struct cpu_kernels *k)
{
    int32_t most = k->n_digits == 1 ? 127 * 128 : 127;
    return check_below(4) ? (int32_t)check_below((uint32_t)most + 1) : most;
}

/* Random numbers, and the same as operands. */
static void fill_rows(const struct cpu_kernels *k, const struct gemm_case *c, int16_t *numbers, char *operands,
                      size_t stride)
{
    size_t n = inputs_of(c);
    int8_t *bytes = check_input(n);
    for (size_t r = 0; r < c->rows; r++) {
        check_bytes(bytes, n);
        for (size_t i = 0; i < n; i++) {
            int16_t number = c->offset ? bytes[i] : (int16_t)random_digit(k);
            numbers[r * n + i] = number;
            if (operand(k, c).size == 1)
                ((uint8_t *)operands + r * stride)[i] = (uint8_t)(number + (c->offset ? operand(k, c).offset : 0));
            else
                memcpy(operands + r * stride + i * sizeof number, &number, sizeof number);
        }
    }
    free(bytes);
}

/* Where input i of output o is. */
static size_t place(const struct cpu_gemm *g, size_t o, size_t i)
{
    return o / IMAGE_PANEL * g->panel_stride + (i / IMAGE_GROUP * IMAGE_PANEL + o % IMAGE_PANEL) * IMAGE_GROUP +
           i % IMAGE_GROUP;
}

static int64_t product(const struct cpu_gemm *g, const int16_t *numbers, size_t inputs, size_t o)
{
    int64_t sum = 0;
    for (size_t i = 0; i < inputs; i++)
        sum += numbers[i] * g->weights[place(g, o, i)];
    return sum;
}

static void check_columns(const struct cpu_kernels *k, const struct cpu_gemm *g, size_t inputs)
{
    int32_t *sums = check_output(inputs * sizeof *sums);
    k->column_sums(sums, g);
    cr_assert(check_intact(sums), "%s: written outside of the sums", k->isa);
    for (size_t i = 0; i < inputs; i++) {
        int32_t right = 0;
        for (size_t o = 0; o < g->n_panels * IMAGE_PANEL; o++)
            right += g->weights[place(g, o, i)];
        cr_assert_eq(sums[i], right, "%s: sum of column %zu of %zu is %d, not %d", k->isa, i, inputs, sums[i], right);
    }
    check_free_output(sums);
}

/* Weights such as training leaves, most of them small. */
static void check_bells(int8_t *weights, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t sum = -255;
        for (int uniform = 0; uniform < 6; uniform++)
            sum += (int32_t)check_below(86);
        weights[i] = (int8_t)(sum > 127 ? 127 : sum < -127 ? -127 : sum);
    }
}

static void multiply(const struct cpu_kernels *k, const struct gemm_case *c, struct cpu_gemm *g)
{
    if (!c->linear) {
        k->gemm(g);
        return;
    }
    if (check_below(4)) {
        struct image_linear linear = {.in_padded = (uint32_t)inputs_of(c),
                                      .out_padded = (uint32_t)(c->panels * IMAGE_PANEL),
                                      .weights = g->weights};
        g->clipped = check_clipped(&linear);
    }
    g->work = check_output(k->work ? k->work(c->rows, inputs_of(c)) : 0);
    if (k->prepare)
        k->prepare(g);
    k->linear(g);
    cr_assert(check_intact(g->work), "%s: written outside of its working memory", k->isa);
    check_free_output(g->work);
    check_free_clipped(&g->clipped);
}

static void check_case(const struct cpu_kernels *k, const struct gemm_case *c)
{
    size_t n = inputs_of(c), outputs = c->panels * IMAGE_PANEL;
    struct cpu_gemm g = {
        .groups = c->groups, .n_rows = c->rows, .n_panels = c->panels, .panel_stride = n * IMAGE_PANEL};
    const size_t room = round_up(c->rows, CPU_TILE_ROWS), width = round_up(n, CPU_TILE_INPUTS);
    g.filled_up = !c->linear && check_below(2);
    g.row_stride = ((g.filled_up ? width : n) + check_below(3) * IMAGE_GROUP) * operand(k, c).size;
    const size_t rows_size = (room - 1) * g.row_stride + width * operand(k, c).size;
    g.acc_stride = outputs + check_below(2) * 16;
    const size_t beyond = c->linear ? 0 : (width - n) * IMAGE_PANEL;
    int8_t *weights = check_input(outputs * n + beyond);
    check_bytes(weights, outputs * n + beyond);
    char *operands = check_input(rows_size);
    int16_t *numbers = check_input(c->rows * n * sizeof *numbers);
    int32_t *row_sums = check_input(outputs * sizeof *row_sums);
    g.acc = check_output(((room - 1) * g.acc_stride + outputs) * sizeof *g.acc);
    if (c->linear && check_below(3))
        check_bells(weights, outputs * n);
    g.weights = weights;
    g.rows = operands;
    memset(operands, g.filled_up ? 0 : 0x55, rows_size);
    fill_rows(k, c, numbers, operands, g.row_stride);
    for (size_t o = 0; o < outputs; o++) {
        row_sums[o] = 0;
        for (size_t i = 0; i < n; i++)
            row_sums[o] += weights[place(&g, o, i)];
    }
    g.row_sums = c->offset ? row_sums : NULL;
    check_columns(k, &g, n);
    multiply(k, c, &g);
    cr_assert(check_intact(g.acc), "%s: written outside of the accumulators", k->isa);
    for (size_t r = 0; r < c->rows; r++)
        for (size_t o = 0; o < outputs; o++) {
            int64_t right = product(&g, numbers + r * n, n, o);
            cr_assert_eq(g.acc[r * g.acc_stride + o], right,
                         "%s: rows %zu, panels %zu, groups %zu: row %zu, output %zu is %d, not %lld", k->isa, c->rows,
                         c->panels, c->groups, r, o, g.acc[r * g.acc_stride + o], (long long)right);
        }
    check_free_output(g.acc);
    free(row_sums);
    free(numbers);
    free(operands);
    free(weights);
}

static void check_products(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!CHECK_NEW(k, before, gemm))
        return;
    for (int round = check_rounds(120); round > 0; round--) {
        struct gemm_case c = {1 + check_below(30), 1 + check_below(9), (check_width() + 3) / 4, true, false};
        check_case(k, &c);
    }
    for (size_t rows = 1; rows <= 70; rows += 1 + (size_t)(100 / check_rounds(100) - 1)) {
        struct gemm_case c = {rows, 1 + rows % 5, 1 + rows % 3, true, false};
        check_case(k, &c);
    }
}

Test(cpu_gemm, products)
{
    check_begin("products");
    check_each_set(check_products);
}

static void check_linear(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!CHECK_NEW(k, before, linear))
        return;
    for (int round = check_rounds(60); round > 0; round--) {
        struct gemm_case c = {1 + check_below(50), 1 + check_below(5), (check_width() + 3) / 4, true, true};
        check_case(k, &c);
    }
    for (int round = check_rounds(20); round > 0; round--) { /* more panels than are taken at a time */
        struct gemm_case c = {1 + check_below(70), 1 + check_below(40), 1 + check_below(40), true, true};
        check_case(k, &c);
    }
}

Test(cpu_gemm, linear)
{
    check_begin("linear");
    check_each_set(check_linear);
}

/* Tokens as inputs, by 16; up to the longest sequence, with every digit and value at its largest. */
static void check_tokens(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!CHECK_NEW(k, before, gemm))
        return;
    for (int round = check_rounds(60); round > 0; round--) {
        const size_t groups = (1 + check_below(IMAGE_MAX_SEQUENCE / IMAGE_PANEL)) * IMAGE_PANEL / IMAGE_GROUP;
        struct gemm_case c = {1 + check_below(70), 1 + check_below(5), groups, false, false};
        check_case(k, &c);
    }
    struct gemm_case longest = {2, 1, IMAGE_MAX_SEQUENCE / IMAGE_GROUP, false, false};
    check_case(k, &longest);
}

Test(cpu_gemm, tokens)
{
    check_begin("tokens");
    check_each_set(check_tokens);
}

/* Rows that a linear layer is added to, whole tiles or not: the same bits, and sums, as of `linear` and then `add`. */
static void check_addition(const struct cpu_kernels *k, size_t rows, size_t outputs, size_t groups)
{
    const size_t inputs = groups * IMAGE_GROUP, panels = (outputs + IMAGE_PANEL - 1) / IMAGE_PANEL;
    const size_t room = round_up(rows, CPU_TILE_ROWS), width = round_up(inputs, CPU_TILE_INPUTS);
    struct cpu_gemm g = {.groups = groups, .n_rows = rows, .n_panels = panels, .panel_stride = inputs * IMAGE_PANEL};
    g.row_stride = width + check_below(2) * CPU_TILE_INPUTS;
    g.acc_stride = panels * IMAGE_PANEL;
    int8_t *weights = check_input(g.acc_stride * inputs), *operands = check_input(room * g.row_stride);
    check_bytes(weights, g.acc_stride * inputs);
    check_bytes(operands, room * g.row_stride);
    g.weights = weights;
    g.rows = operands;
    g.acc = check_output(room * g.acc_stride * sizeof *g.acc);
    g.work = check_output(k->work ? k->work(rows, inputs) : 0);
    struct cpu_addition to = {
        .n = outputs, .row_scale_stride = 1 + check_below(3), .x_stride = outputs + check_below(40)};
    const size_t n_scales = (rows - 1) * to.row_scale_stride + 1, n_x = (rows - 1) * to.x_stride + outputs;
    float *scales = check_input(outputs * sizeof *scales), *bias = check_input(outputs * sizeof *bias);
    float *row_scales = check_input(n_scales * sizeof *row_scales);
    float *x = check_output(n_x * sizeof *x), *right = check_input(n_x * sizeof *right);
    check_floats(scales, outputs);
    check_floats(bias, outputs);
    check_floats(row_scales, n_scales);
    check_floats(x, n_x);
    memcpy(right, x, n_x * sizeof *x);
    to.scales = scales;
    to.bias = bias;
    to.row_scales = row_scales;
    to.x = x;
    to.sums = check_output(rows * sizeof *to.sums);
    to.before = check_output(rows * sizeof *to.before);
    const bool done = k->linear_add(&g, &to);
    cr_assert(done || outputs % 32 != 0 || inputs % 64 != 0, "%s: %zu outputs of %zu inputs are whole tiles", k->isa,
              outputs, inputs);
    cr_assert(check_intact(x) && check_intact(to.sums) && check_intact(to.before) && check_intact(g.work),
              "%s: written outside of x, its sums or the working memory", k->isa);
    if (k->prepare)
        k->prepare(&g);
    k->linear(&g);
    for (size_t r = 0; done && r < rows; r++) {
        const struct cpu_epilogue e = {scales, bias, row_scales[r * to.row_scale_stride]};
        uint32_t before, sum = k->add(right + r * to.x_stride, g.acc + r * g.acc_stride, &e, outputs, &before);
        cr_assert_eq(to.sums[r], sum, "%s: the sum of row %zu of %zu, %zu outputs, %zu inputs", k->isa, r, rows,
                     outputs, inputs);
        cr_assert_eq(to.before[r], before, "%s: the sum before of row %zu of %zu", k->isa, r, rows);
    }
    cr_assert_eq(memcmp(x, right, n_x * sizeof *x), 0, "%s: %zu rows, %zu outputs, %zu inputs: other bits", k->isa,
                 rows, outputs, inputs);
    check_free_output(to.before);
    check_free_output(to.sums);
    check_free_output(x);
    check_free_output(g.work);
    check_free_output(g.acc);
    free(right);
    free(row_scales);
    free(bias);
    free(scales);
    free(operands);
    free(weights);
}

static void check_additions(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!k->linear_add || !CHECK_NEW(k, before, linear_add))
        return;
    for (int round = check_rounds(60); round > 0; round--)
        check_addition(k, 1 + check_below(100), 32 * (1 + check_below(8)), 16 * (1 + check_below(8)));
    for (int round = check_rounds(20); round > 0; round--) /* not whole tiles, most of them */
        check_addition(k, 1 + check_below(40), 1 + check_below(100), 4 * (1 + check_below(32)));
    static const size_t edges[] = {1, 15, 16, 17, 31, 32, 33, 49};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        for (size_t outputs = 16; outputs <= 64; outputs += 16)
            for (size_t groups = 8; groups <= 32; groups += 8)
                check_addition(k, edges[i], outputs, groups);
}

Test(cpu_gemm, added_at_once)
{
    check_begin("added_at_once");
    check_each_set(check_additions);
}
