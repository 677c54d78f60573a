// Data path: operands of dsp_bench.cpp -> bertd_dsp_multiply_add in every form that accel/rtl uses -> the same.
module bertd_dsp_bench (
    input  logic          clk_i,
    input  logic          en_i,
    input  logic          clear_i,
    input  logic [  26:0] a_i,
    input  logic [  26:0] d_i,
    input  logic [  17:0] b_i,
    input  logic [  47:0] chain_i,
    output logic [9*48-1:0] p_o,       // {form with PRE_ADD, 2 STAGES, 1 STAGES}, of each without, with, with shifted chain
    output logic [9*48-1:0] chain_o
);

    // AMD's model asks the design for its global reset.
    dsp_global glbl ();

    for (genvar f = 0; f < 9; f++) begin : gen_form
        bertd_dsp_multiply_add #(
            .STAGES (f / 3 == 0 ? 1 : 2),
            .PRE_ADD(f / 3 == 2),
            .CHAIN  (f % 3)
        ) u_dsp (
            .clk_i, .en_i, .clear_i, .a_i, .d_i, .b_i, .chain_i,
            .chain_o(chain_o[48*f+:48]), .p_o(p_o[48*f+:48])
        );
    end

endmodule
