// Data path: a stream from one part of the card, as jobs of bertd_sequencer -> the same stream, in another part.
// As bertd_crossing, for what may have to wait.
module bertd_stream_crossing #(
    parameter int WIDTH = 8,
    parameter int STAGES = bertd_pkg::CROSSING_STAGES
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             in_valid_i,
    output logic             in_ready_o,
    input  logic [WIDTH-1:0] in_i,
    output logic             out_valid_o,
    input  logic             out_ready_i,
    output logic [WIDTH-1:0] out_o
);

    logic [STAGES:0] valid, ready;
    logic [(STAGES+1)*WIDTH-1:0] words;

    assign valid[0] = in_valid_i;
    assign words[WIDTH-1:0] = in_i;
    assign in_ready_o = ready[0];
    for (genvar s = 0; s < STAGES; s++) begin : gen_stage
        bertd_stream_register #(
            .WIDTH(WIDTH)
        ) u_register (
            .clk_i,
            .rst_ni,
            .in_valid_i (valid[s]),
            .in_ready_o (ready[s]),
            .in_i       (words[s*WIDTH+:WIDTH]),
            .out_valid_o(valid[s+1]),
            .out_ready_i(ready[s+1]),
            .out_o      (words[(s+1)*WIDTH+:WIDTH])
        );
    end
    assign out_valid_o = valid[STAGES];
    assign ready[STAGES] = out_ready_i;
    assign out_o = words[STAGES*WIDTH+:WIDTH];

endmodule
