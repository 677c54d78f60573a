// Data path: operands or weights of a step -> the same, as bertd_array_pair takes them.
// Holds operands back until bertd_array_pair takes them: the four of each group one after the other, where they meet a
// DSP each, in a chain, and all alike where it multiplies in one cycle.
module bertd_array_skew #(
    parameter int GROUPS = 1
) (
    input  logic                 clk_i,
    input  logic [GROUPS*32-1:0] x_i,  // four int8 a group
    output logic [GROUPS*32-1:0] y_o
);

    for (genvar i = 0; i < 4; i++) begin : gen_place
`ifdef BERTD_DSP48E2
        localparam int DEPTH = i;
`else
        localparam int DEPTH = bertd_pkg::ARRAY_DOT_LATENCY - 2;
`endif
        logic [GROUPS*8-1:0] place, late;
        for (genvar g = 0; g < GROUPS; g++) begin : gen_group
            assign place[8*g+:8] = x_i[32*g+8*i+:8];
            assign y_o[32*g+8*i+:8] = late[8*g+:8];
        end
        bertd_fp_delay #(
            .WIDTH(GROUPS * 8),
            .DEPTH(DEPTH)
        ) u_delay (
            .clk_i,
            .en_i(1'b1),
            .d_i (place),
            .q_o (late)
        );
    end

endmodule
