// Data path: an argument of bertd_fp_exp_reduce or bertd_fp_activation -> its integer part or segment.
// The integer nearest to x * FACTOR, x * FACTOR below 128. bertd_pkg::FP_NEAREST_LATENCY enabled cycles. The sign is
// left out, and no product may lie halfway between two integers: a FACTOR whose mantissa is odd above 8 bits never
// makes one.
module bertd_fp_nearest #(
    parameter logic [31:0] FACTOR = 32'h3f800000
) (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] x_i,
    output logic [ 6:0] y_o
);

    logic sign, inf, nan;
    logic [9:0] exponent;
    logic [47:0] mantissa;
    bertd_fp_product u_product (
        .clk_i,
        .en_i,
        .a_i       (x_i),
        .b_i       (FACTOR),
        .sign_o    (sign),
        .exponent_o(exponent),
        .mantissa_o(mantissa),
        .inf_o     (inf),
        .nan_o     (nan)
    );

    // Bit 46 counts 2^(exponent - 127), which is 64 with exponent 133; the lowest bit kept is a half.
    logic [9:0] distance;
    logic [7:0] halves_q;
    assign distance = 10'd133 - exponent;
    always_ff @(posedge clk_i) begin
        if (en_i) begin
            halves_q <= distance[9:4] != 6'd0 ? 8'd0 : 8'(mantissa[47:39] >> distance[3:0]);
            y_o <= halves_q[7:1] + 7'(halves_q[0]);
        end
    end

    logic unused;
    assign unused = ^{sign, inf, nan, mantissa[38:0]};

endmodule
