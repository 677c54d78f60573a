// Data path: operands of a row and weights, in bertd_array -> 16 sums -> bertd_array_pick.
// A row of the array: 16 accumulators that share the row's operands, and the second set of registers that holds the
// sums of a finished tile until the drain has taken them, row by row.
module bertd_array_row #(
    localparam int F = bertd_pkg::ARRAY_FLAGS
) (
    input  logic         clk_i,
    input  logic [  1:0] group_i,
    input  logic [127:0] operands_i,  // [16]
    input  logic [511:0] weights_i,   // [16][4], of the same step, held back by bertd_array_skew
    input  logic [F-1:0] add_i,       // flags: each for ARRAY_FLAG_COLUMNS columns
    input  logic [F-1:0] first_i,
    input  logic [F-1:0] shift_i,
    input  logic [F-1:0] load_i,      // the sums are those of a finished tile
    output logic [511:0] results_o    // [16] int32
);

    logic [31:0] operands_q, operands;
    logic [511:0] sums, results_q;

    always_ff @(posedge clk_i) operands_q <= operands_i[32'(group_i)*32+:32];

    bertd_array_skew u_skew (
        .clk_i,
        .x_i(operands_q),
        .y_o(operands)
    );

    for (genvar c = 0; c < bertd_pkg::PANEL; c += 2) begin : gen_column
        logic [17:0] first_dot, second_dot;
        localparam int FLAG = c / bertd_pkg::ARRAY_FLAG_COLUMNS;
        logic carry;
        bertd_array_pair u_pair (
            .clk_i,
            .operands_i(operands),
            .weights_i (weights_i[c*32+:64]),
            .first_o   (first_dot),
            .second_o  (second_dot),
            .carry_o   (carry)
        );
        bertd_array_cell u_first (
            .clk_i,
            .dot_i  (first_dot),
            .carry_i(1'b0),
            .add_i  (add_i[FLAG]),
            .first_i(first_i[FLAG]),
            .shift_i(shift_i[FLAG]),
            .sum_o  (sums[c*32+:32])
        );
        bertd_array_cell u_second (
            .clk_i,
            .dot_i  (second_dot),
            .carry_i(carry),
            .add_i  (add_i[FLAG]),
            .first_i(first_i[FLAG]),
            .shift_i(shift_i[FLAG]),
            .sum_o  (sums[c*32+32+:32])
        );
    end

    for (genvar f = 0; f < F; f++) begin : gen_results
        localparam int BITS = bertd_pkg::ARRAY_FLAG_COLUMNS * 32;
        always_ff @(posedge clk_i) if (load_i[f]) results_q[f*BITS+:BITS] <= sums[f*BITS+:BITS];
    end
    assign results_o = results_q;

endmodule
