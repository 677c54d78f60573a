// Data path: values that travel beside a pipeline, as in bertd_drain -> the same, later.
// What goes in comes out DEPTH cycles later.
module bertd_delay_line #(
    parameter int WIDTH = 1,
    parameter int DEPTH = 1
) (
    input  logic             clk_i,
    input  logic [WIDTH-1:0] in_i,
    output logic [WIDTH-1:0] out_o
);

    logic [WIDTH*DEPTH-1:0] words_q;
    assign out_o = words_q[WIDTH*(DEPTH-1)+:WIDTH];

    if (DEPTH == 1) begin : gen_one
        always_ff @(posedge clk_i) words_q <= in_i;
    end else begin : gen_many
        always_ff @(posedge clk_i) words_q <= {words_q[WIDTH*(DEPTH-1)-1:0], in_i};
    end

endmodule
