// Data path: lane sums of bertd_slice_accumulate or bertd_slice_sum -> when and what their adders add.
// The row reduction's order: 16 lanes add up the words of each row, then lanes l and l + 8, l + 4, l + 2, l + 1.
//
// The adders take four cycles, and four rows are interleaved: when a row's next word arrives, its sum is just leaving
// the adders, as long as these move only with the words. After a group's last word they move by themselves, four rounds
// of four rows for the lanes and one to put the sums out, row by row. For those 20 cycles no word may come (folding_o).
module bertd_slice_fold (
    input  logic         clk_i,
    input  logic         rst_ni,
    input  logic         valid_i,
    input  logic         end_i,      // the last word of the last row
    input  logic [511:32] sums_i,    // of the lanes 1..15
    output logic         move_o,     // the adders do
    output logic         folding_o,
    output logic [255:0] others_o,   // while folding: what is added to lanes 0..7; the others do not matter
    output logic         valid_o,
    output logic [  1:0] row_o
);

    localparam logic [4:0] LAST = 5'(bertd_pkg::FOLD_CYCLES - 1);

    logic [4:0] step_q;  // 0..19 after the last word
    logic folding_q;
    assign folding_o = folding_q;
    assign move_o = valid_i || folding_q;
    assign valid_o = folding_q && step_q[4];
    assign row_o = step_q[1:0];
    always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
            folding_q <= 1'b0;
            step_q <= 5'd0;
        end else if (folding_q) begin
            folding_q <= step_q != LAST;
            step_q <= step_q == LAST ? 5'd0 : step_q + 5'd1;
        end else if (valid_i && end_i) begin
            folding_q <= 1'b1;
        end
    end

    // A round that no longer concerns a lane may add anything to it.
    for (genvar l = 0; l < 8; l++) begin : g_lane
        always_comb begin
            others_o[32*l+:32] = sums_i[32*(l+8)+:32];
            if (l < 4 && step_q[4:2] != 3'd0) others_o[32*l+:32] = sums_i[32*(l+4)+:32];
            if (l < 2 && step_q[4:2] == 3'd2) others_o[32*l+:32] = sums_i[32*(l+2)+:32];
            if (l < 1 && step_q[4:2] == 3'd3) others_o[32*l+:32] = sums_i[32*(l+1)+:32];
        end
    end

`ifndef SYNTHESIS
    always_ff @(posedge clk_i) assert (!(valid_i && folding_q));
`endif

endmodule
