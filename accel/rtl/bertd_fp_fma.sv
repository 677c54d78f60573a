// Data path: bertd_drain (scalar and bias), bertd_slice_norm (gamma and beta), bertd_fp_activation.
// a * b + c, rounded once. bertd_pkg::FP_FMA_LATENCY enabled cycles.
module bertd_fp_fma (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    input  logic [31:0] c_i,
    output logic [31:0] y_o
);

    localparam int STAGES = bertd_pkg::FP_PRODUCT_LATENCY + 4;
    logic [31:0] y;
    if (bertd_pkg::FP_FMA_LATENCY < STAGES) $error("bertd_fp_fma has %0d stages", STAGES);

    logic sign, inf, nan;
    logic [ 9:0] exponent;
    logic [47:0] mantissa;
    logic [31:0] c;
    bertd_fp_product u_product (
        .clk_i,
        .en_i,
        .a_i,
        .b_i,
        .sign_o    (sign),
        .exponent_o(exponent),
        .mantissa_o(mantissa),
        .inf_o     (inf),
        .nan_o     (nan)
    );

    bertd_fp_delay #(
        .WIDTH(32),
        .DEPTH(bertd_pkg::FP_PRODUCT_LATENCY)
    ) u_c (
        .clk_i,
        .en_i,
        .d_i(c_i),
        .q_o(c)
    );

    bertd_fp_sum u_sum (
        .clk_i,
        .en_i,
        .sign_i    (sign),
        .exponent_i(exponent),
        .mantissa_i(mantissa),
        .inf_i     (inf),
        .nan_i     (nan),
        .c_i       (c),
        .y_o       (y)
    );
    bertd_fp_delay #(
        .WIDTH(32),
        .DEPTH(bertd_pkg::FP_FMA_LATENCY - STAGES)
    ) u_later (
        .clk_i,
        .en_i,
        .d_i(y),
        .q_o(y_o)
    );

endmodule
