// Data path: variance + eps in bertd_slice_factor -> its root, for bertd_fp_div.
// Square root of x, exactly rounded; not a number below -0. One every cycle, bertd_pkg::FP_SQRT_LATENCY enabled cycles.
module bertd_fp_sqrt (
    input  logic        clk_i,
    input  logic        en_i,
    input  logic [31:0] x_i,
    output logic [31:0] y_o
);

    localparam int STEPS = 13;

    logic is_zero, is_top;
    logic [8:0] twice_exponent;
    assign is_zero = x_i[30:23] == 8'd0;
    assign is_top = x_i[30:23] == 8'd255;
    assign twice_exponent = {1'b0, x_i[30:23]} + 9'd127;

    logic [26*(STEPS+1)-1:0] radicands, roots;
    logic [28*(STEPS+1)-1:0] remainders;
    assign radicands[25:0] = x_i[23] ? {2'b01, x_i[22:0], 1'b0} : {1'b1, x_i[22:0], 2'b00};
    assign remainders[27:0] = 28'd0;
    assign roots[25:0] = 26'd0;
    for (genvar i = 0; i < STEPS; i++) begin : g_step
        bertd_fp_sqrt_step u_step (
            .clk_i,
            .en_i,
            .radicand_i (radicands[26*i+:26]),
            .remainder_i(remainders[28*i+:28]),
            .root_i     (roots[26*i+:26]),
            .radicand_o (radicands[26*(i+1)+:26]),
            .remainder_o(remainders[28*(i+1)+:28]),
            .root_o     (roots[26*(i+1)+:26])
        );
    end

    logic sign, zero, inf, nan;
    logic [7:0] exponent;
    bertd_fp_delay #(
        .WIDTH(12),
        .DEPTH(STEPS)
    ) u_rest (
        .clk_i,
        .en_i,
        .d_i({x_i[31], twice_exponent[8:1], is_zero, is_top, (is_top && x_i[22:0] != 23'd0) || (x_i[31] && !is_zero)}),
        .q_o({sign, exponent, zero, inf, nan})
    );

    logic [25:0] root;
    logic rest;
    assign root = roots[26*STEPS+:26];
    assign rest = remainders[28*STEPS+:28] != 28'd0;
    bertd_fp_round u_round (
        .clk_i,
        .en_i,
        .sign_i    (sign),
        .exponent_i({2'b0, exponent}),
        .fraction_i(root[24:2]),
        .guard_i   (root[1]),
        .sticky_i  (root[0] || rest),
        .zero_i    (zero),
        .inf_i     (inf),
        .nan_i     (nan),
        .y_o
    );

    logic unused;
    assign unused = ^{root[25], twice_exponent[0], radicands[26*STEPS+:26]};

endmodule
