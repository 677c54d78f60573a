// Data path: what passes from one part of the card to another and need not wait, as writes to a memory -> the same, later.
// Registers on the way across a named boundary (README): the first stands where the signal comes from, the last where it
// goes to, so that nothing but a wire crosses.
module bertd_crossing #(
    parameter int WIDTH = 1,
    parameter int STAGES = bertd_pkg::CROSSING_STAGES
) (
    input  logic             clk_i,
    input  logic [WIDTH-1:0] in_i,
    output logic [WIDTH-1:0] out_o
);

    if (STAGES == 0) begin : gen_wires
        logic unused;
        assign unused = clk_i;
        assign out_o = in_i;
    end else begin : gen_registers
        (* shreg_extract = "no" *) logic [STAGES*WIDTH-1:0] words_q;

        always_ff @(posedge clk_i) words_q[WIDTH-1:0] <= in_i;
        for (genvar s = 1; s < STAGES; s++) begin : gen_stage
            always_ff @(posedge clk_i) words_q[s*WIDTH+:WIDTH] <= words_q[(s-1)*WIDTH+:WIDTH];
        end
        assign out_o = words_q[(STAGES-1)*WIDTH+:WIDTH];
    end

endmodule
