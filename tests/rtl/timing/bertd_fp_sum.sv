// Data path: in place of accel/rtl/bertd_fp_sum.sv where only cycles are counted.
// No arithmetic: what the engine does in which cycle does not depend on the values. All results are 0.
/* verilator lint_off UNUSEDSIGNAL */
module bertd_fp_sum #(
    parameter int P = 48
) (
    input  logic clk_i, en_i, sign_i,
    input  logic [9:0] exponent_i,
    input  logic [P-1:0] mantissa_i,
    input  logic inf_i, nan_i,
    input  logic [31:0] c_i,
    output logic [31:0] y_o
);
    assign y_o = '0;
endmodule
