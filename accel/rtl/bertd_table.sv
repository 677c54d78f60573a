// Data path: bertd_layout -> whoever walks rows, blocks or segments.
// A copy of what bertd_layout has told, for one reader: small, and read at once. A word has a parity bit.
module bertd_table #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    localparam int ADDRESS = $clog2(DEPTH)
) (
    input  logic               clk_i,
    input  logic               write_i,
    input  logic [ADDRESS-1:0] write_address_i,
    input  logic [  WIDTH-1:0] write_data_i,
    input  logic               read_i,           // the reader goes by the word, which was written
    input  logic [ADDRESS-1:0] read_address_i,
    output logic [  WIDTH-1:0] read_data_o,
    output logic               error_o           // the word read has changed; a cycle after it
);

    (* ram_style = "distributed" *) logic [WIDTH:0] words[0:DEPTH-1];
    logic [WIDTH:0] word;
    logic error_q;

    assign word = words[read_address_i];
    assign read_data_o = word[WIDTH-1:0];
    assign error_o = error_q;
    always_ff @(posedge clk_i) begin
        if (write_i) words[write_address_i] <= {^write_data_i, write_data_i};
        error_q <= read_i && ^word;
    end

endmodule
