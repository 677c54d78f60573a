// Data path: bertd_layout -> whoever walks rows, blocks or segments.
// A copy of what bertd_layout has told, for one reader: small, and read at once.
module bertd_table #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    localparam int ADDRESS = $clog2(DEPTH)
) (
    input  logic               clk_i,
    input  logic               write_i,
    input  logic [ADDRESS-1:0] write_address_i,
    input  logic [  WIDTH-1:0] write_data_i,
    input  logic [ADDRESS-1:0] read_address_i,
    output logic [  WIDTH-1:0] read_data_o
);

    (* ram_style = "distributed" *) logic [WIDTH-1:0] words[0:DEPTH-1];

    always_ff @(posedge clk_i) if (write_i) words[write_address_i] <= write_data_i;
    assign read_data_o = words[read_address_i];

endmodule
