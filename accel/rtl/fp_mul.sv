// a * b. bertd_pkg::FP_MUL_LATENCY enabled cycles.
module fp_mul (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] a_i,
    input  logic [31:0] b_i,
    output logic [31:0] y_o
);

    logic sign, inf, nan;
    logic [ 9:0] exponent;
    logic [47:0] mantissa, normal;
    fp_product u_product (
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
    assign normal = mantissa[47] ? mantissa : {mantissa[46:0], 1'b0};

    fp_round u_round (
        .clk_i,
        .en_i,
        .sign_i    (sign),
        .exponent_i(exponent + 10'(mantissa[47])),
        .mantissa_i(normal[47:24]),
        .guard_i   (normal[23]),
        .sticky_i  (|normal[22:0]),
        .zero_i    (!normal[47]),
        .inf_i     (inf),
        .nan_i     (nan),
        .y_o
    );

endmodule
