// Data path: words that bertd_slice_load takes in -> sums of rows, for their means.
// Sum of each row of a group, lane by lane and then the lanes (bertd_slice_fold.sv).
module bertd_slice_accumulate (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         valid_i,
    input  logic         first_i,  // word 0: sums begin at +0
    input  logic         end_i,    // the last word of the last row
    input  logic [511:0] x_i,
    output logic         valid_o,
    output logic [  1:0] row_o,
    output logic [ 31:0] sum_o
);

    logic move, folding;
    logic [255:0] others;
    logic [511:0] sums;
    bertd_slice_fold u_fold (
        .clk_i,
        .rst_ni,
        .valid_i,
        .end_i,
        .sums_i   (sums[511:32]),
        .move_o   (move),
        .folding_o(folding),
        .others_o (others),
        .valid_o,
        .row_o
    );
    for (genvar l = 0; l < 16; l++) begin : g_lane
        logic [31:0] x;
        if (l < 8) begin : g_folded
            assign x = folding ? others[32*l+:32] : x_i[32*l+:32];
        end else begin : g_word
            assign x = x_i[32*l+:32];
        end
        bertd_fp_add #(
            .LATENCY(bertd_pkg::GROUP_ROWS)
        ) u_add (
            .clk_i,
            .en_i(move),
            .a_i (x),
            .b_i (first_i && !folding ? 32'd0 : sums[32*l+:32]),
            .y_o (sums[32*l+:32])
        );
    end
    assign sum_o = sums[31:0];

endmodule
