// Data path: inside the memories and buffers: what is written -> what is read.
// Memory with one write and one read port; the word read comes a cycle later. Reading a word while it is written gives
// the old or the new one: nobody does.
module bertd_ram_1r1w #(
    parameter int WIDTH = 32,
    parameter int DEPTH = 16,
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

    logic [WIDTH-1:0] words[0:DEPTH-1];

    always_ff @(posedge clk_i) begin
        if (write_i) words[write_address_i] <= write_data_i;
        if (read_i) read_data_o <= words[read_address_i];
    end

endmodule
