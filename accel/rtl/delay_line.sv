// What goes in comes out DEPTH cycles later.
module delay_line #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 1
) (
    input  logic             clk_i,
    input  logic [WIDTH-1:0] in_i,
    output logic [WIDTH-1:0] out_o
);

    logic [WIDTH-1:0] words_q[0:DEPTH-1];

    always_ff @(posedge clk_i) begin
        words_q[0] <= in_i;
        for (int i = 1; i < DEPTH; i++) words_q[i] <= words_q[i-1];
    end
    assign out_o = words_q[DEPTH-1];

endmodule
