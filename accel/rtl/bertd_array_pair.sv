// Data path: operands and weights held back by bertd_array_skew -> dot products -> two bertd_array_cell.
// Two dot products of four int8 pairs with the same operands (those of a row) and the weights of two outputs, as
// bertd_array_skew holds them back.
//
// With BERTD_DSP48E2, in a chain of four DSPs for both: each multiplies an operand with (second weight * 2^18 + first
// weight). A sum of four products of int8 is within -65024..65536, so the first dot product is the low 18 bits of the
// chain's, and where it is negative it has borrowed one from the second: that is added again (carry_o).
module bertd_array_pair (
    input  logic        clk_i,
    input  logic [31:0] operands_i,  // four int8
    input  logic [63:0] weights_i,
    output logic [17:0] first_o,
    output logic [17:0] second_o,    // less carry_o
    output logic        carry_o
);

`ifdef BERTD_DSP48E2
    logic [5*48-1:0] chain;
    logic [4*48-1:0] sums;
    assign chain[47:0] = 48'd0;
    for (genvar i = 0; i < 4; i++) begin : gen_dsp
        bertd_dsp_multiply_add #(
            .STAGES (2),
            .PRE_ADD(1'b1),
            .CHAIN  (i == 0 ? 0 : 1)
        ) u_dsp (
            .clk_i,
            .en_i   (1'b1),
            .clear_i(1'b0),
            .a_i    ({weights_i[32+8*i+7], weights_i[32+8*i+:8], 18'd0}),
            .d_i    ({{19{weights_i[8*i+7]}}, weights_i[8*i+:8]}),
            .b_i    ({{10{operands_i[8*i+7]}}, operands_i[8*i+:8]}),
            .chain_i(chain[48*i+:48]),
            .chain_o(chain[48*(i+1)+:48]),
            .p_o    (sums[48*i+:48])
        );
    end
    // As many stages as bertd_array_skew and the DSPs have; one more before them in bertd_array_row.
    localparam int STAGES = 8;
    if (bertd_pkg::ARRAY_DOT_LATENCY < STAGES) $error("the array's products have %0d stages", STAGES);
    bertd_delay_line #(
        .WIDTH(37),
        .DEPTH(bertd_pkg::ARRAY_DOT_LATENCY - STAGES)
    ) u_later (
        .clk_i,
        .in_i ({sums[3*48+:36], sums[3*48+17]}),
        .out_o({second_o, first_o, carry_o})
    );

    logic unused;
    assign unused = ^{sums[4*48-1:3*48+36], sums[3*48-1:0], chain[5*48-1:4*48]};
`else
    logic signed [17:0] first, second;
    always_comb begin
        first = '0;
        second = '0;
        for (int i = 0; i < 4; i++) begin
            first = first + 18'($signed(weights_i[8*i+:8]) * $signed(operands_i[8*i+:8]));
            second = second + 18'($signed(weights_i[32+8*i+:8]) * $signed(operands_i[8*i+:8]));
        end
    end
    always_ff @(posedge clk_i) begin
        first_o <= first;
        second_o <= second;
    end
    assign carry_o = 1'b0;
`endif

endmodule
