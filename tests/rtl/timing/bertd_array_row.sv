// Data path: in place of accel/rtl/bertd_array_row.sv where only cycles are counted.
// No arithmetic: what the engine does in which cycle does not depend on the values. All results are 0.
module bertd_array_row #(
    localparam int F = bertd_pkg::ARRAY_FLAGS
) (
    input  logic         clk_i,
    input  logic [  1:0] group_i,
    input  logic [127:0] operands_i,
    input  logic [511:0] weights_i,
    input  logic [F-1:0] add_i,
    input  logic [F-1:0] first_i,
    input  logic [F-1:0] shift_i,
    input  logic [F-1:0] load_i,
    output logic [511:0] results_o
);

    assign results_o = '0;

    logic unused;
    assign unused = ^{clk_i, group_i, operands_i, weights_i, add_i, first_i, shift_i, load_i};

endmodule
