// Data path: differences or exponentials of a group -> sums of rows -> bertd_slice_factor, bertd_slice_scale.
// Sum of a * b over each row of a group, each product exact and not below 0, and each addition rounded once: fma(a, b,
// lane), and at the end the lanes (bertd_slice_fold.sv).
module bertd_slice_sum (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         valid_i,
    input  logic         first_i,
    input  logic         end_i,
    input  logic [511:0] a_i,
    input  logic [511:0] b_i,
    output logic         valid_o,
    output logic [  1:0] row_o,
    output logic [ 31:0] sum_o
);

    logic valid, first, group_end, move, folding;
    logic [255:0] others;
    logic [511:0] sums;
    bertd_slice_valid #(
        .WIDTH(2),
        .DEPTH(bertd_pkg::FP_PRODUCT_LATENCY)
    ) u_valid (
        .clk_i,
        .rst_ni,
        .valid_i,
        .tag_i  ({first_i, end_i}),
        .valid_o(valid),
        .tag_o  ({first, group_end})
    );
    bertd_slice_fold u_fold (
        .clk_i,
        .rst_ni,
        .valid_i  (valid),
        .end_i    (group_end),
        .sums_i   (sums[511:32]),
        .move_o   (move),
        .folding_o(folding),
        .others_o (others),
        .valid_o,
        .row_o
    );

    for (genvar l = 0; l < 16; l++) begin : g_lane
        logic sign, inf, nan, special, special_nan;
        logic [9:0] exponent, added_exponent;
        logic [47:0] mantissa, added;
        bertd_fp_product u_product (
            .clk_i,
            .en_i      (1'b1),
            .a_i       (a_i[32*l+:32]),
            .b_i       (b_i[32*l+:32]),
            .sign_o    (sign),
            .exponent_o(exponent),
            .mantissa_o(mantissa),
            .inf_o     (inf),
            .nan_o     (nan)
        );
        if (l < 8) begin : g_folded
            logic [31:0] other;
            assign other = others[32*l+:32];
            assign added_exponent = folding ? {2'b0, other[30:23]} : exponent;
            assign added = folding ? {1'b0, other[30:23] != 8'd0, other[22:0], 23'd0} : mantissa;
            assign special = folding ? other[30:23] == 8'd255 : inf;
            assign special_nan = folding ? other[30:23] == 8'd255 && other[22:0] != 23'd0 : nan;
            logic unused_sign;
            assign unused_sign = other[31];
        end else begin : g_word
            assign added_exponent = exponent;
            assign added = mantissa;
            assign special = inf;
            assign special_nan = nan;
        end
        bertd_fp_accumulate u_sum (
            .clk_i,
            .en_i      (move),
            .exponent_i(added_exponent),
            .mantissa_i(added),
            .inf_i     (special),
            .nan_i     (special_nan),
            .c_i       (first && !folding ? 32'd0 : sums[32*l+:32]),
            .y_o       (sums[32*l+:32])
        );
        logic unused;
        assign unused = sign;
    end
    assign sum_o = sums[31:0];

endmodule
