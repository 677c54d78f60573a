// Data path: bertd_drain (scalar and bias), bertd_slice_norm (gamma and beta), bertd_fp_activation.
// a * b + c, rounded once. bertd_pkg::FP_FMA_LATENCY enabled cycles.
//   FINITE       promises that a and b are finite, FINITE_C the same of c
module bertd_fp_fma #(
    parameter bit FINITE = 1'b0,
    parameter bit FINITE_C = 1'b0
) (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    input  logic [31:0] c_i,  // bertd_pkg::FP_PRODUCT_LATENCY enabled cycles behind a and b
    output logic [31:0] y_o
);

    localparam int STAGES = bertd_pkg::FP_PRODUCT_LATENCY + 4;
    logic [31:0] y;
    if (bertd_pkg::FP_FMA_LATENCY < STAGES) $error("bertd_fp_fma has %0d stages", STAGES);

    logic sign, inf, nan;
    logic [ 9:0] exponent;
    logic [47:0] mantissa;
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

    bertd_fp_sum #(
        .FINITE_C(FINITE_C)
    ) u_sum (
        .clk_i,
        .en_i,
        .sign_i    (sign),
        .exponent_i(exponent),
        .mantissa_i(mantissa),
        .inf_i     (inf && !FINITE),
        .nan_i     (nan && !FINITE),
        .c_i,
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
