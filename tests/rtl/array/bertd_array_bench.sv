// Data path: operands and weights of array_bench.cpp -> the array's dot products and accumulators -> the same.
// A pair of the array's dot products with its operands held back, and the DSP behind it, for array_bench.cpp.
module bertd_array_bench (
    input  logic        clk_i,
    input  logic [31:0] operands_i,
    input  logic [63:0] weights_i,
    input  logic        add_i,
    input  logic        first_i,
    input  logic        shift_i,
    output logic [31:0] first_o,
    output logic [31:0] second_o,
    output logic [ 7:0] latency_o   // from the operands to a sum that has them
);

    logic [31:0] operands_q, operands;
    logic [63:0] weights_q, weights;
    logic [17:0] first_dot, second_dot;
    logic carry;
    localparam int DOT = bertd_pkg::ARRAY_DOT_LATENCY;
    logic [DOT-1:0] add_q, first_q, shift_q;
    always_ff @(posedge clk_i) begin
        operands_q <= operands_i;
        weights_q <= weights_i;
        add_q <= {add_q[DOT-2:0], add_i};
        first_q <= {first_q[DOT-2:0], first_i};
        shift_q <= {shift_q[DOT-2:0], shift_i};
    end
    bertd_array_skew u_operands (.clk_i, .x_i(operands_q), .y_o(operands));
    bertd_array_skew #(.GROUPS(2)) u_weights (.clk_i, .x_i(weights_q), .y_o(weights));
    bertd_array_pair u_pair (
        .clk_i, .operands_i(operands), .weights_i(weights),
        .first_o(first_dot), .second_o(second_dot), .carry_o(carry)
    );
    bertd_array_cell u_first (
        .clk_i, .dot_i(first_dot), .carry_i(1'b0),
        .add_i(add_q[DOT-1]), .first_i(first_q[DOT-1]), .shift_i(shift_q[DOT-1]), .sum_o(first_o)
    );
    bertd_array_cell u_second (
        .clk_i, .dot_i(second_dot), .carry_i(carry),
        .add_i(add_q[DOT-1]), .first_i(first_q[DOT-1]), .shift_i(shift_q[DOT-1]), .sum_o(second_o)
    );
    assign latency_o = 8'(DOT + 1);

endmodule
