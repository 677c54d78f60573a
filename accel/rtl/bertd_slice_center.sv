// Data path: words of the row buffer, means or largest scores -> differences -> sum, norm or softmax.
// x - the row's mean, or its largest score.
module bertd_slice_center #(
    parameter int TAG = 16
) (
    input  logic           clk_i,
    input  logic           rst_ni,
    input  logic           valid_i,
    input  logic [TAG-1:0] tag_i,   // goes along
    input  logic [  511:0] x_i,
    input  logic [   31:0] stat_i,
    output logic           valid_o,
    output logic [TAG-1:0] tag_o,
    output logic [  511:0] d_o
);

    for (genvar l = 0; l < 16; l++) begin : g_lane
        bertd_fp_add u_add (
            .clk_i,
            .en_i(1'b1),
            .a_i (x_i[32*l+:32]),
            .b_i (stat_i ^ bertd_pkg::FP_MINUS_ZERO),
            .y_o (d_o[32*l+:32])
        );
    end
    bertd_slice_valid #(
        .WIDTH(TAG),
        .DEPTH(bertd_pkg::FP_ADD_LATENCY)
    ) u_valid (
        .clk_i,
        .rst_ni,
        .valid_i,
        .tag_i,
        .valid_o,
        .tag_o
    );

endmodule
