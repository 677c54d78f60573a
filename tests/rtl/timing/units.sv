// Stand in for the floating-point units where only cycles are counted: no arithmetic. All results are 0, but for a quotient,
// which must be above 0. What the engine does in which cycle does not depend on the values.
/* verilator lint_off DECLFILENAME */
/* verilator lint_off UNUSEDSIGNAL */

module fp_add (
    input  logic clk_i, en_i,
    input  logic [31:0] a_i, b_i,
    output logic [31:0] y_o
);
    assign y_o = '0;
endmodule

module fp_butterfly (
    input  logic clk_i, en_i,
    input  logic [31:0] a_i, b_i,
    output logic [31:0] sum_o, difference_o
);
    assign {sum_o, difference_o} = '0;
endmodule

module fp_mul (
    input  logic clk_i, en_i,
    input  logic [31:0] a_i, b_i,
    output logic [31:0] y_o
);
    assign y_o = '0;
endmodule

module fp_fma (
    input  logic clk_i, en_i,
    input  logic [31:0] a_i, b_i, c_i,
    output logic [31:0] y_o
);
    assign y_o = '0;
endmodule

module fp_product (
    input  logic clk_i, en_i,
    input  logic [31:0] a_i, b_i,
    output logic sign_o,
    output logic [9:0] exponent_o,
    output logic [47:0] mantissa_o,
    output logic inf_o, nan_o
);
    assign {sign_o, exponent_o, mantissa_o, inf_o, nan_o} = '0;
endmodule

module fp_sum #(
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

module fp_accumulate (
    input  logic clk_i, en_i,
    input  logic [9:0] exponent_i,
    input  logic [47:0] mantissa_i,
    input  logic inf_i, nan_i,
    input  logic [31:0] c_i,
    output logic [31:0] y_o
);
    assign y_o = '0;
endmodule

module fp_from_int32 (
    input  logic clk_i, en_i,
    input  logic [31:0] a_i,
    output logic [31:0] y_o
);
    assign y_o = '0;
endmodule

module fp_to_int (
    input  logic clk_i, en_i,
    input  logic [31:0] x_i,
    input  logic [14:0] limit_i,
    output logic [15:0] y_o
);
    assign y_o = '0;
endmodule

module fp_exp (
    input  logic clk_i, en_i,
    input  logic [31:0] x_i,
    output logic [31:0] y_o
);
    assign y_o = '0;
endmodule

module fp_activation (
    input  logic clk_i, en_i,
    input  logic [1:0] kind_i,
    input  logic [31:0] x_i,
    output logic [31:0] y_o
);
    assign y_o = '0;
endmodule

module fp_div (
    input  logic clk_i, en_i,
    input  logic [31:0] a_i, b_i,
    output logic [31:0] y_o
);
    assign y_o = bertd_pkg::FP_ONE;
endmodule

module fp_sqrt (
    input  logic clk_i, en_i,
    input  logic [31:0] x_i,
    output logic [31:0] y_o
);
    assign y_o = '0;
endmodule
