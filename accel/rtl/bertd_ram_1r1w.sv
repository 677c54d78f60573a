// Data path: inside the memories and buffers: what is written -> what is read.
// Memory with one write and one read port; the word read comes LATENCY cycles later. The cycles after the first are
// registers behind the memory, which UltraRAM and block RAM have inside. Reading a word while it is written gives the
// old or the new one: nobody does.
module bertd_ram_1r1w #(
    parameter int WIDTH = 32,
    parameter int DEPTH = 16,
    parameter RAM_STYLE = "block",  // what the card makes it of: ultra, block, distributed
    parameter int LATENCY = 1,
    localparam int ADDRESS = $clog2(DEPTH)
) (
    input  logic               clk_i,
    input  logic               write_i,
    input  logic [ADDRESS-1:0] write_address_i,
    input  logic [  WIDTH-1:0] write_data_i,
    input  logic               read_i,
    input  logic [ADDRESS-1:0] read_address_i,
    output logic [  WIDTH-1:0] read_data_o
);

    if (LATENCY < (RAM_STYLE == "ultra" ? 2 : 1))
        $error("a memory of style %s takes more than %0d cycles", RAM_STYLE, LATENCY);

    (* ram_style = RAM_STYLE *) logic [WIDTH-1:0] words[0:DEPTH-1];
    (* shreg_extract = "no" *) logic [WIDTH*LATENCY-1:0] words_q;

    always_ff @(posedge clk_i) begin
        if (write_i) words[write_address_i] <= write_data_i;
        if (read_i) words_q[WIDTH-1:0] <= words[read_address_i];
    end
    for (genvar i = 1; i < LATENCY; i++) begin : gen_register
        always_ff @(posedge clk_i) words_q[i*WIDTH+:WIDTH] <= words_q[(i-1)*WIDTH+:WIDTH];
    end
    assign read_data_o = words_q[(LATENCY-1)*WIDTH+:WIDTH];

endmodule
