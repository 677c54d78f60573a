// Sum of a * b over each row of a group, each product exact and each addition rounded once: fma(a, b, lane), and at the
// end the lanes.
module slice_sum (
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

    logic [15:0] sign, inf, nan;
    logic [159:0] exponent;
    logic [16*48-1:0] mantissa;
    for (genvar l = 0; l < 16; l++) begin : g_lane
        fp_product u_product (
            .clk_i,
            .en_i      (1'b1),
            .a_i       (a_i[32*l+:32]),
            .b_i       (b_i[32*l+:32]),
            .sign_o    (sign[l]),
            .exponent_o(exponent[10*l+:10]),
            .mantissa_o(mantissa[48*l+:48]),
            .inf_o     (inf[l]),
            .nan_o     (nan[l])
        );
    end

    logic valid, first, group_end, busy;
    slice_valid #(
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
    slice_accumulate #(
        .P(48)
    ) u_accumulate (
        .clk_i,
        .rst_ni,
        .valid_i   (valid),
        .first_i   (first),
        .end_i     (group_end),
        .sign_i    (sign),
        .exponent_i(exponent),
        .mantissa_i(mantissa),
        .inf_i     (inf),
        .nan_i     (nan),
        .busy_o    (busy),
        .valid_o,
        .row_o,
        .sum_o
    );

    logic unused;
    assign unused = busy;

endmodule
