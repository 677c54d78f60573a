// Data path: in place of accel/rtl/bertd_fp_fma.sv where only cycles are counted.
// No arithmetic: what the engine does in which cycle does not depend on the values. All results are 0.
/* verilator lint_off UNUSEDSIGNAL */
/* verilator lint_off UNUSEDPARAM */
module bertd_fp_fma #(
    parameter bit FINITE = 1'b0,
    parameter bit FINITE_C = 1'b0
) (
    input  logic clk_i, en_i,
    input  logic [31:0] a_i, b_i, c_i,
    output logic [31:0] y_o
);
    assign y_o = '0;
endmodule
