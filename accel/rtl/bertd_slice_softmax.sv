// Data path: differences of bertd_slice_center -> exponentials -> bertd_slice_sum, bertd_slice_collect.
// SOFTMAX behind the subtraction: e = exp(d), and w = e * s_v for the digits. Where the mask has no bit they mean nothing.
module bertd_slice_softmax (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         valid_i,
    input  logic         first_i,
    input  logic         end_i,
    input  logic [  1:0] row_i,
    input  logic [ 15:0] mask_i,
    input  logic [511:0] d_i,
    input  logic [511:0] scales_i,      // the first side word not yet taken
    output logic         side_taken_o,  // by its last row
    output logic         e_valid_o,
    output logic         e_first_o,
    output logic         e_end_o,
    output logic [ 15:0] e_mask_o,
    output logic [511:0] e_o,
    output logic         valid_o,
    output logic [ 15:0] mask_o,
    output logic [511:0] w_o
);

    logic [1:0] row;
    bertd_slice_valid #(
        .WIDTH(20),
        .DEPTH(bertd_pkg::FP_EXP_LATENCY)
    ) u_e_valid (
        .clk_i,
        .rst_ni,
        .valid_i,
        .tag_i  ({first_i, end_i, row_i, mask_i}),
        .valid_o(e_valid_o),
        .tag_o  ({e_first_o, e_end_o, row, e_mask_o})
    );
    assign side_taken_o = e_valid_o && row == 2'd3;

    for (genvar l = 0; l < 16; l++) begin : g_lane
        bertd_fp_exp u_e (
            .clk_i,
            .en_i(1'b1),
            .x_i (d_i[32*l+:32]),
            .y_o (e_o[32*l+:32])
        );
        bertd_fp_mul u_w (
            .clk_i,
            .en_i(1'b1),
            .a_i (e_o[32*l+:32]),
            .b_i (scales_i[32*l+:32]),
            .y_o (w_o[32*l+:32])
        );
    end
    bertd_slice_valid #(
        .WIDTH(16),
        .DEPTH(bertd_pkg::FP_MUL_LATENCY)
    ) u_valid (
        .clk_i,
        .rst_ni,
        .valid_i(e_valid_o),
        .tag_i  (e_mask_o),
        .valid_o,
        .tag_o  (mask_o)
    );

endmodule
