// Data path: scales and factors: bertd_drain, bertd_drain_path, and the stages of a vector slice.
// a * b. bertd_pkg::FP_MUL_LATENCY enabled cycles.
module bertd_fp_mul (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    output logic [31:0] y_o
);

    localparam int STAGES = bertd_pkg::FP_PRODUCT_LATENCY + 1;
    logic [31:0] y;
    if (bertd_pkg::FP_MUL_LATENCY < STAGES) $error("bertd_fp_mul has %0d stages", STAGES);

    logic sign, inf, nan;
    logic [ 9:0] exponent;
    logic [47:0] mantissa;
    logic [23:0] normal;
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
    assign normal = mantissa[47] ? mantissa[46:23] : mantissa[45:22];  // behind the leading one

    bertd_fp_round u_round (
        .clk_i,
        .en_i,
        .sign_i    (sign),
        .exponent_i(exponent + 10'(mantissa[47])),
        .fraction_i(normal[23:1]),
        .guard_i   (normal[0]),
        .sticky_i  (mantissa[21:0] != 22'd0 || (mantissa[47] && mantissa[22])),
        .zero_i    (mantissa[47:46] == 2'd0),
        .inf_i     (inf),
        .nan_i     (nan),
        .y_o       (y)
    );
    bertd_fp_delay #(
        .WIDTH(32),
        .DEPTH(bertd_pkg::FP_MUL_LATENCY - STAGES)
    ) u_later (
        .clk_i,
        .en_i,
        .d_i(y),
        .q_o(y_o)
    );

endmodule
