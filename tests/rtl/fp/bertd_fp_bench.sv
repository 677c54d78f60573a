// Data path: operands of fp_bench.cpp -> every floating-point unit -> results for the same.
// All floating-point units side by side on the same operands: the bench keeps what each should give.
module bertd_fp_bench (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    input  logic [31:0] c_i,
    input  logic [31:0] exp_i,
    input  logic [31:0] integer_i,
    input  logic [ 1:0] kind_i,
    input  logic [14:0] limit_i,
    output logic [31:0] add_o,
    output logic [31:0] mul_o,
    output logic [31:0] fma_o,
    output logic [31:0] from_int32_o,
    output logic [31:0] from_score_o,            // of few bits, as late as from_int32_o
    output logic [15:0] to_int_o,
    output logic [31:0] exp_o,
    output logic [31:0] activation_o,
    output logic [31:0] div_o,
    output logic [31:0] sqrt_o,
    output logic [31:0] butterfly_sum_o,         // as late as add_o
    output logic [31:0] butterfly_difference_o,
    output logic [31:0] accumulate_o,            // of magnitudes, as late as fma_o
    output logic [62:0] latencies_o
);

    bertd_fp_add u_add (.clk_i, .en_i, .a_i, .b_i, .y_o(add_o));
    bertd_fp_mul u_mul (.clk_i, .en_i, .a_i, .b_i, .y_o(mul_o));
    logic [31:0] fma_c;
    bertd_fp_delay #(.DEPTH(bertd_pkg::FP_PRODUCT_LATENCY)) u_fma_c (.clk_i, .en_i, .d_i(c_i), .q_o(fma_c));
    bertd_fp_fma u_fma (.clk_i, .en_i, .a_i, .b_i, .c_i(fma_c), .y_o(fma_o));
    bertd_fp_from_int32 u_from_int32 (.clk_i, .en_i, .a_i(integer_i), .y_o(from_int32_o));
    bertd_fp_from_int32 #(.WIDTH(bertd_pkg::SCORE_BITS)) u_from_score (
        .clk_i, .en_i, .a_i(32'($signed(integer_i[bertd_pkg::SCORE_BITS-1:0]))), .y_o(from_score_o)
    );
    bertd_fp_to_int u_to_int (.clk_i, .en_i, .x_i(a_i), .limit_i, .y_o(to_int_o));
    bertd_fp_exp u_exp (.clk_i, .en_i, .x_i(exp_i), .y_o(exp_o));
    bertd_fp_activation u_activation (.clk_i, .en_i, .kind_i, .x_i(a_i), .y_o(activation_o));
    bertd_fp_div u_div (.clk_i, .en_i, .a_i, .b_i, .y_o(div_o));
    bertd_fp_butterfly u_butterfly (
        .clk_i, .en_i, .a_i, .b_i, .sum_o(butterfly_sum_o), .difference_o(butterfly_difference_o)
    );

    logic sign, inf, nan;
    logic [9:0] exponent;
    logic [47:0] mantissa;
    logic [31:0] c, sum;
    bertd_fp_product u_product (
        .clk_i, .en_i, .a_i({1'b0, a_i[30:0]}), .b_i({1'b0, b_i[30:0]}),
        .sign_o(sign), .exponent_o(exponent), .mantissa_o(mantissa), .inf_o(inf), .nan_o(nan)
    );
    bertd_fp_delay #(.DEPTH(bertd_pkg::FP_PRODUCT_LATENCY)) u_c (
        .clk_i, .en_i, .d_i(c_i[30:23] == 8'd0 ? 32'd0 : {1'b0, c_i[30:0]}), .q_o(c)
    );
    bertd_fp_accumulate u_accumulate (
        .clk_i, .en_i, .exponent_i(exponent), .mantissa_i(mantissa), .inf_i(inf), .nan_i(nan), .c_i(c),
        .y_o(sum)
    );
    bertd_fp_delay #(.DEPTH(bertd_pkg::FP_FMA_LATENCY - bertd_pkg::FP_PRODUCT_LATENCY - 4)) u_accumulated (
        .clk_i, .en_i, .d_i(sum), .q_o(accumulate_o)
    );
    logic unused;
    assign unused = sign;
    bertd_fp_sqrt u_sqrt (.clk_i, .en_i, .x_i(a_i), .y_o(sqrt_o));

    // For the bench's delay lines, in the order of the outputs
    assign latencies_o = {
        7'(bertd_pkg::FP_SQRT_LATENCY),
        7'(bertd_pkg::FP_DIV_LATENCY),
        7'(bertd_pkg::FP_ACTIVATION_LATENCY),
        7'(bertd_pkg::FP_EXP_LATENCY),
        7'(bertd_pkg::FP_TO_INT_LATENCY),
        7'(bertd_pkg::FP_FROM_INT32_LATENCY),
        7'(bertd_pkg::FP_FMA_LATENCY),
        7'(bertd_pkg::FP_MUL_LATENCY),
        7'(bertd_pkg::FP_ADD_LATENCY)
    };

endmodule
