// Data path: in place of accel/rtl/bertd_fp_product.sv where only cycles are counted.
// No arithmetic: what the engine does in which cycle does not depend on the values. All results are 0.
/* verilator lint_off UNUSEDSIGNAL */
module bertd_fp_product (
    input  logic clk_i, en_i,
    input  logic [31:0] a_i, b_i,
    output logic sign_o,
    output logic [9:0] exponent_o,
    output logic [47:0] mantissa_o,
    output logic inf_o, nan_o
);
    assign {sign_o, exponent_o, mantissa_o, inf_o, nan_o} = '0;
endmodule
